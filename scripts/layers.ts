/** Checks who may import whom. Each room sees only rooms named above it, so no import can ever point back. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const MEANING = ['core', 'snapshot'];
const DATA = [...MEANING, 'live'];
const STAGES = ['listener', 'route', 'authz', 'traffic', 'balancer', 'upstream', 'response', 'telemetry'];

/** room → the rooms it may import, besides itself. Read it top to bottom: it is the architecture. */
const ROOMS: Record<string, readonly string[]> = {
  core: [],
  wire: ['core'],
  snapshot: ['core'],
  // The config path. It shares only core and snapshot with the request path.
  istio: ['core'],
  compile: [...MEANING, 'istio'],
  sources: [...MEANING, 'istio', 'compile'],
  // Names for the application beside the proxy: neither path.
  dns: MEANING,
  // The request path. No stage sees another; pipeline puts them in order.
  live: MEANING,
  ...Object.fromEntries(
    STAGES.map((stage) => [stage, ['listener', 'upstream'].includes(stage) ? [...DATA, 'wire'] : DATA]),
  ),
  pipeline: [...DATA, 'wire', ...STAGES],
  admin: [...DATA, 'upstream', 'telemetry', 'pipeline'],
};

/** Rooms whose functions answer from their arguments alone. */
const PURE = ['core', 'wire', 'istio', 'snapshot', 'compile'];
const EFFECTS = /^node:(fs|net|tls|dns|http|https|http2|dgram|child_process|worker_threads|timers)\b/;

/** What each neighbour of proxy/ may use of it. */
const NEIGHBOURS: Record<string, readonly string[]> = {
  'control-api': ['core', 'istio', 'snapshot', 'compile'],
  bookinfo: [],
};

const IMPORT = /^\s*(?:import|export)\b[^'"]*?\bfrom\s*'([^']+)'|^\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'/gm;
const faults: string[] = [];
const graph = new Map<string, string[]>();

const order = Object.keys(ROOMS);
for (const [room, seen] of Object.entries(ROOMS)) {
  for (const s of seen)
    if (order.indexOf(s) >= order.indexOf(room))
      faults.push(`scripts/layers.ts: ${room} stands above ${s}, which it imports`);
}

for (const file of globSync('proxy/*/**/*.ts')) {
  const [, room = ''] = file.split('/');
  if (!(room in ROOMS)) faults.push(`${file}: ${room}/ is not a room of scripts/layers.ts`);
  for (const specifier of importsOf(file)) {
    if (specifier.startsWith('#')) faults.push(`${file}: inside proxy/, import by path, not ${specifier}`);
    if (PURE.includes(room) && !file.endsWith('.test.ts') && EFFECTS.test(specifier))
      faults.push(`${file}: ${room}/ is pure and may not import ${specifier}`);
    if (!specifier.startsWith('.')) continue;
    const target = join(dirname(file), specifier);
    const [top, to = ''] = target.split('/');
    if (top !== 'proxy' || !(to in ROOMS)) faults.push(`${file}: ${specifier} leaves the rooms of proxy/`);
    else if (to !== room && !ROOMS[room]?.includes(to)) faults.push(`${file}: ${room}/ may not import ${to}/`);
    graph.set(file, [...(graph.get(file) ?? []), target]);
  }
}

for (const [top, may] of Object.entries(NEIGHBOURS)) {
  for (const file of globSync(`${top}/**/*.ts`)) {
    for (const specifier of importsOf(file)) {
      const room = /^#proxy\/([^/]+)/.exec(specifier)?.[1];
      if (room !== undefined && !may.includes(room)) faults.push(`${file}: ${top}/ may not import ${specifier}`);
    }
  }
}

const done = new Set<string>();
for (const file of graph.keys()) seekCycle(file, []);

for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;

function importsOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(IMPORT)].map(([, a, b, c]) => (a ?? b ?? c)!);
}

function seekCycle(file: string, path: readonly string[]): void {
  if (path.includes(file)) faults.push(`import cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
  if (path.includes(file) || done.has(file)) return;
  for (const next of graph.get(file) ?? []) seekCycle(next, [...path, file]);
  done.add(file);
}
