/** Two workers against one: what each costs at the same load, and how evenly they share it. */
import { threadTimesUs } from '../accounting.ts';
import { fixedRate } from '../load/fixed-rate.ts';
import type { LoadResult } from '../load/load.ts';
import { figure, markdown, ratio } from '../markdown.ts';
import { saturate } from '../measure.ts';
import { medianOf } from '../statistics.ts';
import { CONTENDERS, type Contender } from '../targets/contender.ts';
import type { Running } from '../targets/candidate.ts';
import { FULL } from './jobs.ts';
import { employ, type Lab } from './lab.ts';
import { absentLines, type Absent, type Suite } from './suite.ts';

type Who = 'lateen' | 'envoy';
/** CPU microseconds per answered request: of all threads, and of the one that had most to do. */
export type Share = {
  readonly allUs: number;
  readonly busiestUs: number;
  readonly rps: number;
  readonly errors: number;
};
type Round = { readonly fixed: Share; readonly saturation: Share };
type Cell = { readonly who: Who; readonly workers: number; readonly rounds: readonly Round[] };

export type WorkersData = {
  readonly rate: number;
  readonly seconds: number;
  readonly connections: number;
  readonly cells: readonly Cell[];
  readonly absent: readonly Absent[];
};

export const WORKERS: Suite<WorkersData> = {
  id: 'workers',
  title: 'Two workers against one',
  what: '`--concurrency 2`: CPU per request, balance, throughput',
  run,
  section,
  plots: () => [],
};

async function run(lab: Lab): Promise<WorkersData> {
  const absent: Absent[] = CONTENDERS.map((c) => ({ who: c.id, why: c.missing() ?? '' })).filter((a) => a.why !== '');
  const present = CONTENDERS.filter((c) => c.missing() === null);
  const [rate, seconds] = [5000, lab.seconds];
  const connections = 128;
  const cells = present.flatMap(({ id }) => [1, 2].map((workers) => ({ who: id, workers, rounds: [] as Round[] })));
  const lastRound = Math.max(1, lab.rounds - 1);
  for (let round = 1; round <= lastRound; round++) {
    for (const { who, workers, rounds } of cells) {
      lab.say(`round ${round} of ${lastRound}: ${who} with ${workers}`);
      const contender = present.find(({ id }) => id === who)!;
      rounds.push(await one({ ...lab, connections }, contender, workers, rate, seconds));
    }
  }
  return { rate, seconds, connections, cells, absent };
}

async function one(lab: Lab, contender: Contender, workers: number, rate: number, seconds: number): Promise<Round> {
  await using running = await employ(lab, contender, { job: FULL, workers, role: 'any' });
  await saturate(running.target, lab, lab.quick ? 1 : 2);
  const fixed = await shared(running, () => fixedRate(running.target, lab.connections, rate, seconds));
  const saturation = await shared(running, () => saturate(running.target, lab, seconds));
  return { fixed, saturation };
}

async function shared({ pid }: Running, load: () => Promise<LoadResult>): Promise<Share> {
  const before = threadTimesUs(pid);
  const { requests, errors, seconds } = await load();
  return { ...shareOf(before, threadTimesUs(pid), requests), rps: requests / seconds, errors };
}

/** What the threads spent between two readings, per request; one that is new started from 0. */
export function shareOf(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  requests: number,
): Pick<Share, 'allUs' | 'busiestUs'> {
  const spent = [...after].map(([thread, us]) => us - (before.get(thread) ?? 0));
  const answered = Math.max(1, requests);
  return { allUs: spent.reduce((sum, us) => sum + us, 0) / answered, busiestUs: Math.max(0, ...spent) / answered };
}

/** How many times the load two workers can take when neither lacks a core: the busiest thread sets the limit. */
function scaling(data: WorkersData, who: Who): number | null {
  const [one, two] = [1, 2].map((n) => of(data, who, n, (r) => r.fixed.busiestUs));
  return one === null || two === null || one === undefined || two === undefined ? null : one / two;
}

const of = (data: WorkersData, who: Who, workers: number, pick: (round: Round) => number): number | null =>
  medianOf(data.cells.find((c) => c.who === who && c.workers === workers)?.rounds ?? [], pick);

function section(data: WorkersData): string {
  const lines = data.cells.map(({ who, workers, rounds }) => [
    `${who}, ${workers}`,
    figure(
      of(data, who, workers, (r) => r.fixed.allUs),
      1,
    ),
    figure(
      of(data, who, workers, (r) => r.fixed.busiestUs),
      1,
    ),
    workers === 1 ? '–' : figure(scaling(data, who), 2),
    figure(
      of(data, who, workers, (r) => r.saturation.allUs),
      1,
    ),
    figure(
      of(data, who, workers, (r) => r.saturation.rps),
      0,
    ),
    workers === 1
      ? '–'
      : ratio(
          of(data, who, 2, (r) => r.saturation.rps),
          of(data, who, 1, (r) => r.saturation.rps),
        ),
    String(rounds.reduce((sum, r) => sum + r.fixed.errors + r.saturation.errors, 0)),
  ]);
  const titles = [
    'workers',
    'µs/request',
    'busiest thread',
    'scaling',
    'µs/request, saturated',
    'requests/s',
    '×',
    'errors',
  ];
  return [
    `Everything on, ${data.connections} connections, ${data.cells[0]?.rounds.length ?? 0} × ${data.seconds} s; the proxy on any core, load and upstream on one. The first three columns are at ${data.rate} requests/s offered to both, where nobody is short of a core. *scaling* is the busiest thread's CPU per request with one worker over that with two: how many times the load two workers take **if each has a core to itself**. It counts what sharing costs and how unevenly the kernel deals out connections. It does not count what only shows with both cores full (caches, memory). The throughput at the right is what this machine gave when the second worker had to fight load and upstream for its core: no measure of scaling with fewer than four cores.`,
    '',
    markdown(titles, lines),
    absentLines(data.absent),
  ].join('\n');
}
