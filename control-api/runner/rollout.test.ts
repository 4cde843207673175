import { array, assert, integer, nat, oneof, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextStep, rolloutOf } from './rollout.ts';

describe('a rolling update', () => {
  test.each([
    [1, {}, { maxSurge: 1, maxUnavailable: 0 }],
    [10, {}, { maxSurge: 3, maxUnavailable: 2 }],
    [3, { maxSurge: 0, maxUnavailable: 0 }, { maxSurge: 0, maxUnavailable: 1 }],
    [4, { maxSurge: '50%', maxUnavailable: 1 }, { maxSurge: 2, maxUnavailable: 1 }],
  ])('of %i with %j means %j', (desired, strategy, expected) =>
    expect(rolloutOf(desired, strategy)).toEqual({ desired, ...expected }),
  );

  test('never asks for too many or for too few, and ends with the new ones alone', () => {
    const share = oneof(
      nat(4),
      nat(100).map((n) => `${n}%`),
    );
    assert(
      property(
        integer({ min: 1, max: 12 }),
        share,
        share,
        array(nat(6), { maxLength: 3 }),
        (desired, maxSurge, maxUnavailable, olds) => {
          const rollout = rolloutOf(desired, { maxSurge, maxUnavailable });
          let older = olds;
          let newest = 0;
          const ceiling = Math.max(
            desired + rollout.maxSurge,
            olds.reduce((a, b) => a + b, 0),
          );
          // Everything asked for comes up between two steps.
          for (let i = 0; i < 100; i++) {
            const before = [newest, ...older].reduce((a, b) => a + b, 0);
            const next = nextStep(
              rollout,
              { replicas: newest, available: newest },
              older.map((n) => ({ replicas: n, available: n })),
            );
            const kept = Math.min(newest, next.newest) + next.older.reduce((a, b) => a + b, 0);
            expect(kept).toBeGreaterThanOrEqual(Math.min(before, desired - rollout.maxUnavailable));
            expect(next.newest + older.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(ceiling);
            [newest, older] = [next.newest, next.older];
          }
          expect([newest, older.reduce((a, b) => a + b, 0)]).toEqual([desired, 0]);
        },
      ),
    );
  });
});
