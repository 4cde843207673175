import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import {
  DEFAULT_LIMITS,
  findHeadEnd,
  hasBareLineFeed,
  parseRequestHead,
  parseResponseHead,
  type RequestHead,
  type ResponseHead,
} from './http1-head.ts';

function request(text: string): RequestHead | string {
  const bytes = Buffer.from(text, 'latin1');
  const end = findHeadEnd(bytes, 0, 0);
  if (end < 0) return 'incomplete';
  const head = parseRequestHead(bytes, 0, end, DEFAULT_LIMITS);
  return head.problem ? `${head.status} ${head.details}` : head;
}

function response(text: string): ResponseHead | string {
  const bytes = Buffer.from(text, 'latin1');
  const head = parseResponseHead(bytes, 0, findHeadEnd(bytes, 0, 0), DEFAULT_LIMITS);
  return head.problem ? `${head.status} ${head.details}` : head;
}

const accepted = <T>(head: T | string): T => {
  assert.notEqual(typeof head, 'string', String(head));
  return head as T;
};

describe('a request head', () => {
  test('keeps names, order and case, and takes hop-by-hop fields out', () => {
    const head = accepted(
      request(
        'GET /a?b HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nx-two:\t 2 \r\nTE: trailers\r\n\r\n',
      ),
    );
    assert.equal(head.method, 'GET');
    assert.equal(head.target, '/a?b');
    assert.deepEqual(head.headers, ['Host', 'h', 'X-One', '1', 'x-two', '2']);
    assert.equal(head.keepAlive, true);
    assert.equal(head.acceptsTrailers, true);
  });

  test('tells the fields that Connection nominates, but none that identity or routing depend on', () => {
    const head = accepted(
      request(
        'GET / HTTP/1.1\r\nHost: h\r\nX-Drop: 1\r\nAuthorization: a\r\nX-Request-Id: r\r\nConnection: close, X-Drop, Authorization, x-request-id, Host\r\n\r\n',
      ),
    );
    assert.deepEqual(head.nominated, ['x-drop']);
    assert.deepEqual(head.headers, ['Host', 'h', 'X-Drop', '1', 'Authorization', 'a', 'X-Request-Id', 'r']);
    assert.equal(head.keepAlive, false);
  });

  for (const [what, text, wanted] of [
    ['no body', '', ['none', 0]],
    ['a length', 'Content-Length: 12\r\n', ['length', 12]],
    ['chunks', 'Transfer-Encoding: Chunked\r\n', ['chunked', 0]],
  ] as const) {
    test(`tells ${what}`, () => {
      const head = accepted(request(`POST / HTTP/1.1\r\nHost: h\r\n${text}\r\n`));
      assert.deepEqual([head.framing, head.contentLength], wanted);
    });
  }

  test('tells an upgrade only when Connection names it', () => {
    assert.equal(accepted(request('GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n')).upgrade, null);
    const head = accepted(
      request('GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n'),
    );
    assert.equal(head.upgrade, 'websocket');
  });

  test('takes names that are properties of every object as data', () => {
    const head = accepted(
      request('GET / HTTP/1.1\r\nHost: h\r\n__proto__: a\r\nconstructor: b\r\nhasOwnProperty: c\r\n\r\n'),
    );
    assert.deepEqual(head.headers.slice(2), ['__proto__', 'a', 'constructor', 'b', 'hasOwnProperty', 'c']);
  });

  for (const [what, text, wanted] of [
    [
      'length and chunks',
      'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n',
      '400 http1.content_length_and_chunked_not_allowed',
    ],
    ['two lengths', 'Content-Length: 1\r\ncontent-length: 1\r\n', '400 http1.duplicate_content_length'],
    ['a list of lengths', 'Content-Length: 1, 1\r\n', '400 http1.invalid_content_length'],
    ['a signed length', 'Content-Length: +1\r\n', '400 http1.invalid_content_length'],
    ['a negative length', 'Content-Length: -1\r\n', '400 http1.invalid_content_length'],
    ['a hexadecimal length', 'Content-Length: 0x1\r\n', '400 http1.invalid_content_length'],
    ['a length with an underscore', 'Content-Length: 1_0\r\n', '400 http1.invalid_content_length'],
    ['a length in octal for some', 'Content-Length: 010\r\n', '400 http1.invalid_content_length'],
    ['an empty length', 'Content-Length: \r\n', '400 http1.invalid_content_length'],
    [
      'a length beyond what can be counted',
      'Content-Length: 99999999999999999999\r\n',
      '400 http1.invalid_content_length',
    ],
    ['chunked twice', 'Transfer-Encoding: chunked, chunked\r\n', '400 http1.invalid_transfer_encoding'],
    ['chunks under another coding', 'Transfer-Encoding: chunked, gzip\r\n', '400 http1.invalid_transfer_encoding'],
    ['chunks over another coding', 'Transfer-Encoding: gzip, chunked\r\n', '501 http1.invalid_transfer_encoding'],
    [
      'two codings in two lines',
      'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
      '400 http1.duplicate_transfer_encoding',
    ],
    ['gzip', 'Transfer-Encoding: gzip\r\n', '501 http1.invalid_transfer_encoding'],
    ['a leading comma', 'Transfer-Encoding: ,chunked\r\n', '501 http1.invalid_transfer_encoding'],
    ['an empty coding', 'Transfer-Encoding:\r\n', '501 http1.invalid_transfer_encoding'],
    ['a coding after a vertical tab', 'Transfer-Encoding: \x0bchunked\r\n', '400 http1.invalid_header_value'],
    ['a non-breaking space', 'Transfer-Encoding: \xa0chunked\r\n', '501 http1.invalid_transfer_encoding'],
    ['a folded line', 'X: a\r\n b\r\n', '400 http1.obs_fold'],
    ['a carriage return in a value', 'X: a\rb\r\n', '400 http1.invalid_header_value'],
    ['a line feed in a value', 'X: a\nY: b\r\n', '400 http1.invalid_header_value'],
    ['a NUL in a value', 'X: a\0b\r\n', '400 http1.invalid_header_value'],
    ['a DEL in a value', 'X: a\x7fb\r\n', '400 http1.invalid_header_value'],
    ['a space before the colon', 'X : a\r\n', '400 http1.invalid_header_name'],
    ['no colon', 'X\r\n', '400 http1.invalid_header_name'],
    ['an empty name', ': a\r\n', '400 http1.invalid_header_name'],
    ['a name outside of ASCII', '\xefoo: a\r\n', '400 http1.invalid_header_name'],
    ['a second Host', 'Host: h\r\n', '400 http1.multiple_hosts'],
    ['an unknown expectation', 'Expect: 200-ok\r\n', '417 http1.unknown_expectation'],
  ] as const) {
    test(`with ${what} is refused`, () => {
      assert.equal(request(`POST / HTTP/1.1\r\nHost: h\r\n${text}\r\n`), wanted);
    });
  }

  for (const [what, line, wanted] of [
    ['two spaces', 'GET  / HTTP/1.1', '400 http1.invalid_target'],
    ['a tab', 'GET\t/ HTTP/1.1', '400 http1.invalid_method'],
    ['no version', 'GET /', '400 http1.invalid_target'],
    ['HTTP/2.0', 'GET / HTTP/2.0', '505 http1.invalid_version'],
    ['HTTP/1.2', 'GET / HTTP/1.2', '505 http1.invalid_version'],
    ['HTTP/1.10', 'GET / HTTP/1.10', '400 http1.invalid_version'],
    ['a protocol in odd case', 'GET / hTTP/1.1', '400 http1.invalid_version'],
    ['a trailing space', 'GET / HTTP/1.1 ', '400 http1.invalid_version'],
    ['a method in small letters', 'get / HTTP/1.1', '400 http1.invalid_method'],
    ['a method with a quote', 'G"T / HTTP/1.1', '400 http1.invalid_method'],
    ['a raw quote in the target', 'GET /" HTTP/1.1', '400 http1.invalid_target'],
    ['a backslash in the target', 'GET /a\\b HTTP/1.1', '400 http1.invalid_target'],
    ['a byte above 127 in the target', 'GET /\xe9 HTTP/1.1', '400 http1.invalid_target'],
    ['a NUL in the target', 'GET /\0 HTTP/1.1', '400 http1.invalid_target'],
    ['a fragment', 'GET /#a HTTP/1.1', '400 http1.invalid_target'],
  ] as const) {
    test(`whose request line has ${what} is refused`, () => {
      assert.equal(request(`${line}\r\nHost: h\r\n\r\n`), wanted);
    });
  }

  test('needs a Host in HTTP/1.1, and may not be chunked in HTTP/1.0', () => {
    assert.equal(request('GET / HTTP/1.1\r\n\r\n'), '400 missing_host_header');
    assert.equal(accepted(request('GET / HTTP/1.0\r\n\r\n')).keepAlive, false);
    assert.equal(
      request('POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n'),
      '400 http1.transfer_encoding_in_http10',
    );
  });

  test('has limits', () => {
    assert.equal(request(`GET / HTTP/1.1\r\nHost: h\r\n${'a: b\r\n'.repeat(100)}\r\n`), '431 http1.too_many_headers');
    assert.equal(
      request(`GET / HTTP/1.1\r\nHost: h\r\na: ${'b'.repeat(62_000)}\r\n\r\n`),
      '431 http1.headers_too_large',
    );
    assert.equal(request(`GET /${'b'.repeat(20_000)} HTTP/1.1\r\nHost: h\r\n\r\n`), '414 http1.target_too_long');
  });
});

