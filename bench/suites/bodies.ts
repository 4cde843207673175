/** What big bodies cost: 1 MB down and 1 MB up. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { wrk } from '../load/wrk.ts';
import { uploads } from '../load/wrk-script.ts';
import { freePort, listening, scratchFolder, start } from '../process.ts';
import type { Place } from '../targets/candidate.ts';
import { cpuPlot, cpuTable, inTurns, type Cell } from './in-turns.ts';
import { FULL } from './jobs.ts';
import { employAll, type Lab } from './lab.ts';
import { absentLines, picture, type Absent, type Suite } from './suite.ts';

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
  plots: ({ cells }) => (cells.length === 0 ? [] : [{ file: 'bodies.svg', svg: plot(cells) }]),
};

/** A server in Node that answers GET /download with so many bytes, and reads a POST to its end before it answers. */
export async function bodyOrigin(lab: Lab, stack: AsyncDisposableStack, bytes: number): Promise<Place> {
  const address = lab.address();
  const port = await freePort(address);
  const program = fileURLToPath(new URL('../targets/body-origin.ts', import.meta.url));
  const child = stack.use(start('load', [process.execPath, program, address, String(port), String(bytes)]));
  await listening(child, address, port);
  return { host: address, port };
}

async function run(lab: Lab): Promise<BodiesData> {
  const base = { bytes: BYTES, connections: CONNECTIONS, seconds: lab.seconds };
  const { wrk: binary } = lab;
  if (binary === null) return { ...base, cells: [], absent: [{ who: 'bodies', why: 'wrk is not installed' }] };
  await using stack = new AsyncDisposableStack();
  using folder = scratchFolder();
  const script = join(folder.path, 'upload.lua');
  writeFileSync(script, uploads(BYTES));
  const origin = await bodyOrigin(lab, stack, BYTES);
  const { proxies, absent } = await employAll(lab, stack, { job: FULL, origin });
  const cells = await inTurns(lab, proxies, [
    { name: 'download', run: ({ target }, s) => wrk(binary, { ...target, path: '/download' }, CONNECTIONS, s) },
    { name: 'upload', run: ({ target }, s) => wrk(binary, target, CONNECTIONS, s, script) },
  ]);
  return { ...base, cells, absent };
}

function section({ cells, connections, seconds, bytes, absent }: BodiesData): string {
  if (cells.length === 0) return absentLines(absent).trim();
  return [
    `Everything on, ${connections} connections of wrk, upstream a server in Node that reads an upload to its end, ${cells[0]?.rounds.length ?? 0} × ${seconds} s in turns. Bodies are 10⁶ bytes, so µs/request is µs/MB.`,
    '',
    cpuTable(cells, 'MB', (l) => l.rps * (bytes / 1e6)),
    absentLines(absent),
    '',
    picture('bodies.svg', 'CPU per MB'),
  ].join('\n');
}

const plot = (cells: readonly Cell[]): string =>
  cpuPlot(
    cells,
    'CPU per MB of body',
    'Microseconds of CPU for one request with a body of one megabyte, down and up.',
    'CPU per MB (µs)',
  );
