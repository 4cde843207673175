/**
 * What public HTTP/1.1 probes send to a server, and what ours says to it: every stimulus that Http11Probe (161 of them) scores,
 * restated; several of its probes send the same. Where it is content with more than one answer, ours is here; docs/http1.md says why.
 */

/** A status: that answer, and then the connection is closed. */
export type Outcome =
  | number
  /** Passed on and answered 200; `body`: what the origin must have read. */
  | { readonly served: true; readonly body?: string; readonly lacks?: string; readonly closes?: true }
  /** That answer; the connection goes on. */
  | { readonly answered: number }
  /** Nothing is answered and nothing is passed on as a whole request: more has to come. */
  | 'waits';

export type Probe = readonly [what: string, send: string | readonly string[], outcome: Outcome];

const served = (body?: string): Outcome => (body === undefined ? { served: true } : { served: true, body });
const H = 'Host: a\r\n';
const get = (fields = '', first = 'GET / HTTP/1.1'): string => `${first}\r\n${H}${fields}\r\n`;
const post = (fields: string, body = '', first = 'POST / HTTP/1.1'): string => `${first}\r\n${H}${fields}\r\n${body}`;
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);
const five = (coding: string): string => post(`${coding}\r\nContent-Length: 5\r\n`, 'hello');
const length = (value: string, body = 'hello'): string => post(`Content-Length:${value}\r\n`, body);
const socket = 'Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const inner = get();
const hidden = (fields: string, before = '0\r\n\r\n'): string => post(fields, before + inner);
const noise = Array.from({ length: 256 }, (_, i) => String.fromCharCode((i * 167 + 3) % 256)).join('');

