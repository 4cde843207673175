/** Istio's own latency recipe: fortio, 1 kB, 1000 requests/s, 2 to 64 connections; client's and server's sidecar in a row minus none. */
import { findFortio, fortio } from '../load/fortio.ts';
import type { LoadResult, Target } from '../load/load.ts';
import { versionOf } from '../machine.ts';
import { figure, markdown, ratio } from '../markdown.ts';
import { cpuTimeUs } from '../accounting.ts';
import { lineChart } from '../plot/lines.ts';
import { freePort, listening, start } from '../process.ts';
import type { Place } from '../targets/candidate.ts';
import { CONTENDERS, type Contender } from '../targets/contender.ts';
import { HOST } from '../targets/job.ts';
import { CLIENT, SERVER } from './jobs.ts';
import { employ, type Lab } from './lab.ts';
import { absentLines, picture, type Absent, type Suite } from './suite.ts';

type Who = 'baseline' | 'lateen' | 'envoy';
type Cell = {
  readonly who: Who;
  readonly connections: number;
  readonly result: LoadResult;
  /** vCPU per 1000 requests/s of one of the two proxies; null for the baseline. */
  readonly vcpuPer1000: number | null;
};

export type IstioData = {
  readonly fortio: string | null;
  readonly qps: number;
  readonly seconds: number;
  readonly cells: readonly Cell[];
  readonly absent: readonly Absent[];
};

const PATH = '/echo?size=1024';

export const ISTIO: Suite<IstioData> = {
  id: 'istio',
  title: "Istio's recipe: two sidecars minus none",
  what: 'fortio, 1 kB, 1000 qps, 2 to 64 connections, `both` minus `baseline` (needs fortio)',
  run,
  section,
  plots: (data) => (data.cells.length === 0 ? [] : [{ file: 'istio-added.svg', svg: plot(data) }]),
};

type Path = { readonly who: Who; readonly target: Target; readonly pids: readonly number[] };

async function run(lab: Lab): Promise<IstioData> {
  const binary = findFortio();
  const seconds = lab.quick ? 1 : lab.seconds + 1;
  const qps = 1000;
  if (binary === null) {
    const why = 'fortio is not installed (go install fortio.org/fortio@latest, or LATEEN_FORTIO)';
    return { fortio: null, qps, seconds, cells: [], absent: [{ who: 'fortio', why }] };
  }
  await using stack = new AsyncDisposableStack();
  const echo = await startEcho(stack, binary, lab.address());
  const paths: Path[] = [{ who: 'baseline', target: { ...echo, path: PATH, headers: { Host: HOST } }, pids: [] }];
  const absent: Absent[] = [];
  for (const contender of CONTENDERS) {
    const why = contender.missing();
    if (why === null) paths.push(await both(stack, lab, contender, echo));
    else absent.push({ who: contender.id, why });
  }
  const cells: Cell[] = [];
  for (const { target } of paths) await fortio(binary, target, 16, qps, lab.quick ? 1 : 4);
  for (const connections of lab.quick ? [2, 64] : [2, 4, 8, 16, 32, 64]) {
    for (const { who, target, pids } of paths) {
      lab.say(`${who} with ${connections} connections`);
      const spent = (): number => pids.reduce((sum, pid) => sum + cpuTimeUs(pid), 0);
      const before = spent();
      const result = await fortio(binary, target, connections, qps, seconds);
      const vcpu = (spent() - before) / Math.max(1, result.requests) / 1000 / Math.max(1, pids.length);
      cells.push({ who, connections, result, vcpuPer1000: pids.length === 0 ? null : vcpu });
    }
  }
  return { fortio: versionOf(binary, 'version'), qps, seconds, cells, absent };
}

/** fortio's own echo server, as in the recipe. */
async function startEcho(stack: AsyncDisposableStack, binary: string, address: string): Promise<Place> {
  const port = await freePort(address);
  const off = ['grpc', 'tcp', 'udp', 'redirect'].flatMap((name) => [`-${name}-port`, 'disabled']);
  const command = [binary, 'server', '-http-port', `${address}:${port}`, ...off, '-ui-path', '', '-loglevel', 'Error'];
  const child = stack.use(start('load', command));
  await listening(child, address, port);
  return { host: address, port };
}

