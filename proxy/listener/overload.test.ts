import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { LoadBoard } from '../live/load-board.ts';
import { SIDECAR_LIMITS, type ListenerLimits } from './limits.ts';
import type { MemoryReading } from './memory-reading.ts';
import { Overload } from './overload.ts';

/** A monitor whose clock, memory, dice and event loop are the test's. */
function monitor(limits: Partial<ListenerLimits> = {}) {
  const board = new LoadBoard(2);
  const told: boolean[] = [];
  const state = { now: 1000, memory: { heap: 0, process: 0 } as MemoryReading, dice: 0.5, looks: 0 };
  let onDelay: (ms: number) => void = () => undefined;
  const overload = new Overload(
    { ...SIDECAR_LIMITS, ...limits },
    {
      readMemory: () => state.memory,
      probe: (tell) => {
        onDelay = tell;
        return { look: () => void state.looks++, close: () => undefined };
      },
      random: () => state.dice,
      now: () => state.now,
      board,
      row: 1,
      onRefuseConnections: (refuse) => told.push(refuse),
    },
  );
  return {
    overload,
    board,
    told,
    state,
    begin: (requests: number) => {
      for (let i = 0; i < requests; i++) overload.begin(state.now);
    },
    end: (requests: number) => {
      for (let i = 0; i < requests; i++) overload.end();
    },
    /** A request comes, and waits `ms`. */
    delay: (ms: number): void => {
      state.now += 25 + ms;
      overload.begin(state.now);
      overload.end();
      onDelay(ms);
    },
    memory: (heap: number, process: number): void => {
      state.memory = { heap, process };
      state.now += 1000;
      overload.sweep(state.now);
    },
  };
}

const MANY = SIDECAR_LIMITS.overload.delayFrom;

describe('memory', () => {
  test.each([
    [0.919, { close: false, refuse: null, told: [] }],
    [0.92, { close: true, refuse: null, told: [] }],
    [0.95, { close: true, refuse: '95 % of its memory is taken', told: [] }],
    [0.98, { close: true, refuse: '98 % of its memory is taken', told: [true] }],
    [1.2, { close: true, refuse: '120 % of its memory is taken', told: [true] }],
  ])('at %d of either limit', (share, expected) => {
    for (const [heap, process] of [
      [share, 0],
      [0, share],
    ]) {
      const { overload, memory, told } = monitor();
      memory(heap!, process!);
      assert.deepEqual({ close: overload.disableKeepAlive, refuse: overload.refusal(), told }, expected);
    }
  });

  test('that is free again ends every step, each told once', () => {
    const { overload, memory, told, board } = monitor();
    memory(0.99, 0);
    memory(0.99, 0);
    memory(0.5, 0.5);
    assert.deepEqual([overload.disableKeepAlive, overload.refusal(), told], [false, null, [true, false]]);
    assert.equal(board.highest('refuseRequests') + board.highest('disableKeepAlive'), 0);
  });

  test('steps that are off are never taken', () => {
    const off = { disableKeepAlive: Infinity, refuseRequests: Infinity, refuseConnections: Infinity };
    const { overload, memory, told } = monitor({ overload: { ...SIDECAR_LIMITS.overload, ...off } });
    memory(2, 2);
    assert.deepEqual([overload.disableKeepAlive, overload.refusal(), told], [false, null, []]);
  });

  test('is looked at while requests come, and not with every one of them', () => {
    let reads = 0;
    const { overload, state, delay } = monitor();
    Object.defineProperty(state, 'memory', { get: () => ({ heap: (reads++, 0), process: 0 }) });
    for (let i = 0; i < 40; i++) delay(0);
    assert.ok(reads >= 3 && reads <= 5, `${reads} reads in a second`);
    assert.equal(overload.refusal(), null);
  });
});

describe('delay', () => {
  const limits = { overload: { ...SIDECAR_LIMITS.overload, delay: [40, 140] as const } };

  test('refuses in proportion between the thresholds, and says what it is', () => {
    const { overload, begin, delay, state, board } = monitor(limits);
    begin(MANY);
    for (let i = 0; i < 5; i++) delay(65);
    assert.deepEqual([board.get(1, 'delay'), board.get(1, 'refuseRequests'), board.get(1, 'delayMs')], [25, 25, 65]);
    state.dice = 0.24;
    assert.equal(overload.refusal(), 'a request waits 65 ms for its turn');
    state.dice = 0.26;
    assert.equal(overload.refusal(), null);
  });

  test('refuses everything above the upper threshold, nothing below the lower one', () => {
    const { overload, begin, delay, state } = monitor(limits);
    begin(MANY);
    state.dice = 0.999;
    for (let i = 0; i < 5; i++) delay(141);
    assert.notEqual(overload.refusal(), null);
    state.dice = 0;
    for (let i = 0; i < 5; i++) delay(40);
    assert.equal(overload.refusal(), null);
  });

  test('is what stands, not a pause of the garbage collector', () => {
    const { overload, begin, delay, state } = monitor(limits);
    begin(MANY);
    state.dice = 0;
    for (const ms of [2, 500, 3, 1, 90, 2, 1]) {
      delay(ms);
      assert.equal(overload.refusal(), null);
    }
    delay(500);
    delay(90);
    assert.equal(overload.refusal(), 'a request waits 90 ms for its turn');
  });

  test('with few requests under way is not theirs: a busy machine refuses nobody', () => {
    const { overload, begin, delay, state } = monitor(limits);
    begin(MANY - 1);
    state.dice = 0;
    for (let i = 0; i < 5; i++) delay(500);
    assert.equal(overload.refusal(), null);
  });

  test('is measured while requests come: often when many are under way, now and then when few are', () => {
    const { begin, end, state } = monitor(limits);
    const second = (): void => {
      for (let i = 0; i < 1000; i++) {
        begin(1);
        end(1);
        state.now += 1;
      }
    };
    assert.equal(state.looks, 0);
    second();
    assert.equal(state.looks, 2);
    begin(MANY);
    state.looks = 0;
    second();
    assert.ok(Math.abs(state.looks - 40) <= 1, `${state.looks}`);
  });

  test('of long ago says nothing of who comes now', () => {
    const { overload, begin, delay, state, board } = monitor(limits);
    begin(MANY);
    for (let i = 0; i < 5; i++) delay(500);
    assert.notEqual(overload.refusal(), null);
    state.now += 2000;
    begin(1);
    assert.equal(overload.refusal(), null);
    overload.sweep(state.now);
    assert.equal(board.get(1, 'delayMs'), 0);
  });

  test('that is off is not measured', () => {
    const { begin, state } = monitor({ overload: { ...SIDECAR_LIMITS.overload, delay: [Infinity, Infinity] } });
    begin(1);
    assert.equal(state.looks, 0);
  });
});

describe('requests under way', () => {
  test('beyond the limit are refused, and no longer when one is over', () => {
    const { overload, begin, end, memory, board } = monitor({ maxRequests: 3 });
    begin(3);
    assert.equal(overload.refusal(), null);
    begin(1);
    assert.equal(overload.refusal(), 'it has 3 requests under way');
    end(1);
    memory(0, 0);
    assert.deepEqual([board.get(1, 'requests'), board.get(1, 'requestPressure')], [3, 100]);
    end(1);
    begin(1);
    assert.equal(overload.refusal(), null);
  });
});
