/** The upstream of every candidate: 400 bytes of JSON, from nginx where installed, else from a raw socket in Node. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, listening, start, type Child } from '../process.ts';
import { findBinary } from './binary.ts';
import { BODY } from './origin-body.ts';
import type { Place } from './candidate.ts';

export type Origin = AsyncDisposable & { readonly kind: 'nginx' | 'node'; readonly place: Place };

/** Runs on the load's core. `dir` takes its config. */
export async function startOrigin(address: string, dir: string): Promise<Origin> {
  const port = await freePort(address);
  const nginx = findBinary('nginx');
  const child = nginx === null ? startNode(address, port) : startNginx(nginx, address, port, dir);
  await listening(child, address, port);
  return {
    kind: nginx === null ? 'node' : 'nginx',
    place: { host: address, port },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

function startNode(address: string, port: number): Child {
  const program = fileURLToPath(new URL('raw-origin.ts', import.meta.url));
  return start('load', [process.execPath, program, address, String(port)]);
}

function startNginx(nginx: string, address: string, port: number, dir: string): Child {
  const config = join(dir, 'origin.conf');
  writeFileSync(
    config,
    `
daemon off;
master_process off;
worker_processes 1;
pid ${dir}/origin.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_body_temp_path ${dir}/origin-body;
  proxy_temp_path ${dir}/origin-proxy;
  fastcgi_temp_path ${dir}/origin-fastcgi;
  uwsgi_temp_path ${dir}/origin-uwsgi;
  scgi_temp_path ${dir}/origin-scgi;
  server {
    listen ${address}:${port} backlog=1024;
    location / { default_type application/json; return 200 '${BODY}'; }
  }
}
`,
  );
  return start('load', [nginx, '-p', dir, '-c', config]);
}