/** load → client's sidecar → server's sidecar → echo. */
async function both(stack: AsyncDisposableStack, lab: Lab, contender: Contender, echo: Place): Promise<Path> {
  const first = null;
  const server = stack.use(await employ(lab, contender, { job: SERVER, as: 'server', origin: echo, first }));
  const origin = { host: server.target.host, port: server.target.port };
  const client = stack.use(await employ(lab, contender, { job: CLIENT, as: 'client', origin, first }));
  return { who: contender.id, target: { ...client.target, path: PATH }, pids: [client.pid, server.pid] };
}

function find(data: IstioData, who: Who, connections: number): Cell | undefined {
  return data.cells.find((cell) => cell.who === who && cell.connections === connections);
}

/** `both` minus `baseline`, in ms. */
function added(data: IstioData, who: Who, connections: number, p: 'p50' | 'p90' | 'p99'): number | null {
  const [with_, without] = [find(data, who, connections), find(data, 'baseline', connections)];
  const [high, low]: readonly (number | null | undefined)[] = [with_, without].map((c) => c?.result.latencyMs[p]);
  return typeof high === 'number' && typeof low === 'number' ? high - low : null;
}

const connectionsOf = (data: IstioData): number[] => [...new Set(data.cells.map((cell) => cell.connections))];

function section(data: IstioData): string {
  const percentiles = ['p50', 'p90', 'p99'] as const;
  const us = (ms: number | null | undefined): string => figure(ms === undefined || ms === null ? null : ms * 1000, 0);
  const lines = connectionsOf(data).map((n) => [
    String(n),
    ...percentiles.map((p) => us(find(data, 'baseline', n)?.result.latencyMs[p])),
    ...(['lateen', 'envoy'] as const).flatMap((who) => percentiles.map((p) => us(added(data, who, n, p)))),
    ratio(added(data, 'lateen', n, 'p99'), added(data, 'envoy', n, 'p99')),
    figure(find(data, 'lateen', n)?.vcpuPer1000, 3),
    figure(find(data, 'envoy', n)?.vcpuPer1000, 3),
    String(data.cells.filter((c) => c.connections === n).reduce((sum, c) => sum + c.result.errors, 0)),
  ]);
  const titles = [
    'connections',
    ...percentiles.map((p) => `baseline ${p}`),
    ...['lateen', 'envoy'].flatMap((who) => percentiles.map((p) => `${who} +${p}`)),
    ...['× Envoy p99', 'lateen vCPU/1000 rps', 'envoy vCPU/1000 rps', 'errors'],
  ];
  const how = `fortio ${data.fortio ?? ''}: ${data.qps} requests/s in all, jitter, 1 kB answers from its own echo server, ${data.seconds} s a cell (Istio: 240 s). Client's sidecar (routes, header operations, log, 1 % traces) and server's sidecar (policy, log, 1 % traces) in a row, on one core, **without mutual TLS**, which Istio's published figures include. Times in microseconds, \`+\`: \`both\` minus \`baseline\`; vCPU: of one proxy.`;
  if (data.cells.length === 0) return absentLines(data.absent).trim();
  return [
    how,
    '',
    markdown(titles, lines),
    absentLines(data.absent),
    '',
    picture('istio-added.svg', "Istio's recipe: added latency by connections"),
  ].join('\n');
}

function plot(data: IstioData): string {
  const series = (['lateen', 'envoy'] as const).flatMap((who, colour) =>
    (['p90', 'p99'] as const).map((p) => ({
      name: `${who} ${p}`,
      colour,
      dashed: p === 'p90',
      points: connectionsOf(data).map((x) => ({ x, y: Math.max(0, (added(data, who, x, p) ?? Number.NaN) * 1000) })),
    })),
  );
  return lineChart({
    title: "Istio's recipe: latency added by two sidecars",
    description: `fortio at ${data.qps} requests/s, 1 kB, both minus baseline, by connections.`,
    x: { label: 'connections' },
    y: { label: 'added latency (µs)' },
    series,
  });
}
