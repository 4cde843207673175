/** Upstreams that refuse, hang, break off, or break the rules: which status, flag and details the client and the operator see. */
import { get, request, type Scenario } from './scenario.ts';

const plainRoute = (host: string, upstream: string, extra = ''): Pick<Scenario, 'istio' | 'envoy'> => ({
  istio: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host.split('.')[0]} }
spec:
  hosts: [${host}]
  http: [{ route: [{ destination: { host: ${upstream}.oracle } }], retries: { attempts: 0 }${extra === '' ? '' : `, ${extra}`} }]
`,
  envoy: `routes: [{ match: { prefix: / }, route: { cluster: ${upstream}, timeout: ${/timeout: (\S+)/.exec(extra)?.[1] ?? '0s'} } }]`,
});

const behave = (host: string, behaviour: string, fields: readonly string[] = []): string =>
  get(host, [`x-origin: ${behaviour}`, ...fields]);

export const UPSTREAM: readonly Scenario[] = [
  {
    host: 'refused-route.oracle',
    side: 'outbound',
    ...plainRoute('refused-route.oracle', 'refused'),
    requests: [{ it: 'a refused connection is 503 UF', send: get('refused-route.oracle') }],
  },
  {
    host: 'refused-retried.oracle',
    side: 'outbound',
    istio: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: refused-retried }
spec:
  hosts: [refused-retried.oracle]
  http: [{ route: [{ destination: { host: refused.oracle } }] }]
`,
    envoy: `
routes:
  - match: { prefix: / }
    route:
      cluster: refused
      timeout: 0s
      retry_policy:
        retry_on: connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes
        num_retries: 2
        host_selection_retry_max_attempts: '5'
        retry_host_predicate:
          - name: envoy.retry_host_predicates.previous_hosts
            typed_config: { '@type': type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate }
`,
    requests: [
      {
        it: 'a refused connection with Istio’s default retries is 503 with URX and UF',
        send: get('refused-retried.oracle'),
      },
    ],
  },
  {
    host: 'blackhole-route.oracle',
    side: 'outbound',
    ...plainRoute('blackhole-route.oracle', 'blackhole'),
    requests: [
      {
        it: 'a connection attempt that nobody answers is 503 UF when the connect timeout is over',
        send: get('blackhole-route.oracle'),
      },
    ],
  },
  {
    host: 'empty-route.oracle',
    side: 'outbound',
    ...plainRoute('empty-route.oracle', 'empty'),
    requests: [
      { it: 'a cluster without endpoints is 503 UH', send: get('empty-route.oracle') },
      {
        it: 'a cluster without endpoints answers HEAD without a body',
        send: request('HEAD / HTTP/1.1', ['Host: empty-route.oracle']),
        methods: ['HEAD'],
      },
      {
        it: 'a cluster without endpoints answers gRPC with a grpc-status',
        send: request('POST /a.B/C HTTP/1.1', [
          'Host: empty-route.oracle',
          'content-type: application/grpc',
          'content-length: 0',
        ]),
        fields: ['content-type', 'grpc-status', 'grpc-message'],
      },
    ],
  },
  {
    host: 'timeout.oracle',
    side: 'outbound',
    ...plainRoute('timeout.oracle', 'origin', 'timeout: 0.3s'),
    requests: [
      { it: 'an upstream that never answers is 504 UT', send: behave('timeout.oracle', 'hang') },
      {
        it: 'an upstream that stops in the middle of the body is cut off when the time is over',
        send: behave('timeout.oracle', 'hang-mid-body'),
        expect: 'end',
      },
      { it: 'an answer in time passes', send: behave('timeout.oracle', 'ok') },
    ],
  },
  {
    host: 'per-try.oracle',
    side: 'outbound',
    istio: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: per-try }
spec:
  hosts: [per-try.oracle]
  http:
    - route: [{ destination: { host: origin.oracle } }]
      retries: { attempts: 1, perTryTimeout: 0.2s, retryOn: 5xx }
`,
    envoy: `
