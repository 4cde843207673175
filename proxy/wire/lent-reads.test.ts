import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { endLending, keep, Reads } from './lent-reads.ts';

const fill = (reads: Reads, text: string): number => reads.onread.buffer.write(text, 'latin1');

describe('lent reads', () => {
  test('are told with exactly the bytes of the read', () => {
    const reads = new Reads();
    const seen: string[] = [];
    reads.onBytes = (bytes) => seen.push(bytes.toString('latin1'));
    assert.equal(reads.onread.callback(fill(reads, 'first read')), true);
    assert.equal(reads.onread.callback(fill(reads, '2nd')), true);
    assert.deepEqual(seen, ['first read', '2nd']);
  });

  test('what is kept survives the next read, of any connection', () => {
    const [one, other] = [new Reads(), new Reads()];
    let kept: Buffer | null = null;
    one.onBytes = (bytes) => (kept = keep(bytes.subarray(2)));
    one.onread.callback(fill(one, 'a-mine'));
    other.onread.callback(fill(other, 'b-others'));
    assert.equal(String(kept), 'mine');
  });

  test('bytes that are nobody else’s are not copied', () => {
    const own = Buffer.from('own');
    assert.equal(keep(own), own);
  });

  test('after the lending the stream gets copies', () => {
    const reads = new Reads();
    const pushed: Buffer[] = [];
    endLending({ push: (bytes) => pushed.push(bytes) > 0 }, reads);
    reads.onread.callback(fill(reads, 'one'));
    reads.onread.callback(fill(reads, 'two'));
    assert.deepEqual(pushed.map(String), ['one', 'two']);
  });
});
