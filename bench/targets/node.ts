/** Rivals and floors written for Node: each runs one of the scripts beside this file in a process of its own. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { freePort, listening, start } from '../process.ts';
import type { Candidate } from './candidate.ts';

/** `script` takes HOST PORT ORIGIN_HOST ORIGIN_PORT PACKAGE; `pack` is the package it needs from bench/node_modules. */
function nodeCandidate(id: string, script: string, pack: string | null): Candidate {
  return {
    id,
    profile: 'plain',
    version: () => (pack === null ? process.versions.node : versionOfPackage(pack)),
    missing: () => (pack !== null && versionOfPackage(pack) === null ? `${pack} is not in bench/node_modules` : null),
    async start({ address, origin }) {
      const port = await freePort(address);
      const program = fileURLToPath(new URL(script, import.meta.url));
      const child = start('proxy', [
        process.execPath,
        '--disable-warning=DEP0060',
        '--disable-warning=DEP0169',
        program,
        address,
        String(port),
        origin.host,
        String(origin.port),
        pack ?? '',
      ]);
      await listening(child, address, port);
      return {
        pid: child.pid,
        target: { host: address, port, path: '/', headers: { Host: 'bench.local' } },
        [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
      };
    },
  };
}

export const NODE_CANDIDATES: readonly Candidate[] = [
  nodeCandidate('tcp-relay', 'tcp-relay.ts', null),
  nodeCandidate('node-http', 'node-http.ts', null),
  nodeCandidate('http-proxy', 'http-proxy.ts', 'http-proxy'),
  nodeCandidate('http-proxy-3', 'http-proxy.ts', 'http-proxy-3'),
  nodeCandidate('reply-from', 'reply-from.ts', '@fastify/reply-from'),
];

function versionOfPackage(pack: string): string | null {
  try {
    const file = new URL(`../node_modules/${pack}/package.json`, import.meta.url);
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  } catch {
    return null;
  }
}
