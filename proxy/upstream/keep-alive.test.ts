import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { ms } from '../core/brand.ts';
import type { KeepAlive } from '../snapshot/cluster.ts';
import { setKeepAlive } from './keep-alive.ts';

function set(wanted: KeepAlive | null): unknown[] {
  let given: unknown[] = [];
  setKeepAlive({ setKeepAlive: (...args: unknown[]) => (given = args) } as unknown as Socket, wanted);
  return given;
}

test('without settings a host that vanished is noticed within some 70 s', () =>
  expect(set(null)).toEqual([true, 60_000, 1000, 10]));

test('settings are taken as they are, but for what the kernel cannot count', () => {
  expect(set({ idle: ms(30_000), interval: ms(5000), probes: 3 })).toEqual([true, 30_000, 5000, 3]);
  expect(set({ idle: ms(20), interval: ms(0), probes: 0 })).toEqual([true, 1000, 1000, 1]);
});

test("what is not set is the kernel's", () => {
  const [on, idle, interval, probes] = set({ idle: null, interval: null, probes: 5 });
  expect([on, probes]).toEqual([true, 5]);
  expect(idle).toBeGreaterThanOrEqual(1000);
  expect(interval).toBeGreaterThanOrEqual(1000);
  expect(Number.isInteger(idle)).toBe(true);
});
