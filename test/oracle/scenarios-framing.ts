/** Requests at the edge of the grammar and over it: what Envoy refuses we refuse; where we are stricter, the table says why. */
import { get, request, type Request, type Scenario } from './scenario.ts';

const HOST = 'framing.oracle';
const H = `Host: ${HOST}`;
const post = (fields: readonly string[], body: string): string => request('POST / HTTP/1.1', [H, ...fields], body);
const chunked = (body: string): string => post(['transfer-encoding: chunked'], body);
const one = (it: string, send: string, extra: Partial<Request> = {}): Request => ({ it, send, ...extra });

const LENGTH_AND_CHUNKING: readonly Request[] = [
  one('length and chunking together', post(['content-length: 5', 'transfer-encoding: chunked'], '0\r\n\r\n')),
  one('two different lengths', post(['content-length: 5', 'content-length: 6'], 'abcdef')),
  one('two equal lengths', post(['content-length: 5', 'content-length: 5'], 'abcde')),
  one('a list of equal lengths', post(['content-length: 5, 5'], 'abcde')),
  one('a signed length', post(['content-length: +5'], 'abcde')),
  one('a negative length', post(['content-length: -1'], '')),
  one('a hexadecimal length', post(['content-length: 0x5'], 'abcde')),
  one('a length that is empty', post(['content-length:'], '')),
  one('a length beyond 2^63', post(['content-length: 9999999999999999999999'], 'abcde')),
  one('chunked twice', post(['transfer-encoding: chunked, chunked'], '0\r\n\r\n'), {
    differ: { status: 400, why: 'chunks may be applied once, and last: 400 is asked for (RFC 9112 sections 6.1, 6.3)' },
  }),
  one('chunks under gzip', post(['transfer-encoding: chunked, gzip'], '0\r\n\r\n'), {
    differ: { status: 400, why: 'where chunks are not the last coding 400 is asked for (RFC 9112 section 6.3)' },
  }),
  one('an unknown coding', post(['transfer-encoding: xchunked'], '0\r\n\r\n')),
  one('identity', post(['transfer-encoding: identity'], '')),
  one('gzip before chunked', post(['transfer-encoding: gzip, chunked'], '0\r\n\r\n')),
  one('an empty coding before chunked', post(['transfer-encoding: ,chunked'], '0\r\n\r\n')),
  one(
    'two transfer-encoding headers',
    post(['transfer-encoding: chunked', 'transfer-encoding: chunked'], '0\r\n\r\n'),
    {
      differ: {
        status: 400,
        why: 'several codings are an attempt at smuggling (RFC 9112 section 6.1), not a missing feature',
      },
    },
  ),
  one('a coding after a vertical tab', post(['transfer-encoding: \x0bchunked'], '0\r\n\r\n')),
  one('chunking in HTTP/1.0', request('POST / HTTP/1.0', [H, 'transfer-encoding: chunked'], '0\r\n\r\n'), {
    differ: { status: 400, why: 'HTTP/1.0 knows no chunking (RFC 9112 section 6.1)' },
  }),
];

