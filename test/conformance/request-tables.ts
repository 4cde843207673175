/** Requests that are refused and requests that are served, each with its rule (RFC 9112, 9110): the tables of requests.test.ts, and seeds of the long fuzzing. */

export const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
export const CANARY = 'GET /canary HTTP/1.1\r\nHost: a\r\n\r\n';

const post = (fields: string, body = ''): string => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;
const get = (fields: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);
const line = (first: string, host = 'a'): string => `${first}\r\nHost: ${host}\r\n\r\n`;

export const REFUSED: readonly (readonly [id: string, what: string, bytes: string, status: number])[] = [
  ['A1', 'length and chunks', post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
  ['A1', 'chunks and length', post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', '0\r\n\r\n'), 400],
  ['A1', 'an unknown coding and length', post('Transfer-Encoding: x\r\nContent-Length: 4\r\n', 'abcd'), 400],
  ['A2', 'two lengths', post('Content-Length: 5\r\nContent-Length: 6\r\n', 'abcdef'), 400],
  ['A2', 'the same length twice', post('Content-Length: 5\r\ncontent-length: 5\r\n', 'abcde'), 400],
  ['A2', 'a list of equal lengths', post('Content-Length: 5, 5\r\n', 'abcde'), 400],
  ['A2', 'a list of lengths', post('Content-Length: 5,6\r\n', 'abcdef'), 400],
  ...['+5', '-1', '0x5', '5 5', '1_0', '', '00000000000000000005', '010', '9223372036854775808', '5;', '5.0', '٥'].map(
    (value) => ['A3', `a length of ${value}`, post(`Content-Length: ${value}\r\n`, 'abcde'), 400] as const,
  ),
  ...['chunked, chunked', 'chunked,', 'chunked, gzip', 'Chunked , identity', 'gzip, chunked, x'].map(
    (value) =>
      [
        'A4',
        `chunks that are not the last coding: ${value}`,
        post(`Transfer-Encoding: ${value}\r\n`, '0\r\n\r\n'),
        400,
      ] as const,
  ),
  ...['xchunked', 'identity', ',chunked', '', 'gzip, chunked', '"chunked"', 'chunked;a=b'].map(
    (value) => ['A4', `a coding of ${value}`, post(`Transfer-Encoding: ${value}\r\n`, '0\r\n\r\n'), 501] as const,
  ),
  ['A4', 'a coding after a vertical tab', post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n'), 400],
  ['A4', 'a coding after a form feed', post('Transfer-Encoding: \x0cchunked\r\n', '0\r\n\r\n'), 400],
  ['A4', 'a coding with a tab behind it', post('Transfer-Encoding: chunked\t\r\n', '0\r\n\r\n'), 400],
  ['A3', 'a length with a tab behind it', post('Content-Length: 5\t\r\n', 'abcde'), 400],
  ['A4', 'a coding after a NUL', post('Transfer-Encoding: \0chunked\r\n', '0\r\n\r\n'), 400],
  ['A4', 'a coding on a folded line', post('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n'), 400],
  ['A4', 'two lines of coding', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
  ['A5', 'chunks in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
  ...['0x5', '+5', '-5', '5_0', ' 5', '5 ', '5\t', '12345678901234567', 'FFFFFFFFFFFFFFFF', '', 'g', '0_2e'].map(
    (size) => ['A6', `a chunk size of ${JSON.stringify(size)}`, chunked(`${size}\r\nabcde\r\n0\r\n\r\n`), 400] as const,
  ),
  ...[';a=\x01', ';a\rb', ';', ';;a', ';a=', ';a b', ';a="b', ';a=b ', ' ;a', ';\xff=b'].map(
    (ext) =>
      ['A7', `the chunk extension ${JSON.stringify(ext)}`, chunked(`5${ext}\r\nabcde\r\n0\r\n\r\n`), 400] as const,
  ),
  ['A7', 'chunk extensions of 64 kB', chunked(`5;a=${'b'.repeat(65_536)}\r\nabcde\r\n0\r\n\r\n`), 400],
  ['A8', 'line feeds alone in the head', 'GET / HTTP/1.1\nHost: a\n\n', 400],
  ['A8', 'a line feed alone after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 400],
  ['A8', 'a line feed alone after a field', 'GET / HTTP/1.1\r\nHost: a\n\r\n', 400],
  ['A8', 'a line feed alone at the end of the head', 'GET / HTTP/1.1\r\nHost: a\r\n\n', 400],
  ['A8', 'a line feed alone after a chunk size', chunked('5\nabcde\r\n0\r\n\r\n'), 400],
  ['A8', 'a line feed alone after chunk data', chunked('5\r\nabcde\n0\r\n\r\n'), 400],
  ['A8', 'a line feed alone after the last chunk', chunked('5\r\nabcde\r\n0\n\r\n'), 400],
  ['A8', 'a line feed alone at the end of the trailers', chunked('0\r\nX: y\n\r\n'), 400],
  ['A9', 'chunk data longer than its size', chunked('3\r\nabcde\r\n0\r\n\r\n'), 400],
  ['A9', 'chunk data without its line end', chunked('3\r\nabc0\r\n\r\n'), 400],
  ['A9', 'a carriage return alone after chunk data', chunked('3\r\nabc\rX0\r\n\r\n'), 400],
  ['A10', 'a trailer without a name', chunked('0\r\n: x\r\n\r\n'), 400],
  ['A10', 'a folded trailer', chunked('0\r\nX: y\r\n z\r\n\r\n'), 400],
  ['A11', 'a NUL in a value', get('X: a\0b\r\n'), 400],
  ['A11', 'a carriage return in a value', get('X: a\rb\r\n'), 400],
  ['A11', 'an escape in a value', get('X: a\x1bb\r\n'), 400],
  ['A11', 'a DEL in a value', get('X: a\x7fb\r\n'), 400],
  ['A11', 'a NUL in a name', get('X\0: a\r\n'), 400],
  ['A11', 'a folded line', get('X: a\r\n b\r\n'), 400],
  ['A11', 'a space before the colon', get('X : a\r\n'), 400],
  ['A11', 'a line without a colon', get('X\r\n'), 400],
  ['A11', 'an empty name', get(': a\r\n'), 400],
  ['A11', 'a space before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400],
  ['A11', 'a tab before the first field', 'GET / HTTP/1.1\r\n\tContent-Length: 1\r\nHost: a\r\n\r\nX', 400],
  ['A11', 'a name beyond ASCII', get('\xefoo: a\r\n'), 400],
  ['A11', 'a name with a bracket', get('X[0]: a\r\n'), 400],
  ...[
    'GET\t/ HTTP/1.1',
    'GET  / HTTP/1.1',
    'GET /  HTTP/1.1',
    'GET / HTTP/1.1 ',
    ' GET / HTTP/1.1',
    'GET /',
    'GET / hTTP/1.1',
    'GET / HTTP/1.1\0',
    'GET / HTTP/1',
    'GET / HTTP/11',
    'GET / HTTP/1.1.1',
    'GET / ICE/1.1',
    'GET / HTTP/+1.1',
    '{}GET / HTTP/1.1',
    'G(T / HTTP/1.1',
    'get / HTTP/1.1',
    'GET HTTP/1.1',
    ...['é', '\0', '"', '<', '>', '\\', '^', '`', '{', '|', '}', ' a', '\x7f', '\t'].map((c) => `GET /${c} HTTP/1.1`),
  ].map((first) => ['A12', `the request line ${JSON.stringify(first)}`, line(first), 400] as const),
  ...['HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/3.1', 'HTTP/1.9'].map(
    (version) => ['A12', `the version ${version}`, line(`GET / ${version}`), 505] as const,
  ),
  ['A13', 'a fragment in the target', line('GET /a#b HTTP/1.1'), 400],
  ['A13', 'a fragment in an absolute target', line('GET http://a/#b HTTP/1.1'), 400],
  ['A14', 'a target for another host', line('GET http://evil/ HTTP/1.1'), 400],
  ['A14', 'a target for another port', line('GET http://a:81/ HTTP/1.1'), 400],
  ['A14', 'userinfo in the target', line('GET http://u@a/ HTTP/1.1'), 400],
  ['A14', 'a target of another scheme', line('GET gopher://a/ HTTP/1.1'), 400],
  ['A14', 'a target without a host', line('GET http:///x HTTP/1.1'), 400],
  ['A15', 'no Host', 'GET / HTTP/1.1\r\nX: y\r\n\r\n', 400],
  ['A15', 'two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
  ['A15', 'one Host twice', 'GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n', 400],
  ...[
    'a,b',
    'a, a',
    '',
    'u@a',
    'u:p@a',
    'a/b',
    'a?b',
    'a#b',
    'a:0',
    'a:65536',
    'a:x',
    'a:-1',
    'a:080',
    'a b',
    '[::1',
    '::1',
    'a..b',
    'a:',
    'a%41',
    'a\\b',
    '[::1]a',
    'a'.repeat(256),
  ].map((host) => ['A15', `the Host ${JSON.stringify(host.slice(0, 20))}`, line('GET / HTTP/1.1', host), 400] as const),
  ['A16', 'an asterisk for GET', line('GET * HTTP/1.1'), 400],
  ['A16', 'TRACE', line('TRACE / HTTP/1.1'), 405],
  ['A16', 'CONNECT where it is not served', line('CONNECT a:80 HTTP/1.1', 'a:80'), 405],
  [
    'A16',
    'CONNECT with a length',
    `CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n`,
    400,
  ],
  ['A16', 'CONNECT with chunks', 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  ['A18', 'an unknown expectation', post('Expect: the-moon\r\nContent-Length: 0\r\n'), 417],
  ['A18', 'two expectations', post('Expect: 100-continue\r\nExpect: the-moon\r\nContent-Length: 0\r\n'), 417],
  ['A18', 'a list of expectations', post('Expect: 100-continue, x\r\nContent-Length: 0\r\n'), 417],
  ['A20', 'a target of 20 kB', line(`GET /${'a'.repeat(20_000)} HTTP/1.1`), 414],
  ['A20', 'a target of 64 kB', line(`GET /${'a'.repeat(65_536)} HTTP/1.1`), 414],
  ['A20', 'a target that does not end', `GET /${'a'.repeat(100_000)}`, 414],
  ['A20', 'a method of 33 letters', line(`${'A'.repeat(33)} / HTTP/1.1`), 400],
  ['A20', 'a method of 100 kB', line(`${'A'.repeat(100_000)} / HTTP/1.1`), 400],
  ['A20', 'a name of 100 kB', get(`${'A'.repeat(100_000)}: a\r\n`), 431],
  ['A20', 'a head of 64 kB', get(`X: ${'a'.repeat(65_536)}\r\n`), 431],
  ['A20', '101 fields', get('X: y\r\n'.repeat(100)), 431],
  ['A20', '60 trailers', chunked(`0\r\n${'X: y\r\n'.repeat(60)}\r\n`), 400],
  [
    'F2',
    'an upgrade with a length',
    post('Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n', 'abc'),
    400,
  ],
  [
    'F2',
    'an upgrade with chunks',
    post('Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    400,
  ],
];

export type Wanted = {
  readonly method?: string;
  readonly target?: string;
  readonly body?: string;
  readonly has?: Readonly<Record<string, string>>;
  readonly lacks?: readonly string[];
  readonly trailers?: readonly string[];
};

export const ACCEPTED: readonly (readonly [id: string, what: string, bytes: string, wanted: Wanted])[] = [
  ['A3', 'a length of 0', post('Content-Length: 0\r\n'), { body: '' }],
  ['A4', 'chunks in capitals', post('Transfer-Encoding: Chunked\r\n', '3\r\nabc\r\n0\r\n\r\n'), { body: 'abc' }],
  [
    'A6',
    'chunk sizes with leading zeros and in both cases',
    chunked('0A\r\n0123456789\r\n000a\r\n0123456789\r\n0\r\n\r\n'),
    { body: '01234567890123456789' },
  ],
  [
    'A7',
    'good chunk extensions, which end here',
    chunked('3;a;b=c;d="e;\\"f"\r\nabc\r\n0;last\r\n\r\n'),
    { body: 'abc' },
  ],
  [
    'A10',
    'trailers: harmless ones pass, what could pass for a header does not',
    chunked(
      '0\r\nX-Sum: 1\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nHost: evil\r\nAuthorization: x\r\nCookie: x\r\nContent-Type: x\r\nX-Envoy-Peer-Metadata: x\r\nX-Lateen-Reason: x\r\ntransfer_encoding: x\r\nTraceparent: x\r\nEnd-User: x\r\n\r\n',
    ),
    { body: '', trailers: ['X-Sum', '1'], lacks: ['authorization', 'cookie', 'x-sum'] },
  ],
  ['A11', 'bytes above 127 in a value, unchanged', get('X: \x85admin\xa0\r\n'), { has: { x: '\x85admin\xa0' } }],
  ['A11', 'an empty value', get('X:\r\n'), { has: { x: '' } }],
  ['A11', 'white space around a value, gone', get('X: \t a b \t\r\n'), { has: { x: 'a b' } }],
  ['A12', 'one empty line before the request line', `\r\n${get('')}`, {}],
  [
    'A12',
    'a target of every allowed character',
    line("GET /-._~!$&'()*+,;=:@%20?a=[b]/? HTTP/1.1"),
    { target: "/-._~!$&'()*+,;=:@%20?a=[b]/?" },
  ],
  [
    'A14',
    'the absolute form becomes the origin form',
    line('GET http://a/b?c HTTP/1.1'),
    { target: '/b?c', has: { host: 'a' } },
  ],
  [
    'A14',
    'the absolute form does not choose the scheme that others believe',
    line('GET https://a/b HTTP/1.1'),
    { has: { 'x-forwarded-proto': 'http' } },
  ],
  ['A15', 'an IPv6 Host', line('GET / HTTP/1.1', '[::1]:80'), { has: { host: '[::1]:80' } }],
  ['A16', 'OPTIONS *', line('OPTIONS * HTTP/1.1'), { method: 'OPTIONS', target: '*' }],
  [
    'A17',
    'names with underscores that pass for framing or identity with some servers are dropped',
    post(
      'Content_Length: 9\r\nTransfer_Encoding: chunked\r\nX_Forwarded_For: 1.2.3.4\r\nX_Envoy_Peer_Metadata: x\r\nx-forwarded_proto: x\r\nX_Request_Id: x\r\nSession_Id: kept\r\nContent-Length: 0\r\n',
    ),
    {
      lacks: [
        'content_length',
        'transfer_encoding',
        'x_forwarded_for',
        'x_envoy_peer_metadata',
        'x-forwarded_proto',
        'x_request_id',
      ],
      has: { session_id: 'kept' },
    },
  ],
  [
    'A21',
    'GET with a body',
    'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
    { method: 'GET', body: 'abc' },
  ],
  [
    'A21',
    'DELETE with chunks',
    'DELETE / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    { method: 'DELETE', body: 'abc' },
  ],
  [
    'A21',
    'HEAD with a body',
    'HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
    { method: 'HEAD', body: 'abc' },
  ],
  [
    'A23',
    'names of every object’s properties are data',
    get('__proto__: a\r\nconstructor: b\r\ntoString: c\r\nhasOwnProperty: d\r\n'),
    { has: { ['__proto__']: 'a', constructor: 'b', tostring: 'c', hasownproperty: 'd' } },
  ],
  [
    'B1',
    'Connection cannot take away what the proxy adds or decides on',
    get(
      'Connection: close, X-Forwarded-Proto, X-Request-Id, Authorization, Cookie, x-b3-traceid, Host, X-Mine\r\nAuthorization: t\r\nCookie: c\r\nX-Mine: gone\r\n',
    ),
    { has: { authorization: 't', cookie: 'c', host: 'a' }, lacks: ['x-mine', 'connection'] },
  ],
  [
    'B2',
    'hop-by-hop fields end here',
    get(
      'Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nTrailer: X\r\nProxy-Authorization: Basic eA==\r\nUpgrade: x\r\nHTTP2-Settings: AAA\r\n',
    ),
    {
      lacks: [
        'keep-alive',
        'proxy-connection',
        'te',
        'trailer',
        'proxy-authorization',
        'upgrade',
        'http2-settings',
        'connection',
      ],
    },
  ],
  [
    'B2',
    'Trailer stays with trailers',
    post('Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n', '0\r\nX-Sum: 1\r\n\r\n'),
    { has: { trailer: 'X-Sum' }, trailers: ['X-Sum', '1'] },
  ],
  [
    'B7',
    'X-HTTP-Method-Override is only a header',
    post('X-HTTP-Method-Override: DELETE\r\nContent-Length: 0\r\n'),
    { method: 'POST' },
  ],
  [
    'F2',
    'h2c and its settings are dropped',
    get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n'),
    { lacks: ['upgrade', 'http2-settings', 'connection'] },
  ],
  [
    'F2',
    'an upgrade in HTTP/1.0 is none',
    'GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n',
    { lacks: ['upgrade', 'connection'] },
  ],
];
