import { describe, expect, test } from 'vitest';
import { FakeClock } from './fake-world.ts';
import { activeIn, untilQuiet } from './in-flight.ts';

test('what is in flight is told by the inbound clusters alone', () => {
  const page =
    'inbound|9080||::rq_active::2\ninbound|9080||::127.0.0.1:1::rq_active::2\ninbound|9081||::rq_active::1\ninbound|9080||::rq_pending_active::1\noutbound|9080||x::rq_active::9\n';
  expect(activeIn(page)).toBe(4);
});

describe('waiting until nothing is in flight', () => {
  for (const { it, answers, asked } of [
    { it: 'ends after two quiet looks in a row', answers: [3, 0, 1, 0, 0, 5], asked: 5 },
    { it: 'ends when the sidecar does not answer', answers: [3, null], asked: 2 },
    { it: 'ends when time is up', answers: Array.from({ length: 100 }, () => 1), asked: 20 },
  ]) {
    test(it, async () => {
      const clock = new FakeClock();
      let i = 0;
      const quiet = untilQuiet(clock, () => Promise.resolve(answers[i++] ?? null), '127.0.0.1', 500);
      await clock.pass(1000);
      await quiet;
      expect(i).toBe(asked);
    });
  }
});