const CHUNKS: readonly Request[] = [
  one('a chunked body', chunked('3\r\nabc\r\n0\r\n\r\n')),
  one('a chunk size with 0x', chunked('0x3\r\nabc\r\n0\r\n\r\n')),
  one('a signed chunk size', chunked('+3\r\nabc\r\n0\r\n\r\n')),
  one('a chunk size of no digits', chunked('\r\nabc\r\n0\r\n\r\n')),
  one('a chunk size that is no number', chunked('zz\r\nabc\r\n0\r\n\r\n')),
  one('a chunk size beyond 2^64', chunked('fffffffffffffffff\r\nabc\r\n0\r\n\r\n')),
  one('a space before the chunk size', chunked(' 3\r\nabc\r\n0\r\n\r\n')),
  one('a space after the chunk size', chunked('3 \r\nabc\r\n0\r\n\r\n'), {
    differ: { status: 400, why: 'the grammar has no space there (RFC 9112 section 7.1)' },
  }),
  one('a chunk extension', chunked('3;a=b\r\nabc\r\n0\r\n\r\n')),
  one('a bare line feed after the chunk size', chunked('3\nabc\r\n0\r\n\r\n')),
  one('a bare line feed in a chunk extension', chunked('3;a\nabc\r\n0\r\n\r\n')),
  one('a chunk longer than its size', chunked('3\r\nabcd\r\n0\r\n\r\n'), {
    differ: {
      status: 400,
      why: 'what follows the data must be CRLF (RFC 9112 section 7.1); Envoy lets the rest spill over',
    },
  }),
  one('a bare line feed after the chunk', chunked('3\r\nabc\n0\r\n\r\n'), {
    differ: { status: 400, why: 'what follows the data must be CRLF (RFC 9112 section 7.1)' },
  }),
  one('trailers', chunked('3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n'), {
    differ: { status: 200, why: 'trailers are passed on (RFC 9110 section 6.5); Envoy drops them' },
  }),
];

const HEADS: readonly Request[] = [
  one('bare line feeds', `GET / HTTP/1.1\n${H}\n\n`, {
    differ: {
      status: 400,
      why: 'a line ends in CRLF; servers that disagree can be smuggled through (RFC 9112 section 2.2)',
    },
  }),
  one('a NUL in a value', get(HOST, ['x-a: a\0b'])),
  one('a carriage return in a value', get(HOST, ['x-a: a\rb']), {
    differ: { status: 400, why: 'a bare CR in a value is invalid (RFC 9112 section 2.2)' },
  }),
  one('a control character in a value', get(HOST, ['x-a: a\x01b'])),
  one('a byte above 127 in a value', get(HOST, ['x-a: caf\xe9'])),
  one('a folded value', get(HOST, ['x-a: a', ' b']), {
    differ: { status: 400, why: 'obs-fold is to be rejected or unfolded; rejected here (RFC 9112 section 5.2)' },
  }),
  one('a space before the colon', get(HOST, ['x-a : a'])),
  one('a line with no colon', get(HOST, ['x-a'])),
  one('an empty name', get(HOST, [': a'])),
  one('a space before the first header', `GET / HTTP/1.1\r\n ${H}\r\n\r\n`),
  one('a name of a byte above 127', get(HOST, ['x-\xe9: a'])),
  one('a name with an underscore', get(HOST, ['x_a: a'])),
  one('no version', `GET /\r\n${H}\r\n\r\n`, { differ: { status: 400, why: 'HTTP/0.9 is not served' } }),
  one('HTTP/0.9', request('GET / HTTP/0.9', [H]), {
    differ: { status: 505, why: 'the status for a version that is not served (RFC 9110 section 15.6.6)' },
  }),
  one('HTTP/1.0', request('GET / HTTP/1.0', [H]), {
    differ: { status: 200, why: 'HTTP/1.0 clients with a Host are served; Envoy sends them away with 426' },
  }),
  one('HTTP/1.0 without Host', request('GET / HTTP/1.0', []), {
    differ: { status: 400, why: 'without a Host there is no route' },
  }),
  one('HTTP/1.2', request('GET / HTTP/1.2', [H]), {
    differ: { status: 505, why: 'the status for a version that is not served (RFC 9110 section 15.6.6)' },
  }),
  one('HTTP/2.0', request('GET / HTTP/2.0', [H]), {
    differ: { status: 505, why: 'the status for a version that is not served (RFC 9110 section 15.6.6)' },
  }),
  one('the preface of HTTP/2 with nothing after it', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', {
    expect: 'end',
    differ: { status: 505, why: 'clients do not speak HTTP/2 with this listener' },
  }),
  one('a protocol in odd case', request('GET / hTTP/1.1', [H])),
  one('two spaces in the request line', request('GET  / HTTP/1.1', [H]), {
    differ: { status: 400, why: 'the grammar has one space there (RFC 9112 section 3)' },
  }),
  one('a tab in the request line', request('GET\t/ HTTP/1.1', [H]), {
    differ: { status: 400, why: 'the grammar has a space there (RFC 9112 section 3)' },
  }),
  one('a method in small letters', request('get / HTTP/1.1', [H])),
  one('a method nobody knows', request('BREW / HTTP/1.1', [H]), {
    differ: { status: 200, why: 'extension methods are the origin’s business (RFC 9110 section 16.1)' },
  }),
  one('an empty line before the request', `\r\n${get(HOST)}`),
  one('not HTTP', 'hello there\r\n\r\n'),
  one('a TLS hello to a plain port', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03', { expect: 'end' }),
  one('a target of 64 kB', get(HOST, [], `/${'a'.repeat(65_536)}`), {
    differ: { status: 414, why: 'the status for a target that is too long (RFC 9110 section 15.5.15); Envoy says 431' },
  }),
  one('a method of 100 kB', request(`${'A'.repeat(100_000)} / HTTP/1.1`, [H]), {
    differ: { status: 400, why: 'the fields are not what is too large; Envoy says 431' },
  }),
  one('a target of 8000 bytes', get(HOST, [], `/${'a'.repeat(7999)}`)),
  one('a header of 64 kB', get(HOST, [`x-a: ${'a'.repeat(65_536)}`])),
  one('a header of 50 kB', get(HOST, [`x-a: ${'a'.repeat(50_000)}`])),
  one(
    '101 headers',
    get(
      HOST,
      Array.from({ length: 101 }, (_, i) => `x-${i}: a`),
    ),
  ),
];

