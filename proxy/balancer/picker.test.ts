import { describe, expect, test } from 'vitest';
import type { Picker } from '../live/cluster.ts';
import { LiveEndpoint } from '../live/endpoint.ts';
import type { Balancing } from '../snapshot/cluster.ts';
import { makePicker } from './picker.ts';

const KINDS = ['ROUND_ROBIN', 'RANDOM', 'LEAST_REQUEST', 'PASSTHROUGH'] as const satisfies Balancing['kind'][];

describe('every picker', () => {
  for (const kind of KINDS) {
    test(`${kind} picks nobody when there is nobody, or nobody is healthy: no panic`, () => {
      const sick = endpoints(3);
      for (const endpoint of sick) endpoint.healthy = false;
      expect(makePicker({ kind }, [], dice())(null)).toBeNull();
      expect(makePicker({ kind }, sick, dice())(null)).toBeNull();
    });

    test(`${kind} leaves out the unhealthy, and finds every other`, () => {
      const all = endpoints(5);
      all[2]!.healthy = false;
      const counts = countOf(makePicker({ kind }, all, dice()), 500);
      expect([...counts.keys()].sort()).toEqual(['10.0.0.0:80', '10.0.0.1:80', '10.0.0.3:80', '10.0.0.4:80']);
    });

    test(`${kind} has no choice with one`, () => {
      const [one] = endpoints(1);
      expect(makePicker({ kind }, [one!], dice())(null)).toBe(one);
    });

    test(`${kind} follows the weights`, () => {
      const counts = countOf(makePicker({ kind }, endpoints(3, [1, 2, 7]), dice()), 10_000);
      [1000, 2000, 7000].forEach((wanted, i) =>
        expect(Math.abs(counts.get(`10.0.0.${i}:80`)! - wanted)).toBeLessThan(300),
      );
    });
  }
});

describe('requests one after the other', () => {
  for (const kind of ['ROUND_ROBIN', 'LEAST_REQUEST'] as const) {
    for (const start of [0, 1, 2, 1000]) {
      test(`are spread 10, 10, 10 over three by ${kind} that starts at ${start} (A3)`, () => {
        const counts = countOf(makePicker({ kind }, endpoints(3), dice(), start), 30);
        expect([...counts.values()]).toEqual([10, 10, 10]);
      });
    }
  }

  test('a new picker goes on where the old one was', () => {
    const first = makePicker({ kind: 'ROUND_ROBIN' }, endpoints(3), dice(), 0)(null)!;
    const second = makePicker({ kind: 'ROUND_ROBIN' }, endpoints(3), dice(), 1)(null)!;
    expect(second.key).not.toBe(first.key);
  });
});

describe('least request', () => {
  test('takes the one with the fewest in flight among few', () => {
    const all = endpoints(32);
    all.forEach((endpoint, i) => (endpoint.active = i === 17 ? 3 : 4));
    expect(makePicker({ kind: 'LEAST_REQUEST' }, all, dice())(null)).toBe(all[17]);
  });

  test('keeps requests in flight even, to within one, while they come and go', () => {
    const all = endpoints(7);
    const pick = makePicker({ kind: 'LEAST_REQUEST' }, all, dice());
    const roll = dice();
    const flying: LiveEndpoint[] = [];
    for (let i = 0; i < 2000; i++) {
      const endpoint = pick(null)!;
      const fewest = Math.min(...all.map(({ active }) => active));
      expect(endpoint.active).toBe(fewest);
      endpoint.active++;
      flying.push(endpoint);
      if (flying.length > 20) flying.splice(Math.floor(roll() * flying.length), 1)[0]!.active--;
    }
  });

  test('takes the less busy of two among many', () => {
    const all = endpoints(100);
    all.forEach((endpoint, i) => (endpoint.active = i < 50 ? 0 : 9));
    const counts = countOf(makePicker({ kind: 'LEAST_REQUEST' }, all, dice()), 4000);
    const busy = all.slice(50).reduce((sum, { key }) => sum + (counts.get(key) ?? 0), 0);
    // Both draws fall on the busy half in a quarter of all cases.
    expect(Math.abs(busy - 1000)).toBeLessThan(150);
  });

  test('with weights, load counts against weight', () => {
    const all = endpoints(2, [3, 1]);
    all[0]!.active = 2;
    const counts = countOf(makePicker({ kind: 'LEAST_REQUEST' }, all, dice()), 100);
    expect([...counts.values()]).toEqual([50, 50]);
  });
});

function endpoints(count: number, weights: readonly number[] = []): LiveEndpoint[] {
  return Array.from({ length: count }, (_, i) => {
    const endpoint = new LiveEndpoint(`10.0.0.${i}`, 80);
    endpoint.weight = weights[i] ?? 1;
    return endpoint;
  });
}

function countOf(pick: Picker, times: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i < times; i++) {
    const { key } = pick(null)!;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** A small generator with a fixed seed (Park and Miller's). */
function dice(seed = 42): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
