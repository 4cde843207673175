import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test, vi } from 'vitest';
import { Collector } from './settle.ts';

const MB = 1024 * 1024;

describe('the collector', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('collects once after a burst of work, and only when there is enough', () => {
    let used = 50 * MB;
    let collections = 0;
    const collector = new Collector(
      () => {
        collections++;
        used = 20 * MB;
      },
      () => used,
    );
    for (let i = 0; i < 5; i++) {
      collector.afterWork();
      vi.advanceTimersByTime(900);
    }
    assert.equal(collections, 0);
    vi.advanceTimersByTime(100);
    assert.equal(collections, 1);
    used += 3 * MB;
    collector.afterWork();
    vi.advanceTimersByTime(1000);
    assert.equal(collections, 1);
    used += 2 * MB;
    collector.afterWork();
    vi.advanceTimersByTime(1000);
    assert.equal(collections, 2);
  });
});
