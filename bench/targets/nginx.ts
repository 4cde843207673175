/** nginx as a plain reverse proxy with one worker and kept-alive upstream connections. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { versionOf } from '../machine.ts';
import { freePort, listening, start } from '../process.ts';
import { findBinary } from './binary.ts';
import type { Candidate } from './candidate.ts';

export const NGINX: Candidate = {
  id: 'nginx',
  profile: 'plain',
  version: () => versionOf(findBinary('nginx') ?? 'nginx', '-v'),
  missing: () => (findBinary('nginx') === null ? 'nginx is not installed' : null),
  async start({ address, origin, dir }) {
    const port = await freePort(address);
    const config = join(dir, 'nginx.conf');
    writeFileSync(
      config,
      `
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  upstream origin { server ${origin.host}:${origin.port}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 3600s; }
  server {
    listen ${address}:${port} backlog=1024;
    location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
  }
}
`,
    );
    const child = start('proxy', [findBinary('nginx')!, '-p', dir, '-c', config]);
    await listening(child, address, port);
    return {
      pid: child.pid,
      target: { host: address, port, path: '/', headers: { Host: 'bench.local' } },
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    };
  },
};
