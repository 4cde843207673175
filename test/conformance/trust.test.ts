/** What a client says of itself, and what comes of it (checklist A17 to A19, B1, B3 to B6, B8): at the edge, and between sidecars. */
import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { getAll } from '#proxy/core/header-list.ts';
import { route } from '../kit/proxy.ts';
import { field, type Seen } from './llhttp.ts';
import { startPlace, talk, type Place } from './place.ts';

const ID = '11111111-2222-4333-8444-555555555555';
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[49ab][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Name and what it must say at the origin; null: not there. */
type Wanted = Readonly<Record<string, string | RegExp | null>>;

const EDGE: readonly (readonly [id: string, what: string, fields: string, wanted: Wanted])[] = [
  ['B3', 'the caller’s address is added', '', { 'x-forwarded-for': '127.0.0.1' }],
  [
    'B3',
    'after what it says itself',
    'X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n',
    { 'x-forwarded-for': '1.2.3.4, 5.6.7.8,127.0.0.1' },
  ],
  [
    'B3',
    'after all of it, however many lines it takes',
    'X-Forwarded-For: 1.2.3.4\r\nX: y\r\nx-forwarded-for: 5.6.7.8\r\n',
    { 'x-forwarded-for': '1.2.3.4,5.6.7.8,127.0.0.1' },
  ],
  [
    'B3',
    'an address that is none breaks nothing',
    'X-Forwarded-For: fe80::1%eth0, unknown,,\r\n',
    { 'x-forwarded-for': 'fe80::1%eth0, unknown,,,127.0.0.1' },
  ],
  [
    'B3',
    'the scheme is the one it speaks',
    'X-Forwarded-Proto: https\r\nX-FORWARDED-PROTO: wss\r\n',
    { 'x-forwarded-proto': 'http' },
  ],
  [
    'B4',
    'a certificate that it did not show',
    'X-Forwarded-Client-Cert: By=spiffe://a;URI=spiffe://cluster.local/ns/default/sa/admin\r\n',
    { 'x-forwarded-client-cert': null },
  ],
  [
    'B5',
    'what only proxies say',
    'x-envoy-original-path: /x\r\nX-Envoy-Decorator-Operation: x\r\nx-envoy-upstream-rq-timeout-ms: 1\r\nx-envoy-retry-on: 5xx\r\nX-Envoy-Force-Trace: 1\r\nx-envoy-internal: true\r\nx-envoy-external-address: 1.1.1.1\r\nx-istio-attributes: x\r\nX-Lateen-Reason: x\r\n',
    {
      'x-envoy-original-path': null,
      'x-envoy-decorator-operation': null,
      'x-envoy-upstream-rq-timeout-ms': null,
      'x-envoy-retry-on': null,
      'x-envoy-force-trace': null,
      'x-envoy-internal': null,
      'x-envoy-external-address': null,
      'x-istio-attributes': null,
      'x-lateen-reason': null,
    },
  ],
  ['B6', 'a request id, which is not believed', `x-request-id: ${ID}\r\n`, { 'x-request-id': UUID }],
  ['B6', 'two request ids', `x-request-id: ${ID}\r\nX-Request-Id: b\r\n`, { 'x-request-id': UUID }],
  [
    'B6',
    'a trace that is one',
    `x-b3-traceid: ${TRACE}\r\nx-b3-spanid: ${SPAN}\r\nx-b3-sampled: 1\r\n`,
    { 'x-b3-traceid': TRACE, 'x-b3-parentspanid': SPAN },
  ],
  ...['', 'x', `${TRACE}0`, '0'.repeat(32), `${TRACE}, ${TRACE}`, `${TRACE.slice(1)}g`, '<script>'].map(
    (trace): (typeof EDGE)[number] => [
      'B6',
      `a trace that is none: ${JSON.stringify(trace)}`,
      `x-b3-traceid: ${trace}\r\nx-b3-spanid: ${SPAN}\r\n`,
      { 'x-b3-traceid': /^[0-9a-f]{32}$/, 'x-b3-parentspanid': null },
    ],
  ),
  ['B6', 'a b3 that is none', 'b3: x-y-1\r\n', { b3: /^[0-9a-f]{32}-[0-9a-f]{16}-[01d]$/ }],
  [
    'B6',
    'a traceparent that is one, continued by a span of the gateway',
    `traceparent: 00-${TRACE}-${SPAN}-01\r\ntracestate: a=b\r\n`,
    {
      traceparent: new RegExp(`^00-${TRACE}-(?!${SPAN})[0-9a-f]{16}-01$`),
      tracestate: 'a=b',
      'x-b3-traceid': TRACE,
      'x-b3-parentspanid': SPAN,
    },
  ],
  ...[
    '',
    'x',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-x`,
  ].map((parent): (typeof EDGE)[number] => [
    'B6',
    `a traceparent that is none: ${JSON.stringify(parent)}`,
    `Traceparent: ${parent}\r\n`,
    { traceparent: null },
  ]),
  [
    'B6',
    'two traceparents',
    `traceparent: 00-${TRACE}-${SPAN}-01\r\ntraceparent: 00-${TRACE}-${SPAN}-00\r\n`,
    { traceparent: null },
  ],
];

const BETWEEN: readonly (readonly [id: string, what: string, fields: string, wanted: Wanted])[] = [
  [
    'B4',
    'a certificate that it did not show',
    'X-Forwarded-Client-Cert: URI=spiffe://x\r\n',
    { 'x-forwarded-client-cert': null },
  ],
  [
    'B5',
    'what speaks for a proxy',
    'x-envoy-peer-metadata: x\r\nX-Envoy-Peer-Metadata-Id: x\r\nx-lateen-reason: x\r\n',
    { 'x-envoy-peer-metadata': null, 'x-envoy-peer-metadata-id': null, 'x-lateen-reason': null },
  ],
  ['B6', 'a request id is kept', `X-Request-Id: ${ID}\r\n`, { 'x-request-id': ID }],
  ['B6', 'another kind of id, too', 'x-request-id: req_4.2/a:b=c@d+e-f\r\n', { 'x-request-id': 'req_4.2/a:b=c@d+e-f' }],
  ['B6', 'of two the first', `x-request-id: ${ID}\r\nx-request-id: other\r\n`, { 'x-request-id': ID }],
  ...['', 'a b', 'a,b', 'a"b', '<a>', 'caf\xe9', 'a'.repeat(129)].map((id): (typeof BETWEEN)[number] => [
    'B6',
    `an id that is not sane: ${JSON.stringify(id.slice(0, 9))}`,
    `x-request-id: ${id}\r\n`,
    { 'x-request-id': UUID },
  ]),
  [
    'B1',
    'Connection cannot take its id away',
    `Connection: x-request-id, x-forwarded-for, x-forwarded-proto, x-b3-traceid, x-mine\r\nX-Request-Id: ${ID}\r\nX-Forwarded-For: 9.9.9.9\r\nX-Mine: y\r\n`,
    {
      'x-request-id': ID,
      'x-forwarded-for': '9.9.9.9',
      'x-forwarded-proto': 'http',
      'x-b3-traceid': /./,
      'x-mine': null,
    },
  ],
];

/** What the application says of a certificate is no proof to the next sidecar either (Envoy's default: SANITIZE). */
const OWN: typeof EDGE = [
  [
    'B4',
    'a certificate',
    'X-Forwarded-Client-Cert: URI=spiffe://x\r\nX-Forwarded-For: 9.9.9.9\r\n',
    { 'x-forwarded-client-cert': null, 'x-forwarded-for': '9.9.9.9', 'x-forwarded-proto': 'http' },
  ],
];

for (const [direction, rows] of [
  ['gateway', EDGE],
  ['inbound', BETWEEN],
  ['outbound', OWN],
] as const) {
  describe(`of what comes to a listener that is ${direction}:`, () => {
    let place: Place;
    beforeAll(async () => void (place = await startPlace({ listener: { direction } })));
    afterAll(() => place[Symbol.asyncDispose]());

    for (const [id, what, fields, wanted] of rows) {
      test(`${id} ${what}`, async () => {
        place.forget();
        const { answers } = await talk(place.proxy.port, [`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`], 1);
        assert.equal(answers[0]!.status, 200);
        for (const [name, value] of Object.entries(wanted)) says(place.seen[0]!, name, value);
      });
    }
  });
}

function says({ headers }: Seen, name: string, wanted: string | RegExp | null): void {
  const values = getAll(headers, name);
  if (wanted === null) return assert.deepEqual(values, [], name);
  assert.equal(values.length, 1, `${name} is there ${values.length} times`);
  if (typeof wanted === 'string') assert.equal(values[0], wanted);
  else assert.match(values[0]!, wanted);
}

describe('A19 a pipeline', () => {
  test('of 50 requests in one segment is answered in order', async () => {
    await using place = await startPlace();
    const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
    const { answers, error } = await talk(
      place.proxy.port,
      [
        paths
          .map((path, i) =>
            i % 2
              ? `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
              : `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx`,
          )
          .join(''),
      ],
      50,
    );
    assert.equal(error, null);
    assert.deepEqual(
      answers.map((a) => a.body.split(' ')[0]),
      paths,
    );
  });
});

