import assert from 'node:assert/strict';
import { METHODS } from 'node:http';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { MAX_FIRST_BYTES, speaks, type Speech } from './first-bytes.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

const CASES: readonly (readonly [begin: string, Speech, what: string])[] = [
  ['', 'more', 'nothing'],
  ['\x16', 'more', 'one byte of TLS'],
  ['\x16\x03', 'tls', 'two bytes of TLS'],
  ['\x16\x03\x01\x02\0\x01', 'tls', 'TLS'],
  ['\x16\x02', 'other', 'a byte of TLS, and another'],
  ['\x15\x03\x01', 'other', 'an alert of TLS'],
  ['\x80\x2e\x01\x03\x01', 'other', 'SSLv2'],
  ['G', 'more', 'a letter'],
  ['GET', 'more', 'a method without its space'],
  ['GET ', 'http', 'a method'],
  ['GET foo\r\n', 'http', 'a method, and no request: for the reader of HTTP to refuse'],
  ['CONNECT ', 'http', 'CONNECT'],
  ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http', 'the preface of HTTP/2'],
  ['PRI ', 'http', 'the beginning of that preface'],
  ['PURGE /a', 'more', 'a method that not everybody knows'],
  ['PURGE /a HTTP/1.1\r', 'more', 'the same, but for a byte'],
  ['PURGE /a HTTP/1.1\r\n', 'http', 'the same, whole'],
  ['PURGE /a HTTP/1.1\n', 'http', 'the same, with a line feed alone'],
  ['PURGE /a HTTP/1.1\rx', 'other', 'the same, with a carriage return alone'],
  ['get / HTTP/1.1\r\n', 'http', 'a method in lower case: for the reader of HTTP to refuse'],
  ['get key\r\n', 'other', 'memcached'],
  ['PING x\r\n', 'other', 'Redis, as people type it'],
  ['*1\r\n$4\r\nPING\r\n', 'other', 'Redis'],
  ['SSH-2.0-OpenSSH_9.2\r\n', 'other', 'SSH'],
  ['OPTION sip:a@b SIP/2.0\r\n', 'other', 'another protocol with request lines'],
  ['PUBLISH HTTP/1.1\r\n', 'other', 'a version in the place of a target'],
  [' GET / HTTP/1.1\r\n', 'other', 'a space first'],
  ['\r\nGET / HTTP/1.1\r\n', 'other', 'an empty line first'],
  ['A'.repeat(32), 'more', '32 letters'],
  ['A'.repeat(33), 'other', '33 letters'],
  ['A\x01', 'other', 'a letter and a control character'],
  ['A b\x01', 'other', 'a control character in the line'],
  ['A b\xff', 'other', 'a byte outside of ASCII in the line'],
  [`A ${'b'.repeat(MAX_FIRST_BYTES - 3)}`, 'more', 'a long line'],
  [`A ${'b'.repeat(MAX_FIRST_BYTES - 2)}`, 'http', 'a line of which enough is here'],
  [`A ${'b'.repeat(MAX_FIRST_BYTES - 2)}\x01`, 'http', 'the same, whatever follows'],
  ['\x00\x00\x00\x08\x04\xd2\x16\x2f', 'other', 'PostgreSQL asks for TLS'],
  ['\r\n\r\n\0\r\nQUIT\n', 'other', 'the PROXY protocol'],
];

describe('a connection that begins with', () => {
  for (const [begin, speech, what] of CASES)
    test(`${what} speaks: ${speech}`, () => assert.equal(speaks(latin1(begin)), speech));
});

test('what is told once holds for whatever follows', () => {
  const begin = fc.oneof(
    fc.constantFrom(...CASES.map(([text]) => text)),
    fc.string({ unit: 'binary-ascii', maxLength: 50 }),
    fc.stringMatching(/^[A-Za-z*-]{1,34} [ -~]{0,40} HTTP\/[0-9.]{0,4}\r?\n?$/),
  );
  fc.assert(
    fc.property(begin, fc.string({ unit: 'binary', maxLength: 20 }), (text, rest) => {
      const bytes = latin1(text + rest);
      const whole = speaks(bytes);
      let told = false;
      for (let cut = 0; cut <= bytes.length; cut++) {
        const part = speaks(bytes.subarray(0, cut));
        told ||= part !== 'more';
        assert.equal(part, told ? whole : 'more');
      }
    }),
    { numRuns: 1000 },
  );
});

test("each of Node's methods is HTTP", () => {
  for (const method of METHODS) assert.equal(speaks(latin1(`${method} / HTTP/1.1\r\n`)), 'http', method);
});

test('it is told by MAX_FIRST_BYTES bytes', () => {
  for (const byte of Array.from({ length: 256 }, (_, n) => n)) {
    assert.notEqual(speaks(Buffer.alloc(MAX_FIRST_BYTES, byte)), 'more');
    assert.notEqual(speaks(Buffer.concat([latin1('A b'), Buffer.alloc(MAX_FIRST_BYTES - 3, byte)])), 'more');
  }
});