const TARGETS: readonly Request[] = [
  one('a fragment in the target', get(HOST, [], '/a#b'), {
    differ: {
      status: 400,
      why: 'a fragment is no part of a target (RFC 9112 section 3.2): refused when read, not when normalized',
    },
  }),
  one('a raw space in the target', request('GET /a b HTTP/1.1', [H])),
  one('a byte above 127 in the target', get(HOST, [], '/caf\xe9')),
  one('a NUL in the target', get(HOST, [], '/a\0b')),
  one('a quote in the target', get(HOST, [], '/"<>'), {
    differ: { status: 400, why: 'those characters are no part of a target (RFC 3986); Envoy escapes them on the way' },
  }),
  one('%00 in the target', get(HOST, [], '/a%00b')),
  one('a bad escape in the target', get(HOST, [], '/a%zz')),
  one('the absolute form', request(`GET http://${HOST}/abs HTTP/1.1`, [H])),
  one('the absolute form with another Host', request(`GET http://${HOST}/abs HTTP/1.1`, ['Host: other.oracle']), {
    differ: { status: 400, why: 'one request may not name two hosts to two readers' },
  }),
  one('the absolute form with userinfo', request(`GET http://u:p@${HOST}/abs HTTP/1.1`, [H]), {
    differ: {
      status: 400,
      why: 'userinfo in an http target is deprecated (RFC 9110 section 4.2.4) and hides the host from readers',
    },
  }),
  one('the asterisk with GET', request('GET * HTTP/1.1', [H])),
  one('the asterisk with OPTIONS', request('OPTIONS * HTTP/1.1', [H]), {
    differ: { status: 200, why: 'OPTIONS * is a request to the origin as a whole (RFC 9110 section 9.3.7)' },
  }),
  one('a target without a slash', request('GET foo HTTP/1.1', [H])),
  one('TRACE', request('TRACE / HTTP/1.1', [H]), {
    differ: { status: 405, why: 'it would echo credentials that proxies have added (RFC 9110 section 9.3.8)' },
  }),
  one('CONNECT without a route for it', request(`CONNECT ${HOST}:443 HTTP/1.1`, [`Host: ${HOST}:443`]), {
    methods: ['CONNECT'],
    differ: { status: 502, why: 'a tunnel to a host nobody declared is blocked like any request to it' },
  }),
];