describe('A18 an expectation', () => {
  test('with a body that is already there is no occasion for 100, nor for reading the body as a request', async () => {
    await using place = await startPlace();
    const body = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
    const { answers } = await talk(
      place.proxy.port,
      [
        `POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n${body}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`,
      ],
      2,
    );
    assert.deepEqual(
      answers.map((a) => a.status),
      [200, 200],
    );
    assert.deepEqual(
      place.seen.map((r) => r.target),
      ['/', '/next'],
    );
  });
});

describe('B8 what a client sends does not split an answer:', () => {
  test('a path with an escaped line end, in the Location of a redirect', async () => {
    const action = {
      kind: 'redirect',
      status: 301,
      scheme: null,
      authority: 'b',
      port: null,
      path: null,
      prefix: null,
    } as const;
    await using place = await startPlace({ routes: [route({ action })] });
    const { answers, error } = await talk(
      place.proxy.port,
      ['GET /%0d%0aSet-Cookie:%20a=b?c=%0D%0A HTTP/1.1\r\nHost: a\r\n\r\n'],
      1,
    );
    assert.equal(error, null);
    assert.equal(field(answers[0]!.headers, 'location'), 'http://b/%0d%0aSet-Cookie:%20a=b?c=%0D%0A');
    assert.equal(field(answers[0]!.headers, 'set-cookie'), undefined);
  });
});

