/** What bytes cost that nobody reads: a TCP listener of each, with its metrics and its log. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { wrk } from '../load/wrk.ts';
import { uploads } from '../load/wrk-script.ts';
import { scratchFolder } from '../process.ts';
import { bodyOrigin } from './bodies.ts';
import { cpuPlot, cpuTable, inTurns, type Cell } from './in-turns.ts';
import { OPAQUE } from './jobs.ts';
import { employAll, type Lab } from './lab.ts';
import { absentLines, picture, type Absent, type Suite } from './suite.ts';

export type TcpData = {
  readonly bytes: number;
  readonly connections: number;
  readonly seconds: number;
  /** `cells`: each request carries `bytes`; `small`: 400 bytes on a kept connection, and on a new one each. */
  readonly cells: readonly Cell[];
  readonly small: readonly Cell[];
  readonly absent: readonly Absent[];
};

const BYTES = 1_000_000;
const CONNECTIONS = 8;

export const TCP: Suite<TcpData> = {
  id: 'tcp',
  title: 'TCP',
  what: 'CPU per MB, per exchange and per connection of opaque TCP (needs wrk)',
  run,
  section,
  plots: ({ cells }) => (cells.length === 0 ? [] : [{ file: 'tcp.svg', svg: plot(cells) }]),
};

async function run(lab: Lab): Promise<TcpData> {
  const base = { bytes: BYTES, connections: CONNECTIONS, seconds: lab.seconds };
  const { wrk: binary } = lab;
  if (binary === null) return { ...base, cells: [], small: [], absent: [{ who: 'tcp', why: 'wrk is not installed' }] };
  await using stack = new AsyncDisposableStack();
  using folder = scratchFolder();
  const script = join(folder.path, 'upload.lua');
  writeFileSync(script, uploads(BYTES));
  const origin = await bodyOrigin(lab, stack, BYTES);
  const { proxies, absent } = await employAll(lab, stack, { job: OPAQUE, origin });
  const cells = await inTurns(lab, proxies, [
    { name: 'to the client', run: ({ target }, s) => wrk(binary, { ...target, path: '/download' }, CONNECTIONS, s) },
    { name: 'from the client', run: ({ target }, s) => wrk(binary, target, CONNECTIONS, s, script) },
  ]);
  const small = await inTurns(lab, proxies, [
    { name: '400 bytes and their answer', run: ({ target }, s) => wrk(binary, target, 64, s) },
    {
      name: 'a connection each',
      run: ({ target }, s) => {
        const headers = { ...target.headers, Connection: 'close' };
        return wrk(binary, { ...target, headers }, CONNECTIONS, s);
      },
    },
  ]);
  return { ...base, cells, small, absent };
}

function section({ cells, small, connections, seconds, bytes, absent }: TcpData): string {
  if (cells.length === 0) return absentLines(absent).trim();
  return [
    `A listener that relays bytes to one place, with Istio's metrics and access log; wrk speaks HTTP through it, which neither reads. ${connections} connections, pieces of 10⁶ bytes, ${cells[0]?.rounds.length ?? 0} × ${seconds} s in turns.`,
    '',
    cpuTable(cells, 'MB', (l) => l.rps * (bytes / 1e6)),
    '',
    'Small ones: on 64 kept connections, and on a new connection each.',
    '',
    cpuTable(small, 'exchange', (l) => l.rps),
    absentLines(absent),
    '',
    picture('tcp.svg', 'CPU per MB of opaque TCP'),
  ].join('\n');
}

const plot = (cells: readonly Cell[]): string =>
  cpuPlot(
    cells,
    'CPU per MB of opaque TCP',
    'Microseconds of CPU for a megabyte that is relayed unread, to the client and from it.',
    'CPU per MB (µs)',
  );
