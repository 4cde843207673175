/** What big bodies cost: 1 MB down and 1 MB up. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { wrk } from '../load/wrk.ts';
import { uploads } from '../load/wrk-script.ts';
import { figure, markdown, ratio } from '../markdown.ts';
import { loaded, type Loaded } from '../measure.ts';
import { barChart } from '../plot/bars.ts';
import { freePort, listening, scratchFolder, start } from '../process.ts';
import { medianOf } from '../statistics.ts';
import type { Running } from '../targets/candidate.ts';
import { FULL } from './jobs.ts';
import { employAll, type Lab } from './lab.ts';
import { absentLines, picture, type Absent, type Suite } from './suite.ts';

type Who = 'lateen' | 'envoy';
type Way = 'download' | 'upload';
type Cell = { readonly who: Who; readonly way: Way; readonly rounds: readonly Loaded[] };

export type BodiesData = {
  readonly bytes: number;
  readonly connections: number;
  readonly seconds: number;
  readonly cells: readonly Cell[];
  readonly absent: readonly Absent[];
};

const BYTES = 1_000_000;
const CONNECTIONS = 8;

export const BODIES: Suite<BodiesData> = {
  id: 'bodies',
  title: 'Bodies of 1 MB',
  what: 'CPU per MB of downloads and uploads (needs wrk)',
  run,
  section,
  plots: (data) => (data.cells.length === 0 ? [] : [{ file: 'bodies.svg', svg: plot(data) }]),
};

async function run(lab: Lab): Promise<BodiesData> {
  const seconds = lab.seconds;
  const base = { bytes: BYTES, connections: CONNECTIONS, seconds };
  const { wrk: binary } = lab;
  if (binary === null) return { ...base, cells: [], absent: [{ who: 'bodies', why: 'wrk is not installed' }] };
  await using stack = new AsyncDisposableStack();
  using folder = scratchFolder();
  const script = join(folder.path, 'upload.lua');
  writeFileSync(script, uploads(BYTES));
  const address = lab.address();
  const port = await freePort(address);
  const program = fileURLToPath(new URL('../targets/body-origin.ts', import.meta.url));
  const child = stack.use(start('load', [process.execPath, program, address, String(port), String(BYTES)]));
  await listening(child, address, port);
  const { proxies, absent } = await employAll(lab, stack, { job: FULL, origin: { host: address, port } });
  const load = ({ target }: Running, way: Way, s: number): ReturnType<typeof wrk> =>
    way === 'download'
      ? wrk(binary, { ...target, path: '/download' }, CONNECTIONS, s)
      : wrk(binary, target, CONNECTIONS, s, script);
  const cells = (['download', 'upload'] as const).flatMap((way) =>
    proxies.map(({ who, running }) => ({ who, way, running, rounds: [] as Loaded[] })),
  );
  for (const { way, running } of cells) await load(running, way, 1);
  for (let round = 1; round <= lab.rounds; round++) {
    for (const { who, way, running, rounds } of cells) {
      lab.say(`round ${round} of ${lab.rounds}: ${way} through ${who}`);
      rounds.push(await loaded(running, () => load(running, way, seconds)));
    }
  }
  return { ...base, cells: cells.map(({ who, way, rounds }) => ({ who, way, rounds })), absent };
}

const median = (data: BodiesData, who: Who, way: Way, pick: (l: Loaded) => number): number | null =>
  medianOf(data.cells.find((c) => c.who === who && c.way === way)?.rounds ?? [], pick);

function section(data: BodiesData): string {
  if (data.cells.length === 0) return absentLines(data.absent).trim();
  const lines = data.cells.map(({ who, way, rounds }) => [
    `${who}, ${way}`,
    figure(
      median(data, who, way, (l) => l.cpuUs),
      0,
    ),
    who === 'envoy'
      ? '–'
      : ratio(
          median(data, who, way, (l) => l.cpuUs),
          median(data, 'envoy', way, (l) => l.cpuUs),
        ),
    figure(
      median(data, who, way, (l) => l.rps * (data.bytes / 1e6)),
      0,
    ),
    figure(
      median(data, who, way, (l) => l.cores),
      2,
    ),
    String(rounds.reduce((sum, r) => sum + r.errors, 0)),
  ]);
  return [
    `Everything on, ${data.connections} connections of wrk, upstream a server in Node that reads an upload to its end, ${data.cells[0]?.rounds.length ?? 0} × ${data.seconds} s in turns. Bodies are 10⁶ bytes, so µs/request is µs/MB.`,
    '',
    markdown(['', 'µs/MB', '× Envoy', 'MB/s', 'cores', 'errors'], lines),
    absentLines(data.absent),
    '',
    picture('bodies.svg', 'CPU per MB'),
  ].join('\n');
}

function plot(data: BodiesData): string {
  return barChart({
    title: 'CPU per MB of body',
    description: 'Microseconds of CPU for one request with a body of one megabyte, down and up.',
    label: 'CPU per MB (µs)',
    series: ['lateen', 'envoy'],
    rows: (['download', 'upload'] as const).map((way) => ({
      name: way,
      values: (['lateen', 'envoy'] as const).map((who) => median(data, who, way, (l) => l.cpuUs)),
    })),
    digits: 0,
  });
}