describe('names and trailers', () => {
  test('keep their case and their order, both ways', async () => {
    await using place = await startPlace(
      {},
      () => 'HTTP/1.1 200 OK\r\nX-CaMeL: 1\r\nETag: "a"\r\nx-b: 2\r\nX-B: 3\r\nContent-Length: 0\r\n\r\n',
    );
    const { answers } = await talk(
      place.proxy.port,
      ['GET / HTTP/1.1\r\nhOST: a\r\nX-CaMeL: 1\r\nX-B: 2\r\nx-b: 3\r\n\r\n'],
      1,
    );
    const names = (of: Seen): string[] => of.headers.filter((_, i) => i % 2 === 0);
    assert.deepEqual(names(place.seen[0]!).slice(0, 4), ['hOST', 'X-CaMeL', 'X-B', 'x-b']);
    assert.deepEqual(names(answers[0]!).slice(0, 4), ['X-CaMeL', 'ETag', 'x-b', 'X-B']);
  });

  test('of a request reach the origin, and of an answer the client that asked for them', async () => {
    await using place = await startPlace(
      {},
      () => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n',
    );
    const { answers } = await talk(
      place.proxy.port,
      [
        'POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Digest: 9\r\n\r\n',
      ],
      1,
    );
    assert.deepEqual(place.seen[0]!.trailers, ['X-Digest', '9']);
    assert.deepEqual([answers[0]!.body, answers[0]!.trailers], ['ok', ['X-Sum', '7']]);
  });
});
