/** CPU per request against the number of routes: the claim to check is that the curve is flat. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { memoryOf } from '../accounting.ts';
import { wrk } from '../load/wrk.ts';
import { randomProbes } from '../load/wrk-script.ts';
import { figure, markdown } from '../markdown.ts';
import { loaded, type Loaded } from '../measure.ts';
import { lineChart } from '../plot/lines.ts';
import { scratchFolder } from '../process.ts';
import { growth } from '../statistics.ts';
import { CONTENDERS } from '../targets/contender.ts';
import { manyRoutes, PLAIN, probe, sampleOf } from '../targets/job.ts';
import { employ, type Lab } from './lab.ts';
import { absentLines, picture, type Absent, type Suite } from './suite.ts';

/** `hosts`: ten routes on each host, as a mesh of many services has them. `one`: all on one host. */
type Shape = 'hosts' | 'one';
type Who = 'lateen' | 'envoy';
type Cell = {
  readonly who: Who;
  readonly shape: Shape;
  readonly routes: number;
  /** Until the first right answer. */
  readonly startMs: number;
  readonly load: Loaded;
  readonly pss: number;
};

export type RoutesData = {
  readonly seconds: number;
  readonly cells: readonly Cell[];
  readonly absent: readonly Absent[];
};

const COUNTS = [10, 100, 1000, 10_000];
const SHAPES: readonly { readonly shape: Shape; readonly what: string }[] = [
  { shape: 'hosts', what: '10 a host' },
  { shape: 'one', what: 'all on one host' },
];

export const ROUTES: Suite<RoutesData> = {
  id: 'routes',
  title: 'Cost against the number of routes',
  what: 'CPU per request with 10 to 10,000 routes (needs wrk)',
  run,
  section,
  plots: (data) => (data.cells.length === 0 ? [] : [{ file: 'routes.svg', svg: plot(data) }]),
};

async function run(lab: Lab): Promise<RoutesData> {
  const cells: Cell[] = [];
  const seconds = lab.seconds;
  if (lab.wrk === null) return { seconds, cells, absent: [{ who: 'routes', why: 'wrk is not installed' }] };
  const absent: Absent[] = CONTENDERS.map((c) => ({ who: c.id, why: c.missing() ?? '' })).filter((a) => a.why !== '');
  const present = CONTENDERS.filter((c) => c.missing() === null);
  for (const routes of COUNTS) {
    for (const { shape } of SHAPES) {
      for (const contender of present) {
        lab.say(`${contender.id} with ${routes} routes, ${shape}`);
        const perHost = shape === 'hosts' ? 10 : routes;
        const probes = sampleOf(routes, 500).map((n) => probe(n, routes, perHost));
        const job = { ...PLAIN, hosts: manyRoutes(routes, perHost) };
        const from = performance.now();
        await using running = await employ(lab, contender, { job, first: probes[0]! });
        const startMs = performance.now() - from;
        using folder = scratchFolder();
        const script = join(folder.path, 'probes.lua');
        writeFileSync(script, randomProbes(probes));
        const load = (s: number): ReturnType<typeof wrk> =>
          wrk(lab.wrk!, { ...running.target, headers: {} }, lab.connections, s, script);
        await load(lab.quick ? 1 : 2);
        const result = await loaded(running, () => load(seconds));
        cells.push({ who: contender.id, shape, routes, startMs, load: result, pss: memoryOf(running.pid).pss });
      }
    }
  }
  return { seconds, cells, absent };
}

function section({ seconds, cells, absent }: RoutesData): string {
  if (cells.length === 0) return absentLines(absent).trim();
  const find = (who: Who, shape: Shape, routes: number): Cell | undefined =>
    cells.find((c) => c.who === who && c.shape === shape && c.routes === routes);
  const curves = SHAPES.flatMap(({ shape, what }) =>
    (['lateen', 'envoy'] as const).map((who) => ({ who, shape, what })),
  );
  const lines = curves.map(({ who, shape, what }) => [
    `${who}, ${what}`,
    ...COUNTS.map((n) => figure(find(who, shape, n)?.load.cpuUs, 1)),
    figure(growth(cells.filter((c) => c.who === who && c.shape === shape).map((c) => c.load.cpuUs)), 2),
    figure((find(who, shape, 10_000)?.startMs ?? Number.NaN) / 1000, 1),
    figure((find(who, shape, 10_000)?.pss ?? Number.NaN) / 1e6, 0),
    String(cells.filter((c) => c.who === who && c.shape === shape).reduce((sum, c) => sum + c.load.errors, 0)),
  ]);
  const titles = ['µs/request', ...COUNTS.map((n) => `${n} routes`), 'last ÷ first', 'start s', 'PSS MB', 'errors'];
  return [
    `A third of the routes match by prefix, a third by exact path, a third by prefix and a header; the route that is asked for is random among 500 (the same for both), ${seconds} s of wrk a cell, nothing else switched on. *start* and *PSS* are those of 10,000 routes.`,
    '',
    markdown(titles, lines),
    absentLines(absent),
    '',
    picture('routes.svg', 'CPU per request by number of routes'),
  ].join('\n');
}

function plot({ cells }: RoutesData): string {
  const series = SHAPES.flatMap(({ shape, what }) =>
    (['lateen', 'envoy'] as const).map((who, colour) => ({
      name: `${who}, ${what}`,
      colour,
      dashed: shape === 'one',
      points: cells.filter((c) => c.who === who && c.shape === shape).map((c) => ({ x: c.routes, y: c.load.cpuUs })),
    })),
  );
  return lineChart({
    title: 'CPU per request by number of routes',
    description: 'Microseconds of CPU per request at saturation with 10 to 10,000 routes, matched route random.',
    x: { label: 'routes', log: true },
    y: { label: 'CPU per request (µs)', log: true },
    series,
  });
}
