import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { parseReplies } from './raw-client.ts';

const head = (status: string, ...fields: readonly string[]): string =>
  [`HTTP/1.1 ${status}`, ...fields, '', ''].join('\r\n');

describe('reading answers by their framing', () => {
  for (const { it, text, methods = [], closed = false, bodies, whole = true, rest = '' } of [
    { it: 'a counted body', text: `${head('200 OK', 'Content-Length: 2')}ok`, bodies: ['ok'] },
    {
      it: 'a counted body that is not all there',
      text: `${head('200 OK', 'Content-Length: 9')}ok`,
      bodies: ['ok'],
      whole: false,
    },
    {
      it: 'a chunked body',
      text: `${head('200 OK', 'Transfer-Encoding: chunked')}2\r\nok\r\n1;x=y\r\n!\r\n0\r\n\r\n`,
      bodies: ['ok!'],
    },
    {
      it: 'a chunked body with trailers',
      text: `${head('200 OK', 'transfer-encoding: chunked')}2\r\nok\r\n0\r\na: b\r\n\r\n`,
      bodies: ['ok'],
    },
    {
      it: 'a chunked body that breaks off',
      text: `${head('200 OK', 'transfer-encoding: chunked')}5\r\nok`,
      bodies: ['ok'],
      whole: false,
    },
    {
      it: 'a body that the end of the connection ends',
      text: `${head('200 OK')}all of it`,
      closed: true,
      bodies: ['all of it'],
    },
    {
      it: 'an answer to HEAD, which has none',
      text: head('200 OK', 'content-length: 5'),
      methods: ['HEAD'],
      bodies: [''],
    },
    { it: '204, which has none', text: head('204 No Content'), bodies: [''] },
    {
      it: 'two answers in a row',
      text: `${head('200 OK', 'content-length: 1')}a${head('200 OK', 'content-length: 1')}b`,
      bodies: ['a', 'b'],
    },
    {
      it: '103 before the answer',
      text: `${head('103 Early Hints')}${head('200 OK', 'content-length: 1')}a`,
      bodies: ['', 'a'],
    },
    { it: 'a tunnel, which is no answer', text: `${head('101 Switching Protocols')}raw`, bodies: [''], rest: 'raw' },
    { it: 'something that is no HTTP', text: 'nonsense', bodies: [], rest: 'nonsense' },
  ]) {
    test(it, () => {
      const found = parseReplies(text, methods, closed);
      assert.deepEqual(
        found.replies.map((r) => r.body),
        bodies,
      );
      assert.ok(found.replies.every((r) => r.complete === whole));
      assert.equal(found.rest, rest);
    });
  }
});
