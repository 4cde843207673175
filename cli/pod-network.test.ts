import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { joined, watch } from './pod-network.ts';

describe('the network of a pod', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('is joined when its rules are set, and not when those of an earlier one are', async () => {
    let set: string | null = null;
    let done = false;
    const onLong = vi.fn();
    // Promises of node:timers/promises are no fake timers: a poll of its own kind is.
    const waiting = joined({ set: () => set, own: () => 'net:[2]' }, onLong, 1).then(() => (done = true));
    await vi.advanceTimersByTimeAsync(1000);
    set = 'net:[1]';
    await vi.advanceTimersByTimeAsync(4001);
    expect(done).toBe(false);
    expect(onLong).toHaveBeenCalledTimes(1);
    set = 'net:[2]';
    vi.useRealTimers();
    await waiting;
    expect(done).toBe(true);
  });

  test('is left when the rules are set in another one, once', () => {
    let set: string | null = 'net:[2]';
    const onMoved = vi.fn();
    watch({ set: () => set, own: () => 'net:[2]' }, onMoved, 100);
    vi.advanceTimersByTime(1000);
    // Whoever holds it is being started anew: which network it will have is not known.
    set = null;
    vi.advanceTimersByTime(1000);
    expect(onMoved).not.toHaveBeenCalled();
    set = 'net:[3]';
    vi.advanceTimersByTime(1000);
    expect(onMoved).toHaveBeenCalledTimes(1);
  });
});