const HOSTS: readonly Request[] = [
  one('no Host', request('GET / HTTP/1.1', [])),
  one('an empty Host', request('GET / HTTP/1.1', ['Host:']), {
    differ: { status: 400, why: 'more than one reading of the host, or none, is refused (RFC 9112 section 3.2)' },
  }),
  one('two Hosts', request('GET / HTTP/1.1', [H, 'Host: other.oracle']), {
    differ: { status: 400, why: 'RFC 9112 section 3.2' },
  }),
  one('the same Host twice', request('GET / HTTP/1.1', [H, H]), {
    differ: { status: 400, why: 'RFC 9112 section 3.2' },
  }),
  one('a Host with userinfo', request('GET / HTTP/1.1', [`Host: u@${HOST}`]), {
    differ: { status: 400, why: 'a Host is uri-host and port, nothing else (RFC 9110 section 7.2)' },
  }),
  one('a Host with a path', request('GET / HTTP/1.1', [`Host: ${HOST}/a`])),
  one('a Host with a bad port', request('GET / HTTP/1.1', [`Host: ${HOST}:x`]), {
    differ: { status: 400, why: 'a port is digits (RFC 9110 section 7.2)' },
  }),
  one('a Host with a port', request('GET / HTTP/1.1', [`Host: ${HOST}:80`])),
  one('a Host in capitals', request('GET / HTTP/1.1', [`Host: ${HOST.toUpperCase()}`])),
  one('a Host with a dot at its end', request('GET / HTTP/1.1', [`Host: ${HOST}.`]), {
    differ: { status: 200, why: 'the dot of a fully qualified name changes nothing' },
  }),
  one('a Host nobody serves', request('GET / HTTP/1.1', ['Host: nobody.example'])),
];

const CONNECTIONS: readonly Request[] = [
  {
    it: 'three pipelined requests are answered in order',
    send: get(HOST, [], '/1') + get(HOST, ['x-origin: chunked'], '/2') + get(HOST, [], '/3'),
    expect: 3,
  },
  {
    it: 'a bad request after a good one: the good one is answered first',
    send: get(HOST, [], '/1') + 'nonsense\r\n\r\n',
    expect: 2,
  },
  one('Connection: close closes', get(HOST, ['connection: close']), { fields: ['connection'] }),
  one('a nominated X-Forwarded-For', get(HOST, ['connection: close, x-forwarded-for', 'x-forwarded-for: 1.2.3.4']), {
    differ: { status: 200, why: 'a client cannot make a proxy forget who it is', forwards: 'x-forwarded-for: 1.2.3.4' },
  }),
  one('Connection naming Host', get(HOST, ['connection: host']), {
    differ: { status: 200, why: 'Host is not hop-by-hop, whatever a client says', forwards: 'host: framing.oracle' },
  }),
  one(
    'Keep-Alive, Proxy-Connection, TE and Trailer',
    get(HOST, [
      'keep-alive: timeout=5',
      'proxy-connection: keep-alive',
      'te: gzip',
      'trailer: x',
      'proxy-authorization: Basic eA==',
    ]),
    {
      differ: {
        status: 200,
        why: 'credentials for a proxy end at it; no trailers follow',
        forwards: 'host: framing.oracle',
      },
    },
  ),
  one('an HTTP/1.1 request with a body nobody waits for', request('GET / HTTP/1.1', [H, 'content-length: 3'], 'abc')),
  one('an upgrade with a body', post(['connection: upgrade', 'upgrade: websocket', 'content-length: 3'], 'abc'), {
    differ: { status: 400, why: 'an upgrade with a body is a way to desynchronize a connection' },
  }),
];

export const FRAMING: readonly Scenario[] = [
  {
    host: HOST,
    side: 'outbound',
    istio: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: framing }
spec:
  hosts: [${HOST}]
  http: [{ route: [{ destination: { host: origin.oracle } }], retries: { attempts: 0 } }]
`,
    envoy: 'routes: [{ match: { prefix: / }, route: { cluster: origin, timeout: 0s } }]',
    requests: [...LENGTH_AND_CHUNKING, ...CHUNKS, ...HEADS, ...TARGETS, ...HOSTS, ...CONNECTIONS],
  },
];
