import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { Loaded, Round } from './measure.ts';
import { intoPage } from './page.ts';
import { report, summarize, table, type Compared, type Measured } from './report.ts';

const load = (cpuUs: number, errors = 0): Loaded => ({
  tool: 'wrk',
  requests: 1000,
  errors,
  seconds: 1,
  latencyMs: { p50: 1, p90: 2, p99: 3, p999: null, max: 4 },
  lagMs: null,
  rps: 1000,
  cpuUs,
  cores: cpuUs / 1000,
});
const round = (cpuUs: number, fixedUs: number, errors = 0): Round => ({
  saturation: load(cpuUs, errors),
  autocannon: load(cpuUs),
  fixed: load(fixedUs),
  pss: 60e6,
  rss: 90e6,
});
const candidate = (id: string, profile: Measured['profile'], rounds: readonly Round[]): Measured => ({
  id,
  profile,
  version: '1.0.0',
  skipped: rounds.length === 0 ? 'it is not installed' : null,
  rounds,
});

describe('the report', () => {
  test('takes medians over the rounds and adds up all errors', () => {
    const summary = summarize([round(10, 30, 1), round(30, 50), round(20, 40, 2)]);
    assert.equal(summary?.cpuUs, 20);
    assert.equal(summary?.cpuSpread, 0.5);
    assert.equal(summary?.vcpuPer1000, 0.04);
    assert.equal(summary?.pssMb, 60);
    assert.equal(summary?.errors, 3);
  });

  test('has nothing to say of a candidate that never ran', () => assert.equal(summarize([]), null));

  test('compares each candidate with the Envoy of its own profile, and with nginx', () => {
    const text = table([
      candidate('lateen-full', 'full', [round(18, 36)]),
      candidate('envoy-plain', 'plain', [round(30, 60)]),
      candidate('envoy-full', 'full', [round(36, 90)]),
      candidate('nginx', 'plain', [round(12, 20)]),
    ]);
    const cells = cellsOf(text, 'lateen-full');
    assert.deepEqual(cells.slice(3, 5), ['0.50', '1.50']);
    assert.equal(cells[8], '0.40');
    assert.deepEqual(cellsOf(text, 'envoy-full').slice(3, 5), ['–', '3.00']);
  });

  test('compares with nobody when the peer was not measured', () => {
    assert.deepEqual(cellsOf(table([candidate('nginx', 'plain', [round(12, 20)])]), 'nginx').slice(3, 5), ['–', '–']);
  });

  test('names who was not measured, and why', () => {
    assert.match(table([candidate('haproxy', 'plain', [])]), /^haproxy: not measured, it is not installed$/m);
  });
});

const compared = (candidates: readonly Measured[]): Compared => ({
  origin: 'nginx',
  plan: { seconds: 5, warmUpSeconds: 3, connections: 64, rate: 1000, wrk: '4.1.0', rounds: 1 },
  candidates: candidates.map((each) => ({ ...each, summary: summarize(each.rounds) })),
});

describe('the whole report', () => {
  test('says whose requests failed', () => {
    const text = report(
      compared([candidate('ours', 'full', [round(12, 20, 2)]), candidate('nginx', 'plain', [round(12, 20, 1)])]),
    );
    assert.match(text, /^ours failed more than one request in a thousand/m);
    assert.doesNotMatch(text, /^nginx failed/m);
  });

  test('adds up errors of the loads that there were', () => {
    const { autocannon: _, ...rest } = round(12, 20, 1);
    assert.equal(summarize([{ ...rest, autocannon: null }])?.errors, 1);
  });

  test('replaces only what stands between the marks of a page', () => {
    const page =
      'before\n<!-- the next lines are written by npm run bench -- --docs -->\nold\n<!-- end of what is written -->\nafter\n';
    const next = intoPage(page, 'new');
    assert.match(next, /^before\n[^]*new\n[^]*after\n$/);
    assert.doesNotMatch(next, /old/);
    assert.equal(intoPage(next, 'new'), next);
  });

  test('does not write into a page without marks', () =>
    assert.throws(() => intoPage('page', 'new'), /needs the lines/));
});

function cellsOf(text: string, id: string): string[] {
  const line = text.split('\n').find((each) => each.startsWith(`| ${id} `));
  return (line ?? '')
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
