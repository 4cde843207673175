/** A soak of seconds, so that the long one works when it is wanted, and its judge can see what it looks for. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { LlhttpReader } from '../conformance/llhttp.ts';
import type { Outcome } from './caller.ts';
import { judge, type Asked } from './judge.ts';
import { contentOf, Fleet } from './origin.ts';
import { slopePerHour, svgOf } from './report.ts';
import { soak } from './soak.ts';

describe('a soak', () => {
  test('of three seconds has no wrong answer, changes the configuration and meets faults', async () => {
    const { tally, samples, revisions, restarts, alive } = await soak({
      ms: 3000,
      rate: 150,
      seed: '20261121',
      concurrency: 1,
      ip: '127.43.9.1',
      sampleMs: 1000,
    });
    assert.deepEqual(tally.wrongs, []);
    assert.ok(alive && tally.right > 200 && tally.explained > 0, JSON.stringify(tally.classes));
    assert.ok(revisions > 1 && restarts > 0 && samples.length > 0);
    assert.ok(samples[0]!.rssMb > 10 && Object.keys(samples[0]!.metrics).length > 5);
  });
});

const ASKED: Asked = {
  id: 'a',
  kind: 'get',
  method: 'GET',
  path: '/',
  fault: 'none',
  body: '',
  size: 10,
  status: 200,
  version: null,
  denied: 'never',
};

function outcome(text: string, ended: Outcome['ended'] = 'kept'): Outcome {
  const reader = new LlhttpReader('response');
  reader.feed(Buffer.from(text, 'latin1'));
  reader.close();
  return { answers: reader.messages, ended, error: reader.error, fromMs: 0, toMs: 10 };
}

const answer = (id: string, body: string, origin = 'v1'): string =>
  `HTTP/1.1 200 OK\r\nx-origin: ${origin}\r\nx-echo-id: ${id}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const local = (status: number): string => `HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`;

describe('the judge calls wrong', () => {
  for (const [what, asked, heard, met] of [
    ['the answer of another request', {}, outcome(answer('b', contentOf('a', 10))), ['none']],
    ['a body that was changed', {}, outcome(answer('a', 'otherwise.')), ['none']],
    ['a whole answer after a fault that allows none', {}, outcome(answer('a', contentOf('a', 10))), ['rst-in-body']],
    ['an error that nothing explains', {}, outcome(local(503)), ['none']],
    ['an error of another kind than its fault', {}, outcome(local(500)), ['rst-before-head']],
    ['a cut connection that nothing explains', {}, outcome('', 'reset'), ['none']],
    ['a broken answer that ends like a whole one', {}, outcome(answer('a', '').slice(0, 30), 'end'), ['fin-in-body']],
    ['silence', {}, outcome('', 'late'), ['none']],
    ['the wrong version', { version: 'v2' }, outcome(answer('a', contentOf('a', 10))), ['none']],
    ['a denied request that was answered', { denied: 'always' }, outcome(answer('a', contentOf('a', 10))), []],
    ['a denied request that reached an origin', { denied: 'always' }, outcome(local(403)), ['none']],
  ] as const) {
    test(what, async () => {
      await using fleet = await Fleet.start([]);
      fleet.met.set('a', [...met]);
      assert.equal(judge({ ...ASKED, ...asked }, heard, 0, fleet).kind, 'wrong');
    });
  }

  test('and right what is right', async () => {
    await using fleet = await Fleet.start([]);
    fleet.met.set('a', ['rst-before-head', 'none']);
    assert.equal(judge(ASKED, outcome(answer('a', contentOf('a', 10))), 0, fleet).kind, 'right');
    assert.equal(fleet.met.size, 0);
  });
});

test('the slope of memory is that of its line, per hour', () => {
  const points = [0, 10, 20, 30].map((x) => [x, 50 + x / 100] as const);
  assert.ok(Math.abs(slopePerHour(points) - 36) < 1e-9);
  assert.equal(slopePerHour([[0, 1]]), 0);
  assert.match(svgOf([]), /^<svg .*<\/svg>\n$/s);
});
