/** CPU per request, latency and memory against the number of open connections, at one total rate. */
import { memoryOf } from '../accounting.ts';
import { fixedRate } from '../load/fixed-rate.ts';
import { figure, markdown } from '../markdown.ts';
import { loaded, saturate, type Loaded } from '../measure.ts';
import { lineChart } from '../plot/lines.ts';
import { growth } from '../statistics.ts';
import type { Running } from '../targets/candidate.ts';
import { FULL } from './jobs.ts';
import { employAll, type Lab } from './lab.ts';
import { absentLines, picture, type Absent, type Suite } from './suite.ts';

type Who = 'lateen' | 'envoy';
type Cell = {
  readonly who: Who;
  readonly connections: number;
  readonly load: Loaded;
  /** Bytes, while they are all open. */
  readonly pss: number;
};

export type ConnectionsData = {
  readonly rate: number;
  readonly seconds: number;
  readonly cells: readonly Cell[];
  readonly absent: readonly Absent[];
};

const COUNTS = [1, 10, 100, 1000, 5000, 10_000];

export const CONNECTIONS: Suite<ConnectionsData> = {
  id: 'connections',
  title: 'Cost against the number of connections',
  what: 'CPU per request with 1 to 10,000 open connections at one total rate',
  run,
  section,
  plots: (data) => [{ file: 'connections.svg', svg: plot(data) }],
};

async function run(lab: Lab): Promise<ConnectionsData> {
  await using stack = new AsyncDisposableStack();
  const { proxies, absent } = await employAll(lab, stack, { job: FULL });
  for (const { running } of proxies) await saturate(running.target, lab, lab.warmUpSeconds);
  const rate = 2000;
  const seconds = lab.quick ? 1 : Math.max(3, lab.seconds);
  const cells: Cell[] = [];
  for (const connections of lab.quick ? [1, 100, 5000] : COUNTS) {
    // Each connection has its turn at least once.
    const longEnough = Math.max(seconds, Math.ceil((connections * 1.1) / rate));
    for (const { who, running } of proxies) {
      lab.say(`${who} with ${connections} connections`);
      cells.push({ who, connections, ...(await loadedWhileOpen(running, connections, rate, longEnough)) });
    }
  }
  return { rate, seconds, cells, absent };
}

/** Memory is read near the end of the load, while the connections are there. */
async function loadedWhileOpen(
  running: Running,
  connections: number,
  rate: number,
  seconds: number,
): Promise<Pick<Cell, 'load' | 'pss'>> {
  let pss = 0;
  const reading = setInterval(() => (pss = Math.max(pss, memoryOf(running.pid).pss)), 500);
  try {
    const load = await loaded(running, (begin) => fixedRate(running.target, connections, rate, seconds, begin));
    return { load, pss };
  } finally {
    clearInterval(reading);
  }
}

function section({ rate, seconds, cells, absent }: ConnectionsData): string {
  const counts = [...new Set(cells.map((c) => c.connections))];
  const of = (who: Who, n: number): Cell | undefined => cells.find((c) => c.who === who && c.connections === n);
  const line = (name: string, who: Who, digits: number, pick: (cell: Cell) => number): string[] => [
    `${who}, ${name}`,
    ...counts.map((n) => {
      const cell = of(who, n);
      return figure(cell === undefined ? null : pick(cell), digits);
    }),
    figure(growth(cells.filter((c) => c.who === who).map(pick)), 2),
  ];
  const rows = (['lateen', 'envoy'] as const).flatMap((who) => [
    line('µs/request', who, 1, (c) => c.load.cpuUs),
    line('p99 µs', who, 0, (c) => c.load.latencyMs.p99 * 1000),
    line('PSS MB', who, 0, (c) => c.pss / 1e6),
    line('errors', who, 0, (c) => c.load.errors),
  ]);
  return [
    `Everything on, ${rate} requests/s in all from the open loop for ${seconds} s or more; connections take turns, and each has at least one. Opening them is not in the cost. PSS is the highest while they are open.`,
    '',
    markdown(['', ...counts.map((n) => `${n} open`), 'last ÷ first'], rows),
    absentLines(absent),
    '',
    picture('connections.svg', 'CPU per request by number of open connections'),
  ].join('\n');
}

function plot({ rate, cells }: ConnectionsData): string {
  return lineChart({
    title: 'CPU per request by number of open connections',
    description: `Microseconds of CPU per request at ${rate} requests/s in all.`,
    x: { label: 'open connections', log: true },
    y: { label: 'CPU per request (µs)' },
    series: (['lateen', 'envoy'] as const).map((who) => ({
      name: who,
      points: cells.filter((c) => c.who === who).map((c) => ({ x: c.connections, y: c.load.cpuUs })),
    })),
  });
}