describe('a response head', () => {
  test('is read with or without a reason', () => {
    assert.equal(accepted(response('HTTP/1.1 200 OK\r\n\r\n')).reason, 'OK');
    assert.equal(accepted(response('HTTP/1.1 299 \r\n\r\n')).reason, '');
    assert.equal(accepted(response('HTTP/1.1 204\r\n\r\n')).status, 204);
  });

  test('without length ends with the connection', () => {
    assert.equal(accepted(response('HTTP/1.1 200 OK\r\n\r\n')).framing, 'close');
  });

  test('tells how long the server waits', () => {
    assert.equal(accepted(response('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\n\r\n')).keepAliveHint, 'timeout=5');
  });

  for (const [what, text] of [
    ['another protocol', 'SSH-2.0\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
    ['no space after the status', 'HTTP/1.1 200OK\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a NUL in a value', 'HTTP/1.1 200 OK\r\nX: a\0\r\n\r\n'],
    ['a carriage return in the reason', 'HTTP/1.1 200 O\rK\r\n\r\n'],
  ] as const) {
    test(`with ${what} is refused`, () => assert.equal(typeof response(text), 'string'));
  }
});

describe('an unfinished head', () => {
  test('is found to be hopeless at its first bare line feed', () => {
    assert.equal(hasBareLineFeed(Buffer.from('GET / HTTP/1.1\r\nHost'), 0, 0), false);
    assert.equal(hasBareLineFeed(Buffer.from('GET / HTTP/1.1\nHost'), 0, 0), true);
  });

  test('is searched on from where the last search ended, even when its end straddles two reads', () => {
    const bytes = Buffer.from('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    for (let scanned = 0; scanned <= bytes.length; scanned++) {
      assert.equal(findHeadEnd(bytes, 0, Math.min(scanned, bytes.length - 1)), bytes.length - 4);
    }
  });
});