const LINES: readonly Probe[] = [
  ['a plain GET', get(), served()],
  ['a line feed alone after the request line', `GET / HTTP/1.1\n${H}\r\n`, 400],
  ['a line feed alone after a field', 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n', 400],
  ['a carriage return alone after the request line', `GET / HTTP/1.1\r${H}\r\n`, 400],
  ['two empty lines before the request', `\r\n\r\n${get()}`, 400],
  ['two spaces after the method', get('', 'GET  / HTTP/1.1'), 400],
  ['a tab after the method', get('', 'GET\t/ HTTP/1.1'), 400],
  ['no target', get('', 'GET HTTP/1.1'), 400],
  ['a fragment', get('', 'GET /p#f HTTP/1.1'), 400],
  ['a space in the target', get('', 'GET /p q HTTP/1.1'), 400],
  ['a backslash in the target', get('', 'GET /p\\q HTTP/1.1'), 400],
  ['a NUL in the target', get('', 'GET /\0p HTTP/1.1'), 400],
  ['UTF-8 in the target', get('', 'GET /caf\xc3\xa9 HTTP/1.1'), 400],
  ['overlong UTF-8 in the target', get('', 'GET /\xc0\xaf HTTP/1.1'), 400],
  ['%00 in the target', get('', 'GET /p%00.html HTTP/1.1'), { answered: 400 }],
  ['%0d%0a in the target, which stays what it is', get('', 'GET /p%0d%0aX:%20y HTTP/1.1'), served()],
  ['a target of 7900 bytes', get('', `GET /${'a'.repeat(7900)} HTTP/1.1`), served()],
  ['a target of 100 kB', get('', `GET /${'A'.repeat(100_000)} HTTP/1.1`), 414],
  ['a method of 100 kB', get('', `${'A'.repeat(100_000)} / HTTP/1.1`), 400],
  ['a method in small letters', get('', 'get / HTTP/1.1'), 400],
  ['CONNECT to another host', 'CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n', 405],
  ['an asterisk for GET', get('', 'GET * HTTP/1.1'), 400],
  ['an asterisk for OPTIONS', get('', 'OPTIONS * HTTP/1.1'), served()],
  ['no version, and no more', 'GET /\r\n', 'waits'],
  ['version 9.9', get('', 'GET / HTTP/9.9'), 505],
  ['a version without minor', get('', 'GET / HTTP/1'), 400],
  ['a version with leading zeros', get('', 'GET / HTTP/01.01'), 400],
  ['a version with a space in it', get('', 'GET / HTTP/ 1.1'), 400],
  ['a version in small letters', get('', 'GET / http/1.1'), 400],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ['nothing', '', 'waits'],
  ['a head that does not end', 'GET / HTTP/1.1\r\nHost: a\r\nX: b', 'waits'],
  ['white space', '   \r\n\r\n', 400],
  ['256 bytes of noise', noise, 400],
];

const FIELDS: readonly Probe[] = [
  ['a folded field', get('X: a\r\n b\r\n'), 400],
  ['a space before the colon', get('X : a\r\n'), 400],
  ['an empty name', get(': a\r\n'), 400],
  ['a bracket in a name', get('X[: a\r\n'), 400],
  ['a line without a colon', get('NoColon\r\n'), 400],
  ['a name beyond ASCII', get('X-T\xc3\xabst: a\r\n'), 400],
  ['white space before the first field', `GET / HTTP/1.1\r\n \r\n${H}\r\n`, 400],
  ['controls in a value', get('X: a\x07\x08\x0bb\r\n'), 400],
  ['a NUL in a value', get('X: a\0b\r\n'), 400],
  ['a carriage return in a value', post('Content-Length: 5\r\nX: val\rue\r\n', 'hello'), 400],
  ['a value of 100 kB', get(`X: ${'B'.repeat(100_000)}\r\n`), 431],
  ['a name of 100 kB', get(`${'A'.repeat(100_000)}: b\r\n`), 431],
  ['10,000 fields', get(Array.from({ length: 10_000 }, (_, i) => `X-${i}: y\r\n`).join('')), 431],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost: \r\n\r\n', 400],
  ['two Hosts', get('Host: b.example\r\n'), 400],
  ['one Host twice', get(H), 400],
  ['a list of Hosts', 'GET / HTTP/1.1\r\nHost: a, b.example\r\n\r\n', 400],
  ['a Host with userinfo', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400],
  ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/p\r\n\r\n', 400],
  ['an unknown expectation', get('Expect: 200-ok\r\n'), 417],
  [
    'an expectation in HTTP/1.0',
    post('Expect: 100-continue\r\nContent-Length: 5\r\n', 'hello', 'POST / HTTP/1.0'),
    { served: true, body: 'hello', closes: true },
  ],
  ['Connection: close', get('Connection: close\r\n'), { served: true, closes: true }],
  ['HTTP/1.0', get('', 'GET / HTTP/1.0'), { served: true, closes: true }],
  [
    'two media types',
    post('Content-Length: 5\r\nContent-Type: text/plain\r\nContent-Type: text/html\r\n', 'hello'),
    served('hello'),
  ],
  ['a range in a POST', post('Content-Length: 5\r\nRange: bytes=0-10\r\n', 'hello'), served('hello')],
  ['a WebSocket by POST', post(`Connection: Upgrade\r\n${socket}Sec-WebSocket-Version: 13\r\n`), served()],
  [
    'a WebSocket that Connection does not name',
    get(`${socket}Sec-WebSocket-Version: 13\r\n`),
    { served: true, lacks: 'upgrade' },
  ],
  ['an unknown upgrade', get('Connection: Upgrade\r\nUpgrade: totally-made-up/1.0\r\n'), { answered: 403 }],
  ['a WebSocket of version 99', get(`Connection: Upgrade\r\n${socket}Sec-WebSocket-Version: 99\r\n`), served()],
  [
    'a WebSocket in HTTP/1.0',
    get(`Connection: Upgrade\r\n${socket}Sec-WebSocket-Version: 13\r\n`, 'GET / HTTP/1.0'),
    { served: true, lacks: 'upgrade', closes: true },
  ],
  ['HEAD', get('', 'HEAD / HTTP/1.1'), served()],
  ['DELETE', get('', 'DELETE / HTTP/1.1'), served()],
  ['OPTIONS', get('', 'OPTIONS / HTTP/1.1'), served()],
  [
    'a length with an underscore in its name',
    post('Content-Length: 5\r\nContent_Length: 99\r\n', 'hello'),
    { served: true, body: 'hello', lacks: 'content_length' },
  ],
  ['a length with a space after its name', post('Content-Length: 5\r\nContent-Length : 3\r\n', 'hello'), 400],
  ['a length with a tab in its name', post('Content-Length: 5\r\nContent\tLength: 99\r\n', 'hello'), 400],
  [
    'a coding with an underscore in its name',
    post('Content-Length: 5\r\nTransfer_Encoding: chunked\r\n', 'hello'),
    { served: true, body: 'hello', lacks: 'transfer_encoding' },
  ],
];

const LENGTHS: readonly Probe[] = [
  ['a length', length(' 5'), served('hello')],
  ['a length of 0', length(' 0', ''), served('')],
  ['a POST of neither length nor coding', post(''), served('')],
  ['half of a body', length(' 10'), 'waits'],
  ['a gigabyte that does not come', length(' 999999999', ''), 'waits'],
  ...[
    ' abc',
    ' +5',
    ' 0x5',
    ' 0o5',
    ' -1',
    ' -0',
    ' 1_0',
    ' 1 0',
    ' 5, 10',
    ' 99999999999999999999',
    ' ',
    ' 005',
    ' 00',
    '\t5',
  ].map((value): Probe => [`a length of${JSON.stringify(value)}`, length(value), 400]),
  ['a length that is octal to some', length(' 0200', 'A'.repeat(200)), 400],
  ['a length with a space after it', length(' 5 '), served('hello')],
  ['a length with two spaces before it', length('  5'), served('hello')],
  ['two lengths', post('Content-Length: 5\r\nContent-Length: 10\r\n', 'helloworld'), 400],
  ['two lengths with a request between them', hidden('Content-Length: 4\r\nContent-Length: 32\r\n', 'PING'), 400],
];

const CODINGS: readonly Probe[] = [
  ['an unknown coding', post('Transfer-Encoding: gzip\r\n'), 501],
  ['chunks and gzip over them', post('Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n'), 400],
  [
    'length and chunks',
    post('Content-Length: 23\r\nTransfer-Encoding: chunked\r\n', 'D\r\nhello-bananas\r\n0\r\n\r\n'),
    400,
  ],
  ['a short length and chunks', post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
  ['chunks and a long length', post('Transfer-Encoding: chunked\r\nContent-Length: 30\r\n', '0\r\n\r\n'), 400],
  ...[
    'xchunked',
    'chunked ',
    'chunked, chunked',
    'Chunked',
    '',
    ', chunked',
    '\x0bchunked',
    '\x0cchunked',
    'chunked\0',
    'identity',
    '\r\n chunked',
    'chunked,',
  ].map((coding): Probe => [
    `a length and a coding of ${JSON.stringify(coding)}`,
    five(`Transfer-Encoding: ${coding}`),
    400,
  ]),
  ['a length and a coding with a space after its name', five('Transfer-Encoding : chunked'), 400],
  ['a length and two codings', five('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity'), 400],
  ['chunks in HTTP/1.0', post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', 'hello', 'POST / HTTP/1.0'), 400],
  ...[
    'Content-Length: 31\r\nTransfer-Encoding: chunked',
    'Content-Length: +31\r\nTransfer-Encoding: chunked',
    'Content-Length: 31x\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding:\r\n chunked\r\nContent-Length: 31',
    'Content-Length: 31\r\nTransfer-Encoding: chunked ',
    'Content-Length: 31\r\nTransfer-Encoding: , chunked',
    'Content-Length: 31\r\nTransfer-Encoding: Chunked',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 31',
  ].map((fields): Probe => [`a request behind ${JSON.stringify(fields)}`, hidden(`${fields}\r\n`), 400]),
  [
    'a HEAD behind length and chunks',
    post('Content-Length: 33\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${get('', 'HEAD / HTTP/1.1')}`),
    400,
  ],
  [
    'a request inside a chunk, and a short length',
    post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', `1b\r\n${inner}\r\n0\r\n\r\n`),
    400,
  ],
  ...[
    post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'),
    post('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\nX'),
    post('Transfer-Encoding: chunked\r\nContent-Length: 30\r\n', '0\r\n\r\nX'),
    post('Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n', 'hello', 'OPTIONS / HTTP/1.1'),
    chunked('+0\r\n\r\nX'),
  ].map((first, i): Probe => [
    `a request that follows in its own segment upon two-faced framing, no. ${i + 1}`,
    [first, inner],
    400,
  ]),
];

const CHUNKS: readonly Probe[] = [
  ['a chunk', chunked('5\r\nhello\r\n0\r\n\r\n'), served('hello')],
  ['two chunks', chunked('5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n'), served('hello world')],
  ['no chunk but the last', chunked('0\r\n\r\n'), served('')],
  ['a size in capitals', chunked('A\r\nhelloworld\r\n0\r\n\r\n'), served('helloworld')],
  ['a good extension', chunked('5;ext=value\r\nhello\r\n0\r\n\r\n'), served('hello')],
  ['a trailer', chunked('5\r\nhello\r\n0\r\nX-Checksum: abc\r\n\r\n'), served('hello')],
  ['no last chunk', chunked('5\r\nhello\r\n'), 'waits'],
  ...[
    '0x5',
    '+5',
    '-1',
    ' 5',
    '5 ',
    '1_0',
    'FFFFFFFFFFFFFFFF0',
    '5;',
    '5;bad[=x',
    '5;\0ext',
    '5;a\rX',
    `5;ext=${'a'.repeat(65_536)}`,
  ].map((line): Probe => [
    `the chunk line ${JSON.stringify(line.slice(0, 20))}`,
    chunked(`${line}\r\nhello\r\n0\r\n\r\n`),
    400,
  ]),
  ['a line feed alone after a semicolon', chunked('5;\nhello\r\n0\r\n\r\n'), 400],
  ['a carriage return alone after the size', chunked('5\rhello\r\n0\r\n\r\n'), 400],
  ['no line end after the data', chunked('5\r\nhello0\r\n\r\n'), 400],
  ['data longer than the size', chunked('5\r\nhello!!\r\n0\r\n\r\n'), 400],
  ['a line feed alone after the data', chunked('5\r\nhello\n0\r\n\r\n'), 400],
  ['a line feed alone at the end', chunked('5\r\nhello\r\n0\r\n\n'), 400],
];

export const PROBES: readonly (readonly [group: string, probes: readonly Probe[]])[] = [
  ['the request line', LINES],
  ['fields', FIELDS],
  ['lengths', LENGTHS],
  ['codings', CODINGS],
  ['chunks', CHUNKS],
];
