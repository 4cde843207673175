/** HAProxy as a plain HTTP proxy with one thread and shared upstream connections. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { versionOf } from '../machine.ts';
import { freePort, listening, start } from '../process.ts';
import { findBinary } from './binary.ts';
import type { Candidate } from './candidate.ts';

export const HAPROXY: Candidate = {
  id: 'haproxy',
  profile: 'plain',
  version: () => versionOf(findBinary('haproxy') ?? 'haproxy', '-v'),
  missing: () => (findBinary('haproxy') === null ? 'HAProxy is not installed' : null),
  async start({ address, origin, dir }) {
    const port = await freePort(address);
    const config = join(dir, 'haproxy.cfg');
    writeFileSync(
      config,
      `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind ${address}:${port}
  default_backend origin
backend origin
  server origin ${origin.host}:${origin.port} pool-max-conn 256
`,
    );
    const child = start('proxy', [findBinary('haproxy')!, '-db', '-f', config]);
    await listening(child, address, port);
    return {
      pid: child.pid,
      target: { host: address, port, path: '/', headers: { Host: 'bench.local' } },
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    };
  },
};
