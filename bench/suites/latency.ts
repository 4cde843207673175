/** Added latency at equal offered rates, from the moment each request was due, up to 90 % of what Envoy can do. */
import { fixedRate } from '../load/fixed-rate.ts';
import type { LoadResult, Target } from '../load/load.ts';
import { figure, markdown, ratio } from '../markdown.ts';
import { saturate } from '../measure.ts';
import { lineChart, type Series } from '../plot/lines.ts';
import { medianOf } from '../statistics.ts';
import { CONTENDERS } from '../targets/contender.ts';
import { HOST } from '../targets/job.ts';
import { FULL } from './jobs.ts';
import { employ, type Lab } from './lab.ts';
import { absentLines, picture, type Absent, type Suite } from './suite.ts';

type Who = 'direct' | 'lateen' | 'envoy';
export type Percentile = 'p50' | 'p90' | 'p99' | 'p999';
type Cell = { readonly who: Who; readonly rate: number; readonly rounds: readonly LoadResult[] };

export type LatencyData = {
  readonly connections: number;
  readonly seconds: number;
  /** Requests/s of `capacityOf` at saturation with everything on; null when it was not measured. */
  readonly capacity: number;
  readonly capacityOf: 'envoy' | 'lateen';
  readonly cells: readonly Cell[];
  readonly absent: readonly Absent[];
};

const SHARES = [0.1, 0.25, 0.5, 0.75, 0.9];
const PERCENTILES: readonly Percentile[] = ['p50', 'p90', 'p99', 'p999'];
/** Above this (ms, 99th percentile) the generator was itself too late to judge tails of a few hundred microseconds. */
const LATE_MS = 0.5;

export const LATENCY: Suite<LatencyData> = {
  id: 'latency',
  title: 'Added latency at equal rates',
  what: 'open loop at fixed rates, percentiles from the scheduled time, proxy minus direct',
  run,
  section,
  plots: (data) => [
    { file: 'latency-p99.svg', svg: plot(data, 'p99', 'Added latency, 99th percentile') },
    { file: 'latency-p50.svg', svg: plot(data, 'p50', 'Added latency, median') },
  ],
};

async function run(lab: Lab): Promise<LatencyData> {
  await using stack = new AsyncDisposableStack();
  const absent: Absent[] = [];
  const { host, port } = lab.origin;
  const direct: Target = { host, port, path: '/reviews/0', headers: { Host: HOST } };
  const targets: { who: Who; target: Target }[] = [{ who: 'direct', target: direct }];
  for (const contender of CONTENDERS) {
    const why = contender.missing();
    if (why === null)
      targets.push({ who: contender.id, target: stack.use(await employ(lab, contender, { job: FULL })).target });
    else absent.push({ who: contender.id, why });
  }
  // The last is Envoy where there is one; all are warmed up.
  let capacity = 0;
  for (const { who, target } of targets.slice(1)) {
    lab.say(`capacity of ${who}`);
    await saturate(target, lab, lab.warmUpSeconds);
    const { requests, seconds } = await saturate(target, lab, lab.quick ? 1 : 3);
    capacity = requests / seconds;
  }
  const rates = [lab.rate, ...SHARES.map((share) => Math.round(capacity * share))].sort((a, b) => a - b);
  const seconds = lab.seconds;
  const cells = rates.flatMap((rate) => targets.map(({ who }) => ({ who, rate, rounds: [] as LoadResult[] })));
  const lastRound = Math.max(1, lab.rounds - 1);
  for (let round = 1; round <= lastRound; round++) {
    for (const [i, { who, rate, rounds }] of cells.entries()) {
      lab.say(`round ${round} of ${lastRound}: ${who} at ${rate}/s`);
      const { target } = targets[i % targets.length]!;
      rounds.push(await fixedRate(target, lab.connections, rate, seconds));
    }
  }
  const capacityOf = targets.at(-1)?.who === 'envoy' ? 'envoy' : 'lateen';
  return { connections: lab.connections, seconds, capacity, capacityOf, cells, absent };
}

