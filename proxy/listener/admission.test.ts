import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { LoadBoard } from '../live/load-board.ts';
import { Admission } from './admission.ts';
import { BodyRate } from './body-rate.ts';
import { SIDECAR_LIMITS, type ListenerLimits } from './limits.ts';

describe('connections', () => {
  test('are limited over all workers', () => {
    const board = new LoadBoard(2);
    const refused: string[] = [];
    const limits = { ...SIDECAR_LIMITS, maxConnectionsInTotal: 3 };
    const [one, two] = [0, 1].map((row) => new Admission(limits, board, row, (l, why) => refused.push(`${l} ${why}`)));
    assert.deepEqual(
      [one!.enter('a', '1'), two!.enter('a', '1'), two!.enter('a', '2'), one!.enter('b', '3'), two!.enter('a', '3')],
      [true, true, true, false, false],
    );
    assert.deepEqual(refused, ['b total', 'a total']);
    two!.leave('a', '1');
    assert.equal(one!.enter('b', '3'), true);
    assert.equal(board.sum('connections'), 3);
  });

  test('are limited by address, when that is wanted', () => {
    const refused: string[] = [];
    const limits = { ...SIDECAR_LIMITS, maxConnectionsPerAddress: 2 };
    const admission = new Admission(limits, new LoadBoard(1), 0, (_, why) => refused.push(why));
    assert.deepEqual(
      ['x', 'x', 'x', 'y'].map((address) => admission.enter('a', address)),
      [true, true, false, true],
    );
    admission.leave('a', 'x');
    assert.equal(admission.enter('a', 'x'), true);
    assert.deepEqual(refused, ['address']);
  });

  test('are limited by listener', () => {
    const refused: string[] = [];
    const limits = { ...SIDECAR_LIMITS, maxConnections: 2 };
    const admission = new Admission(limits, new LoadBoard(1), 0, (l, why) => refused.push(`${l} ${why}`));
    assert.deepEqual(
      ['a', 'a', 'a', 'b'].map((listener) => admission.enter(listener, 'x')),
      [true, true, false, true],
    );
    admission.leave('a', 'x');
    assert.equal(admission.enter('a', 'x'), true);
    assert.deepEqual(refused, ['a listener']);
  });

  test('of a worker that is gone count no more', () => {
    const board = new LoadBoard(3);
    const [first, second] = [board.take(), board.take()];
    board.set(first, 'connections', 5);
    board.set(second, 'connections', 2);
    board.giveBack(first);
    assert.equal(board.sum('connections'), 2);
    assert.equal(board.take(), first);
  });
});

describe('a request body', () => {
  const limits: ListenerLimits = { ...SIDECAR_LIMITS, minBodyRate: 100, bodyRateWindow: 20_000 };
  const slow = (
    framing: 'length' | 'chunked',
    bytes: readonly number[],
    over: Partial<ListenerLimits> = {},
  ): number => {
    const rate = new BodyRate();
    return bytes.findIndex((bytesRead, s) =>
      rate.isTooSlow(1000 + s * 1000, { bytesRead }, framing, { ...limits, ...over }),
    );
  };
  const second = (n: number): number[] => Array.from({ length: 100 }, (_, s) => s * n);

  test('of a byte now and then is too slow after one window', () => {
    assert.equal(slow('length', second(99)), 20);
    assert.equal(slow('length', second(100)), -1);
  });

  test('that stops is found in the next window', () => {
    assert.equal(slow('length', [...second(1000).slice(0, 30), ...Array.from({ length: 60 }, () => 29_000)]), 60);
  });

  test('without a length may be slow, and any may when there is no rate', () => {
    assert.equal(slow('chunked', second(0)), -1);
    assert.equal(slow('length', second(0), { minBodyRate: 0 }), -1);
  });

  test('is given a new window after a pause of ours', () => {
    const rate = new BodyRate();
    assert.equal(rate.isTooSlow(1000, { bytesRead: 0 }, 'length', limits), false);
    rate.forget();
    assert.equal(rate.isTooSlow(30_000, { bytesRead: 0 }, 'length', limits), false);
    assert.equal(rate.isTooSlow(51_000, { bytesRead: 0 }, 'length', limits), true);
  });
});
