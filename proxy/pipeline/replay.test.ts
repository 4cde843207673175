import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { Replay, willFit } from './replay.ts';

describe('a request body that may have to be sent again', () => {
  test('is kept while it is small, whoever has taken it already', () => {
    const replay = new Replay();
    replay.add(Buffer.from('one'), true);
    replay.add(Buffer.from('two'), true);
    assert.equal(replay.possible, true);
    assert.equal(Buffer.concat([...replay.take()]).toString(), 'onetwo');
    assert.equal(Buffer.concat([...replay.take()]).toString(), 'onetwo');
  });

  test('waits for its first connection when it is large, and is given once', () => {
    const replay = new Replay();
    const part = Buffer.alloc(40_000, 'x');
    replay.add(part, false);
    assert.equal(replay.heavy, true);
    replay.add(part, false);
    assert.equal(replay.possible, false);
    assert.equal(Buffer.concat([...replay.take()]).length, 80_000);
    assert.equal(replay.take().length, 0);
  });

  test.for([
    ['none', undefined, true],
    ['length', '65536', true],
    ['length', '65537', false],
    ['chunked', undefined, false],
  ] as const)('of framing %s and length %s: fits %s', ([framing, length, fits]) => {
    assert.equal(willFit(framing, length), fits);
  });
});
