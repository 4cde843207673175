import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import {
  canAccount,
  cpuTimeUs,
  memoryOf,
  parseRollup,
  parseSchedstat,
  parseStat,
  threadTimesUs,
} from './accounting.ts';

describe('accounting', () => {
  test('reads parent and CPU time from behind a name with spaces and parentheses', () => {
    const line = '42 (a) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 15 38 0 0 20 0 1 0 100 1000 50';
    assert.deepEqual(parseStat(line), { parent: 7, cpuUs: 530_000 });
  });

  for (const text of ['', '42', '42 (node', '42 (node) S x y']) {
    test(`finds nothing in ${JSON.stringify(text)}`, () => assert.equal(parseStat(text), null));
  }

  test('counts nanoseconds where the kernel does', () =>
    assert.equal(parseSchedstat('536038560 410480 20\n'), 536_038.56));
  test('does not take a kernel without counters for an idle process', () =>
    assert.equal(parseSchedstat('0 0 1\n'), null));
  test('reads nothing from nothing', () => assert.equal(parseSchedstat(''), null));

  test('tells proportional from resident memory', () => {
    const text =
      '5000-6000 ---p 00000000 00:00 0   [rollup]\nRss:    13540 kB\nPss:    12082 kB\nPss_Dirty:   6884 kB\n' +
      'Private_Clean:   4000 kB\nPrivate_Dirty:   6000 kB\nAnonymous:   5900 kB\n';
    assert.deepEqual(parseRollup(text), {
      rss: 13_540 * 1024,
      pss: 12_082 * 1024,
      own: 10_000 * 1024,
      anonymous: 5900 * 1024,
    });
  });

  test.skipIf(!canAccount())('sees work done by this process', () => {
    const before = cpuTimeUs(process.pid);
    let x = 0;
    for (const end = performance.now() + 60; performance.now() < end; x++);
    assert.ok(x > 0 && cpuTimeUs(process.pid) - before > 20_000);
    assert.ok(Math.max(...threadTimesUs(process.pid).values()) > 20_000);
    assert.ok(memoryOf(process.pid).rss > 10_000_000);
  });
});
