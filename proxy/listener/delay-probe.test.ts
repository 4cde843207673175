import assert from 'node:assert/strict';
import { test } from 'vitest';
import { delayProbe } from './delay-probe.ts';

test('a loop that is kept busy is late, one that is not is not, and one look is one look', async () => {
  const told: number[] = [];
  let next = Promise.withResolvers<void>();
  const probe = delayProbe((ms) => {
    told.push(ms);
    next.resolve();
  });
  const hold = setInterval(() => undefined, 1000);
  probe.look();
  probe.look();
  const to = performance.now() + 60;
  while (performance.now() < to);
  await next.promise;
  for (let i = 0; i < 5; i++) {
    next = Promise.withResolvers<void>();
    probe.look();
    await next.promise;
  }
  probe.close();
  clearInterval(hold);
  assert.equal(told.length, 6);
  assert.ok(told[0]! >= 60, `${told[0]} ms`);
  assert.ok(Math.min(...told) < 10, `${told.join(', ')} ms`);
});
