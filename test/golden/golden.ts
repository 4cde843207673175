/**
 * How a golden file reads. Its head is comments that choose the proxy and what to print of it:
 *
 *     # print: routes 9080 reviews.default.svc.cluster.local    what, and names that narrow it (one table, one virtual host)
 *     # fields: match, action.split.cluster                     of each thing printed, only these (optional)
 *     # with: bookinfo                                          resources of bookinfo.base.yaml besides (optional)
 *     # node: { labels: { app: ratings } }                      changes to the proxy, as YAML (optional)
 *     # mesh: { outboundTrafficPolicy: REGISTRY_ONLY }          changes to the mesh settings (optional)
 *
 * What can be printed: routes, clusters, listeners, authz, connect, captured, endpoints, workloads, telemetry, problems, analysis.
 */
import { parse as parseYaml } from 'yaml';
import { analyze } from '#proxy/compile/analyze.ts';
import { compile, type CompileResult } from '#proxy/compile/compile.ts';
import { DEFAULT_MESH, DEFAULT_NAMESPACE, type MeshSettings } from '#proxy/compile/defaults.ts';
import { canonicalOf } from '#proxy/compile/workloads.ts';
import { parseText } from '#proxy/istio/parse.ts';
import type { Problem } from '#proxy/istio/problem.ts';
import { ResourceSet } from '#proxy/istio/resource.ts';
import type { ProxyNode } from '#proxy/snapshot/node.ts';

export const SEPARATOR = '\n----------\n';

export type Golden = {
  readonly written: string;
  readonly expected: string;
  readonly print: string;
  readonly names: readonly string[];
  readonly fields: readonly string[] | null;
  readonly base: string | null;
  readonly node: Partial<ProxyNode>;
  readonly mesh: Partial<MeshSettings>;
};

export function parseGolden(text: string): Golden {
  const [written = '', expected = ''] = text.split(SEPARATOR);
  const head = new Map<string, string>();
  for (const [, key, value] of written.matchAll(/^# (print|fields|with|node|mesh): *(.+)$/gm)) head.set(key!, value!);
  const [print = '', ...names] = (head.get('print') ?? '').split(/\s+/);
  return {
    written,
    expected,
    print,
    names,
    fields: head.get('fields')?.split(/,\s*/) ?? null,
    base: head.get('with') ?? null,
    node: (parseYaml(head.get('node') ?? '{}') ?? {}) as Partial<ProxyNode>,
    mesh: (parseYaml(head.get('mesh') ?? '{}') ?? {}) as Partial<MeshSettings>,
  };
}

/** What the golden asks for: a value, or a text of problems. */
export function shown(golden: Golden, readBase: (name: string) => string): unknown {
  const base =
    golden.base === null ? [] : parseText(readBase(golden.base), { defaultNamespace: DEFAULT_NAMESPACE }).resources;
  const { resources, problems } = parseText(golden.written, { defaultNamespace: DEFAULT_NAMESPACE });
  const refused = problems.filter((p) => p.severity === 'error');
  if (refused.length > 0 && golden.print !== 'problems')
    throw new Error(`the golden itself is refused: ${told(refused)}`);
  const set = new ResourceSet([...base, ...resources]);
  const mesh = { ...DEFAULT_MESH, ...golden.mesh };
  const result = compile(set, nodeOf(golden.node), mesh);
  if (golden.print === 'problems') return told([...problems, ...result.problems]);
  if (golden.print === 'analysis') return told(analyze(set, mesh));
  return narrowed(pick(result, golden), golden.fields);
}

/** productpage's sidecar of the base, unless the golden says otherwise. */
function nodeOf(changes: Partial<ProxyNode>): ProxyNode {
  const labels = changes.labels ?? { app: 'productpage', version: 'v1' };
  return {
    name: 'proxy',
    namespace: 'default',
    workload: 'proxy',
    serviceAccount: 'default',
    labels,
    ip: '10.0.0.9',
    ...canonicalOf(labels, 'proxy'),
    cluster: 'Kubernetes',
    role: 'sidecar',
    trustDomain: 'cluster.local',
    rootNamespace: 'istio-system',
    portMap: {},
    interception: 'NONE',
    appPorts: {},
    ...changes,
  };
}

function pick({ snapshot, discovery }: CompileResult, { print, names }: Golden): unknown {
  switch (print) {
    case 'routes': {
      const [table, host] = names;
      if (table === undefined) return Object.values(snapshot.tables);
      const hosts = snapshot.tables[table]?.virtualHosts ?? [];
      if (host === undefined) return hosts;
      return hosts.find((h) => h.name === host || h.name.startsWith(`${host}:`))?.routes ?? null;
    }
    case 'clusters':
      return names.length === 0
        ? Object.values(snapshot.clusters)
        : names.map((name) => snapshot.clusters[name] ?? null);
    case 'listeners':
      return snapshot.listeners.filter(({ name }) => names.length === 0 || names.includes(name));
    case 'authz':
      return snapshot.listeners.find(({ name }) => name === names[0])?.authz ?? null;
    case 'connect':
      return snapshot.listeners.flatMap((l) => (l.kind === 'http' && l.forwardProxy !== null ? [l.forwardProxy] : []));
    case 'captured':
      return snapshot.listeners.flatMap((l) => (l.kind === 'http' && l.direction === names[0] && l.captured) || [])[0];
    case 'endpoints':
      return Object.fromEntries(names.map((name) => [name, discovery.endpoints[name] ?? null]));
    case 'workloads':
      return names.length === 0 ? discovery.workloads : names.map((ip) => discovery.workloads[ip] ?? null);
    case 'telemetry':
      return snapshot.telemetry;
    default:
      throw new Error(`a golden's first line says what to print; got "${print}"`);
  }
}

/** Each thing with only the fields asked for (`action.split.cluster` goes down), at whatever depth of lists it stands. */
function narrowed(value: unknown, fields: readonly string[] | null): unknown {
  if (fields === null || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => narrowed(item, fields));
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => {
      const below = fields.flatMap((f) => (f.startsWith(`${key}.`) ? [f.slice(key.length + 1)] : []));
      if (fields.includes(key)) return [[key, inner]];
      return below.length === 0 ? [] : [[key, narrowed(inner, below)]];
    }),
  );
}

/** One line a problem, the most serious first. */
function told(problems: readonly Problem[]): string {
  const lines = problems.map(({ severity, code, resource, path, message }) => {
    const about = resource === undefined ? '' : `${resource.kind} ${resource.namespace}/${resource.name}`;
    return `${severity}${code === undefined ? '' : ` ${code}`} ${about}${path === '' ? '' : ` ${path}`}: ${message}`;
  });
  return lines.length === 0 ? 'none' : lines.sort().join('\n');
}

const WIDTH = 110;

/** JSON that breaks only what does not fit a line. */
export function render(value: unknown, indent = ''): string {
  if (typeof value === 'string' && indent === '') return value;
  const flat = flatly(value);
  if (flat.length + indent.length <= WIDTH || typeof value !== 'object' || value === null) return flat;
  const inner = `${indent}  `;
  if (Array.isArray(value)) return `[\n${value.map((v) => inner + render(v, inner)).join(',\n')}\n${indent}]`;
  const entries = Object.entries(value).map(([k, v]) => `${inner}${JSON.stringify(k)}: ${render(v, inner)}`);
  return `{\n${entries.join(',\n')}\n${indent}}`;
}

function flatly(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[${value.map(flatly).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${flatly(v)}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}