routes:
  - match: { prefix: / }
    route: { cluster: origin, timeout: 0s, retry_policy: { retry_on: 5xx, num_retries: 1, per_try_timeout: 0.2s } }
`,
    requests: [
      { it: 'each try has its own time; the last one gives 504 UT with URX', send: behave('per-try.oracle', 'hang') },
      {
        it: 'a 500 that stays a 500 after the retries is passed on with URX',
        send: behave('per-try.oracle', 'status-500'),
      },
      {
        it: 'a 503 of an overloaded proxy is tried again like any other',
        send: behave('per-try.oracle', 'overloaded'),
      },
    ],
  },
  {
    host: 'origin-route.oracle',
    side: 'outbound',
    ...plainRoute('origin-route.oracle', 'origin'),
    requests: [
      {
        it: 'a plain answer passes',
        send: behave('origin-route.oracle', 'ok'),
        fields: ['content-type', 'content-length', 'x-from', 'server'],
      },
      {
        it: 'a chunked answer passes',
        send: behave('origin-route.oracle', 'chunked'),
        fields: ['transfer-encoding', 'content-length'],
      },
      {
        it: 'an answer with trailers passes',
        send: behave('origin-route.oracle', 'chunked-trailers'),
        fields: ['transfer-encoding', 'trailer'],
      },
      {
        it: 'an answer that ends with the connection passes',
        send: behave('origin-route.oracle', 'until-close'),
        fields: ['transfer-encoding', 'connection'],
      },
      {
        it: 'an HTTP/1.0 answer passes',
        send: behave('origin-route.oracle', 'http-10'),
        fields: ['transfer-encoding', 'connection'],
      },
      {
        it: 'server, date and hop-by-hop headers of the origin',
        send: behave('origin-route.oracle', 'identity-headers'),
        fields: ['server', 'date', 'keep-alive', 'x-drop'],
      },
      { it: 'a status with no name of its own passes', send: behave('origin-route.oracle', 'status-unknown') },
      {
        it: 'an answer before the body was sent passes',
        send: request(
          'POST / HTTP/1.1',
          ['Host: origin-route.oracle', 'x-origin: ok-early', 'content-length: 10'],
          'abc',
        ),
      },
      {
        it: 'an upstream that closes before its head is 503 UC',
        send: request(
          'POST / HTTP/1.1',
          ['Host: origin-route.oracle', 'x-origin: close-before-headers', 'content-length: 3'],
          'abc',
        ),
      },
      {
        it: 'an upstream that resets before its head is 503 UC',
        send: request(
          'POST / HTTP/1.1',
          ['Host: origin-route.oracle', 'x-origin: reset-before-headers', 'content-length: 3'],
          'abc',
        ),
      },
      { it: 'an upstream that closes in its head is 502 UPE', send: behave('origin-route.oracle', 'close-mid-head') },
      {
        it: 'an upstream that closes in a counted body cuts the answer off',
        send: behave('origin-route.oracle', 'close-mid-body'),
        expect: 'end',
      },
      {
        it: 'an upstream that closes in a chunked body cuts the answer off',
        send: behave('origin-route.oracle', 'close-mid-chunked'),
        expect: 'end',
      },
      { it: 'an answer that is no HTTP is refused', send: behave('origin-route.oracle', 'garbage') },
      { it: 'an answer with length and chunking is refused', send: behave('origin-route.oracle', 'cl-and-te') },
      { it: 'an answer with two lengths is refused', send: behave('origin-route.oracle', 'two-lengths') },
      { it: 'an answer with a signed length is refused', send: behave('origin-route.oracle', 'bad-length') },
      {
        it: 'a bad chunk size cuts the answer off',
        send: behave('origin-route.oracle', 'bad-chunk'),
        differ: { status: 502, why: 'nothing of the answer has left yet, so the client can be told in HTTP' },
      },
      { it: 'a NUL in a value is refused', send: behave('origin-route.oracle', 'nul-in-value') },
      { it: 'a status of two digits is refused', send: behave('origin-route.oracle', 'bad-status') },
      { it: 'a head of 100 kB is refused', send: behave('origin-route.oracle', 'big-head') },
      { it: 'a head of 300 headers is refused', send: behave('origin-route.oracle', 'many-headers') },
      {
        it: 'bytes after the answer go to nobody',
        send: [
          behave('origin-route.oracle', 'bytes-after'),
          (r) => r.includes('ok'),
          behave('origin-route.oracle', 'ok'),
        ],
        expect: 2,
      },
      { it: '103 Early Hints', send: behave('origin-route.oracle', 'hints-103') },
      {
        it: '100 that nobody asked for',
        send: behave('origin-route.oracle', 'unasked-100'),
        differ: { status: 200, why: 'a 100 that the client did not ask for is not passed on (RFC 9110 section 15.2)' },
      },
      {
        it: '101 that nobody asked for',
        send: behave('origin-route.oracle', 'unasked-101'),
        differ: { status: 502, why: 'a tunnel that nobody asked for would hide what follows' },
      },
      {
        it: '100-continue is answered before the body is sent',
        send: [
          request('POST / HTTP/1.1', [
            'Host: origin-route.oracle',
            'x-origin: continue-100',
            'expect: 100-continue',
            'content-length: 3',
          ]),
          (r) => r.includes('100 Continue'),
          'abc',
        ],
        methods: ['POST'],
        differ: { status: 200, why: 'the 100 comes from the proxy, which is the one that reads the body' },
      },
      {
        it: 'an unknown expectation',
        send: behave('origin-route.oracle', 'ok', ['expect: the-moon']),
        differ: { status: 417, why: 'RFC 9110 section 10.1.1' },
      },
      {
        it: '204 passes',
        send: behave('origin-route.oracle', 'no-content'),
        fields: ['content-length', 'transfer-encoding'],
      },
      {
        it: '204 with a length',
        send: behave('origin-route.oracle', 'no-content-with-length'),
        fields: ['content-length', 'transfer-encoding'],
        differ: { status: 204, why: 'the body of a 204 is none, whatever its head says (RFC 9112 section 6.3)' },
      },
      {
        it: '204 with a body',
        send: [
          behave('origin-route.oracle', 'no-content-with-body'),
          (r) => r.includes('204'),
          behave('origin-route.oracle', 'ok'),
        ],
        expect: 2,
        fields: ['content-length'],
        differ: { status: 200, why: 'the body of a 204 is none; its connection is not used again' },
      },
      {
        it: '304 keeps its length',
        send: behave('origin-route.oracle', 'not-modified'),
        fields: ['content-length', 'etag'],
      },
      {
        it: 'HEAD keeps its length',
        send: request('HEAD / HTTP/1.1', ['Host: origin-route.oracle', 'x-origin: head-length']),
        methods: ['HEAD'],
        fields: ['content-length'],
      },
      {
        it: 'HEAD with a body',
        send: [
          request('HEAD / HTTP/1.1', ['Host: origin-route.oracle', 'x-origin: head-with-body']),
          (r) => r.includes('200'),
          behave('origin-route.oracle', 'ok'),
        ],
        methods: ['HEAD', 'GET'],
        expect: 2,
      },
      {
        it: 'a WebSocket upgrade opens a tunnel',
        send: [
          behave('origin-route.oracle', 'accept-upgrade', [
            'connection: Upgrade',
            'upgrade: websocket',
            'sec-websocket-version: 13',
            'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
          ]),
        ],
        fields: ['upgrade'],
      },
      {
        it: 'a WebSocket upgrade that the origin answers with 200',
        send: behave('origin-route.oracle', 'ok', ['connection: Upgrade', 'upgrade: websocket']),
        differ: { status: 200, why: 'an answer that is no 101 is an ordinary answer, body and all' },
      },
      {
        it: 'an upgrade that is not configured',
        send: behave('origin-route.oracle', 'ok', ['connection: Upgrade', 'upgrade: foo']),
      },
      {
        it: 'an upgrade to h2c',
        send: behave('origin-route.oracle', 'ok', [
          'connection: Upgrade, HTTP2-Settings',
          'upgrade: h2c',
          'http2-settings: AAMAAABkAAQAAP__',
        ]),
      },
    ],
  },
];
