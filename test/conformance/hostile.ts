/** Messages as attackers write them: valid grammar with hostile pieces, and a stray byte now and then. */
import fc from 'fast-check';

const often = <T>(good: readonly T[], bad: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.constantFrom(...bad) });

const EOL = often(['\r\n'], ['\n', '\r', '\r\r\n', '\n\r\n', '\r\n\r\n', '']);
const SPACE = often([' '], ['', '  ', '\t', '\x0b', '\0', '\r\n ']);
const METHOD = often(
  ['GET', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'PATCH'],
  ['get', 'TRACE', 'CONNECT', 'G T', '', 'PRI', 'XYZ', 'GE\0T'],
);
const TARGET = often(
  ['/', '/a?b=c', '/%2e%2e/', 'http://h/', 'http://h', '/a;b', '/[x]', '//h/x'],
  ['*', '/#f', '/a b', '/\x7f', '/é', 'h:80', 'http://u@h/', 'http://other/', '', '/"', '/\\', '/\t', 'ftp://h/', '?a'],
);
const VERSION = often(
  ['HTTP/1.1', 'HTTP/1.0'],
  ['HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.', 'http/1.1', 'HTTP/1.1 ', 'HTTP/01.1', 'HTTP/1.10', ''],
);
const SIZE = often(
  ['0', '3', '5', '10'],
  ['', '+3', '-1', '0x3', '03', '3 ', ' 3', '3,3', '3, 4', '1_0', '99999999999999999999', '3\0', '3\t3', '3;'],
);
const CODING = often(
  ['chunked'],
  [
    'Chunked',
    'chunked, chunked',
    ',chunked',
    'chunked,',
    '',
    'identity',
    'xchunked',
    'gzip, chunked',
    '\x0bchunked',
    'chunked;q=1',
    'chunk\0ed',
    'chunked\t',
    'chunked ',
  ],
);
const NAME = often(
  ['X-A', 'Accept', 'Cookie', 'x_b', 'TE', 'Trailer', 'Keep-Alive', 'Expect', 'Proxy-Connection', '__proto__'],
  ['X A', 'X-A ', ' X', '', 'X\0', 'X\xe9', 'X[]', 'Content_Length', 'X\t', '\rX'],
);
const VALUE = often(
  ['a', 'a, b', '', 'é', '"q; x"', 'timeout=5', 'trailers', '100-continue', '\t a \t'],
  ['a\0b', 'a\rb', 'a\nb', 'a\r\n b', '\x7f', '\x01', 'a\r\n\r\nb', 'x\r\nContent-Length: 3'],
);
const COLON = often([': ', ':', ':\t'], [' : ', ' :', '::', '', ':\x0b']);

const field = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(NAME, COLON, VALUE).map((t) => t.join('')) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(often(['Content-Length', 'content-length'], ['Content-Length ', 'Content\x2dLength\0']), COLON, SIZE)
      .map((t) => t.join('')),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        often(['Transfer-Encoding'], ['Transfer-Encoding ', 'Transfer-encoding', '\tTransfer-Encoding']),
        COLON,
        CODING,
      )
      .map((t) => t.join('')),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constant('Connection'),
        COLON,
        often(
          ['close', 'keep-alive', 'upgrade', 'X-A', 'close, X-A'],
          ['Content-Length', 'host', 'transfer-encoding', ',,'],
        ),
      )
      .map((t) => t.join('')),
  },
  {
    weight: 1,
    arbitrary: often(
      ['Upgrade: websocket', 'Upgrade: h2c', 'Host: h'],
      ['Host: other', 'Host: a,b', 'Host:', 'host : h'],
    ),
  },
);

const chunk = fc.tuple(
  often(['3', '03', '0003', '5', 'A'], ['', '0x3', '+3', '-3', '3 ', ' 3', 'FFFFFFFFFFFFFFFFF', '0', 'g', '3\t']),
  often([''], [';a', ';a=b', ';a="b"', ';', ';a\rb', ';\0', ' ;a', ';a=', ';a="\r\n"']),
  EOL,
  fc.constantFrom('abc', 'abcde', '0123456789', 'ab', 'abcd'),
  EOL,
);
const body = fc.oneof(
  fc.constantFrom('', 'abc', 'abcde', '0123456789', 'abc\r\n'),
  fc
    .tuple(
      fc.array(chunk, { maxLength: 3 }),
      often(['0'], ['', '00', '0 ', '-0', '0;a']),
      EOL,
      fc.array(fc.tuple(NAME, COLON, VALUE, EOL), { maxLength: 2 }),
      EOL,
    )
    .map(([chunks, last, eol, trailers, end]) => chunks.flat().join('') + last + eol + trailers.flat().join('') + end),
);

/** One byte put in, or one taken out, somewhere. */
const stray = fc.option(
  fc.tuple(fc.nat(400), fc.constantFrom('\r', '\n', '\0', ' ', '\t', ':', ',', ';', '0', 'a', '\xff', '\x7f', null)),
  { freq: 3 },
);

function disturb(text: string, change: readonly [number, string | null] | null): string {
  if (change === null) return text;
  const [at, what] = change;
  const i = at % (text.length + 1);
  return what === null ? text.slice(0, i) + text.slice(i + 1) : text.slice(0, i) + what + text.slice(i);
}

const fields = fc.array(fc.tuple(field, EOL), { maxLength: 4 }).map((list) => list.flat().join(''));

/** A request to host `h`, mostly. */
export const hostileRequest: fc.Arbitrary<string> = fc
  .tuple(
    often(['', '\r\n'], ['\n', '\r\n\r\n', ' ']),
    METHOD,
    SPACE,
    TARGET,
    SPACE,
    VERSION,
    EOL,
    often(['Host: h\r\n'], ['']),
    fields,
    EOL,
    body,
    stray,
  )
  .map(([before, ...rest]) => disturb(before + rest.slice(0, -1).join(''), rest.at(-1) as never));

const STATUS = often(
  ['200 OK', '204 No Content', '304 ', '404', '503 a\tb é', '103 Early'],
  ['99 x', '2000 OK', '2x0 OK', '200OK', ' 200 OK', '101 Switching', '200 a\rb', '-200 OK', ''],
);

export const hostileResponse: fc.Arbitrary<string> = fc
  .tuple(VERSION, SPACE, STATUS, EOL, fields, EOL, body, stray)
  .map((parts) => disturb(parts.slice(0, -1).join(''), parts.at(-1) as never));
