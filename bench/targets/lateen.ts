/** Ours, as its users start it: a sidecar's outbound side, and a gateway, which is where one hop does everything at once. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, listening, start } from '../process.ts';
import type { Candidate, Profile, Running, Surroundings } from './candidate.ts';

/** Starts ours as users do. */
export const lateenCommand = fileURLToPath(new URL('../../lateen', import.meta.url));
const packageFile = new URL('../../package.json', import.meta.url);

function candidate(id: string, role: 'sidecar' | 'gateway', profile: Profile): Candidate {
  return {
    id,
    profile,
    version: () => (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version,
    missing: () => null,
    start: (around) => startLateen(role, profile, around),
  };
}

export const LATEEN: readonly Candidate[] = [
  candidate('lateen-plain', 'sidecar', 'plain'),
  candidate('lateen-sidecar', 'sidecar', 'full'),
  candidate('lateen-full', 'gateway', 'full'),
  candidate('lateen-traced', 'gateway', 'traced'),
];

async function startLateen(role: 'sidecar' | 'gateway', profile: Profile, around: Surroundings): Promise<Running> {
  const { address, origin, collector, dir } = around;
  const config = join(dir, 'config');
  mkdirSync(config, { recursive: true });
  const values: Readonly<Record<string, string>> = { originHost: origin.host, originPort: String(origin.port) };
  const template = readFileSync(
    new URL(profile === 'plain' ? 'lateen-plain.yaml' : 'lateen.yaml', import.meta.url),
    'utf8',
  );
  writeFileSync(
    join(config, 'bench.yaml'),
    template.replace(/\$([a-zA-Z]+)/g, (whole, name: string) => values[name] ?? whole),
  );

  const port = await freePort(address);
  const telemetry =
    profile === 'plain'
      ? ['--access-log', 'off', '--tracing', '0']
      : [
          '--access-log',
          join(dir, 'lateen-access.log'),
          '--tracing',
          profile === 'traced' ? '100' : '1',
          '--zipkin',
          `http://${collector.host}:${collector.port}`,
        ];
  const place =
    role === 'gateway'
      ? ['gateway', '--port-map', `80=${port}`]
      : ['sidecar', '--workload', 'bench-v1', '--labels', 'app=bench,version=v1', '--outbound-port', String(port)];
  const child = start('proxy', [
    lateenCommand,
    ...place,
    '--config',
    config,
    '--ip',
    address,
    '--concurrency',
    '1',
    ...telemetry,
  ]);
  await listening(child, address, port);
  return {
    pid: child.pid,
    target: { host: address, port, path: '/reviews/0', headers: { Host: 'reviews.bench' } },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