/** Median over the rounds of (proxy's percentile − direct's percentile in the same round), in ms. Null when either is missing. */
export function added(data: Pick<LatencyData, 'cells'>, who: Who, rate: number, percentile: Percentile): number | null {
  const of = (name: Who): readonly LoadResult[] =>
    data.cells.find((cell) => cell.who === name && cell.rate === rate)?.rounds ?? [];
  const direct = of('direct');
  return medianOf(of(who), (round) => {
    const base = direct[of(who).indexOf(round)]?.latencyMs[percentile];
    const value = round.latencyMs[percentile];
    return base === null || base === undefined || value === null ? null : value - base;
  });
}

const ratesOf = ({ cells }: LatencyData): readonly number[] => [...new Set(cells.map(({ rate }) => rate))];

function section(data: LatencyData): string {
  const rates = ratesOf(data);
  const us = (ms: number | null): string => figure(ms === null ? null : ms * 1000, 0);
  const line = (rate: number): string[] => [
    String(rate),
    figure((rate / data.capacity) * 100, 0),
    ...(['p50', 'p99'] as const).map((p) => us(medianOf(cellOf(data, 'direct', rate), (r) => r.latencyMs[p]))),
    ...(['lateen', 'envoy'] as const).flatMap((who) => PERCENTILES.map((p) => us(added(data, who, rate, p)))),
    ratio(added(data, 'lateen', rate, 'p99'), added(data, 'envoy', rate, 'p99')),
    us(lagOf(data, rate)),
    String(data.cells.filter((c) => c.rate === rate).reduce((sum, c) => sum + errorsOf(c.rounds), 0)),
  ];
  const titles = [
    ...['requests/s', '% of capacity', 'direct p50', 'direct p99'],
    ...['lateen', 'envoy'].flatMap((who) => ['p50', 'p90', 'p99', 'p99.9'].map((p) => `${who} +${p}`)),
    ...['× Envoy p99', 'generator late p99', 'errors'],
  ];
  const late = rates.filter((rate) => (lagOf(data, rate) ?? 0) > LATE_MS);
  return [
    `Everything on (profile \`full\`), ${data.connections} connections, ${data.cells[0]?.rounds.length ?? 0} × ${data.seconds} s a cell in turns. Capacity is ${data.capacityOf}'s at saturation: ${Math.round(data.capacity)} requests/s. **All times in microseconds**; \`+\` is the proxy's percentile minus that of the direct way in the same round, median over rounds.`,
    '',
    markdown(titles, rates.map(line)),
    absentLines(data.absent),
    '',
    picture('latency-p99.svg', 'Added p99 latency by offered rate'),
    picture('latency-p50.svg', 'Added median latency by offered rate'),
    ...(late.length === 0
      ? []
      : [
          '',
          `At ${late.join(', ')} requests/s the generator itself was late by more than ${LATE_MS} ms: no verdict on tails there.`,
        ]),
  ].join('\n');
}

const cellOf = ({ cells }: LatencyData, who: Who, rate: number): readonly LoadResult[] =>
  cells.find((c) => c.who === who && c.rate === rate)?.rounds ?? [];

/** The worst of the three ways: what is subtracted must not be late either. */
function lagOf(data: LatencyData, rate: number): number | null {
  const lags = data.cells.filter((c) => c.rate === rate).map((c) => medianOf(c.rounds, (r) => r.lagMs) ?? 0);
  return lags.length === 0 ? null : Math.max(...lags);
}

const errorsOf = (rounds: readonly LoadResult[]): number => rounds.reduce((sum, r) => sum + r.errors, 0);

function plot(data: LatencyData, percentile: Percentile, title: string): string {
  const series: Series[] = (['lateen', 'envoy'] as const).map((who) => ({
    name: who,
    points: ratesOf(data).map((rate) => ({ x: rate, y: (added(data, who, rate, percentile) ?? Number.NaN) * 1000 })),
  }));
  return lineChart({
    title,
    description: `Proxy minus direct by offered rate: ${percentile} in microseconds, open loop, from the scheduled time.`,
    x: { label: 'offered requests/s' },
    y: { label: 'added latency (µs)', log: true },
    series,
  });
}
