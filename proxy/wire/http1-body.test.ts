import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { BodyReader } from './http1-body.ts';
import type { Framing } from './http1-head.ts';

type Read = { body: string; done: boolean; problem: string | null; left: string; trailers: string[] };

/** Reads `text` cut into pieces at `cuts`. */
function read(framing: Framing, length: number, text: string, cuts: readonly number[] = []): Read {
  const reader = new BodyReader(framing, length);
  const bytes = Buffer.from(text, 'latin1');
  let body = '';
  const sink = { onBodyData: (chunk: Buffer) => void (body += chunk.latin1Slice(0, chunk.length)) };
  let from = 0;
  let consumed = 0;
  for (const to of [...cuts.map((c) => c % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    if (reader.done || reader.problem !== null) break;
    const piece = Buffer.from(bytes.subarray(from, to));
    consumed = from + reader.read(piece, 0, sink);
    from = to;
  }
  return {
    body,
    done: reader.done,
    problem: reader.problem?.details ?? null,
    left: text.slice(consumed),
    trailers: reader.trailers,
  };
}

describe('a body of a length', () => {
  test('ends after as many bytes, and leaves the rest', () => {
    assert.deepEqual(read('length', 3, 'abcdef'), {
      body: 'abc',
      done: true,
      problem: null,
      left: 'def',
      trailers: [],
    });
  });
});

describe('a chunked body', () => {
  test('is its chunks, without sizes and extensions', () => {
    const r = read('chunked', 0, '3\r\nabc\r\n2;a=b;c="d e"\r\nde\r\n0\r\n\r\nGET');
    assert.deepEqual(r, { body: 'abcde', done: true, problem: null, left: 'GET', trailers: [] });
  });

  test('keeps harmless trailers and drops those that could pass for headers', () => {
    const r = read('chunked', 0, '0\r\nX-Sum: 1\r\nContent-Length: 5\r\nAuthorization: x\r\nHost: y\r\n\r\n');
    assert.deepEqual(r.trailers, ['X-Sum', '1']);
  });

  for (const [what, text] of [
    ['0x in front', '0x3\r\nabc\r\n'],
    ['a sign', '+3\r\nabc\r\n'],
    ['no digits', '\r\nabc\r\n'],
    ['a space in front', ' 3\r\nabc\r\n'],
    ['a space behind', '3 \r\nabc\r\n'],
    ['an underscore', '0_3\r\nabc\r\n'],
    ['more digits than can be counted', '00000000000003\r\nabc\r\n'],
    ['a bare line feed', '3\nabc\r\n'],
    ['a bare semicolon', '3;\r\nabc\r\n'],
    ['a control character in an extension', '3;a=\x01\r\nabc\r\n'],
    ['a carriage return in an extension', '3;a\rb\r\nabc\r\n'],
    ['a long extension', `3;${'a'.repeat(2000)}\r\nabc\r\n`],
    ['a long extension without end', `3;${'a'.repeat(2000)}`],
  ] as const) {
    test(`whose size has ${what} is refused`, () => {
      assert.equal(read('chunked', 0, text).problem, 'http1.invalid_chunk_size');
    });
  }

  for (const [what, text] of [
    ['longer than its size', '3\r\nabcd\r\n'],
    ['followed by a bare line feed', '3\r\nabc\n0\r\n\r\n'],
    ['followed by nothing but a carriage return', '3\r\nabc\r0\r\n\r\n'],
  ] as const) {
    test(`with a chunk ${what} is refused`, () => assert.notEqual(read('chunked', 0, text).problem, null));
  }

  for (const [what, text] of [
    ['a bare line feed', '0\r\nX: a\nY: b\r\n\r\n'],
    ['a bad name', '0\r\nX y: a\r\n\r\n'],
    ['no end', `0\r\nX: ${'a'.repeat(20_000)}`],
  ] as const) {
    test(`whose trailers have ${what} is refused`, () => assert.notEqual(read('chunked', 0, text).problem, null));
  }

  test('means the same however it is cut into segments', () => {
    const chunk = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 6 }),
        fc.array(fc.nat(400), { maxLength: 20 }),
        fc.boolean(),
        (chunks, cuts, trailer) => {
          const text = `${chunks.map((c) => `${c.length.toString(16)}\r\n${c}\r\n`).join('')}0\r\n${trailer ? 'X-T: 1\r\n' : ''}\r\n`;
          const whole = read('chunked', 0, text);
          assert.equal(whole.body, chunks.join(''));
          assert.deepEqual(read('chunked', 0, text, cuts), whole);
        },
      ),
    );
  });

  test('never throws, and refuses the same garbage however it is cut', () => {
    const garbage = fc.string({ unit: fc.constantFrom('0', '3', 'a', ';', '=', ' ', '\r', '\n', '\r\n', '\0', 'Z') });
    fc.assert(
      fc.property(garbage, fc.array(fc.nat(60), { maxLength: 10 }), (text, cuts) => {
        const whole = read('chunked', 0, text);
        const parts = read('chunked', 0, text, cuts);
        assert.equal(parts.done, whole.done);
        assert.equal(parts.problem === null, whole.problem === null);
      }),
      { numRuns: 2000 },
    );
  });
});
