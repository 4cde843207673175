/** Where we are stricter than llhttp on purpose: every class of messages that it reads and we refuse. */
import assert from 'node:assert/strict';

/** What llhttp reads and we do not, by the reason we give: a sample, and why. A reason that is not here is a finding. */
export type Class = readonly [details: string, sample: string, why: string];

const H = 'Host: h\r\n';
const CHUNKED = `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n`;

export const REQUEST_CLASSES: readonly Class[] = [
  ['missing_host_header', 'GET / HTTP/1.1\r\n\r\n', 'routing and policy begin with the host (RFC 9112 section 3.2)'],
  ['http1.multiple_hosts', `GET / HTTP/1.1\r\n${H}${H}\r\n`, 'two readers may choose differently'],
  ['http1.invalid_host', 'GET / HTTP/1.1\r\nHost: a,b\r\n\r\n', 'what is no authority cannot be matched by policy'],
  [
    'http1.host_mismatch',
    `GET http://x/ HTTP/1.1\r\n${H}\r\n`,
    'target and Host must agree: two readers may choose differently',
  ],
  [
    'http1.invalid_target',
    `GET /#f HTTP/1.1\r\n${H}\r\n`,
    'fragments, raw quotes and the like are read differently behind us',
  ],
  [
    'http1.invalid_method',
    `\n\nGET / HTTP/1.1\r\n${H}\r\n`,
    'only one empty line, of CR LF, may come first (RFC 9112 section 2.2)',
  ],
  [
    'http1.target_too_long',
    `GET /${'a'.repeat(16_384)} HTTP/1.1\r\n${H}\r\n`,
    'what no server needs, and some read only in part',
  ],
  ['http1.invalid_trailer', `${CHUNKED}0\r\n${'X: y\r\n'.repeat(51)}\r\n`, 'bounded: 50 trailers'],
  ['http1.headers_too_large', `GET / HTTP/1.1\r\n${H}X: ${'a'.repeat(61_440)}\r\n\r\n`, 'bounded: 60 kB'],
  ['http1.too_many_headers', `GET / HTTP/1.1\r\n${H}${'X: y\r\n'.repeat(100)}\r\n`, 'bounded: 100 fields'],
  ['http1.method_not_allowed', `TRACE / HTTP/1.1\r\n${H}\r\n`, 'TRACE sends credentials back; PRI belongs to HTTP/2'],
  ['http1.invalid_version', `GET / HTTP/2.0\r\n${H}\r\n`, 'another version has another framing'],
  ['http1.unknown_expectation', `GET / HTTP/1.1\r\n${H}Expect: x\r\n\r\n`, 'RFC 9110 section 10.1.1: 417'],
  [
    'http1.invalid_content_length',
    `POST / HTTP/1.1\r\n${H}Content-Length: 03\r\n\r\nabc`,
    'leading zeros are octal to some',
  ],
  [
    'http1.invalid_transfer_encoding',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n`,
    'nothing but the one word is read alike by all',
  ],
  ['http1.tab_in_framing', `POST / HTTP/1.1\r\n${H}Content-Length:\t3\r\n\r\nabc`, 'its releases differ on it'],
  [
    'http1.duplicate_transfer_encoding',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'some read the first, some the last',
  ],
  [
    'http1.transfer_encoding_in_http10',
    `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'HTTP/1.0 does not know it (RFC 9112 section 6.1)',
  ],
  [
    'http1.connect_with_body',
    `CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nContent-Length: 0\r\n\r\n`,
    'where does the tunnel begin?',
  ],
  [
    'http1.upgrade_with_body',
    `GET / HTTP/1.1\r\n${H}Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n`,
    'where does the tunnel begin?',
  ],
  [
    'http1.invalid_chunk_size',
    `${CHUNKED}3;a=\r\nabc\r\n0\r\n\r\n`,
    'extensions that are none (RFC 9112 section 7.1.1)',
  ],
];

export const RESPONSE_CLASSES: readonly Class[] = [
  ['http1.invalid_status_line', 'HTTP/2.0 200 OK\r\n\r\n', 'another version has another framing'],
  [
    'http1.invalid_transfer_encoding',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc',
    'we could not say where it ends to a client that stays',
  ],
  ['http1.tab_in_framing', 'HTTP/1.1 200 OK\r\nContent-Length:\t3\r\n\r\nabc', 'its releases differ on it'],
  [
    'http1.duplicate_transfer_encoding',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'some read the first, some the last',
  ],
  [
    'http1.transfer_encoding_in_http10',
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.0 does not know it (RFC 9112 section 6.1)',
  ],
  [
    'http1.invalid_content_length',
    'HTTP/1.1 200 OK\r\nContent-Length: 03\r\n\r\nabc',
    'leading zeros are octal to some',
  ],
  [
    'http1.invalid_chunk_size',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\r\nabc\r\n0\r\n\r\n',
    'extensions that are none (RFC 9112 section 7.1.1)',
  ],
];

export function assertKnown(classes: readonly Class[], details: string, text: string): void {
  const known = classes.some(([name]) => name === details);
  assert.ok(known, `${details}: llhttp accepts ${JSON.stringify(text)}`);
}
