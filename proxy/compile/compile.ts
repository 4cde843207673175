/** Resources → what they mean for one proxy. The passes in order; pure, and total: it never throws. */
import { hash64 } from '../core/hash.ts';
import type { Problem } from '../istio/problem.ts';
import { ResourceSet } from '../istio/resource.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import type { Discovery } from '../snapshot/endpoints.ts';
import type { NameTable } from '../snapshot/name-table.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { RouteTable } from '../snapshot/route.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { clustersOf, type Outbound } from './clusters.ts';
import { type Context, type Part, readContext } from './context.ts';
import { withDefined } from './custom-telemetry.ts';
import type { MeshSettings } from './defaults.ts';
import { compileEgress } from './egress.ts';
import { endpointsOf } from './endpoints.ts';
import { freeze } from './freeze.ts';
import { compileGateway } from './gateway.ts';
import { compileInbound, type Inbound } from './inbound.ts';
import { compileOutbound } from './outbound.ts';
import { nameTable } from './name-table.ts';
import { separate } from './separate.ts';
import { compileTelemetry } from './telemetry.ts';
import { workloadTable } from './workloads.ts';

export type CompileResult = {
  readonly snapshot: Snapshot;
  /** Endpoints and workloads: they change most often, and are no part of `snapshot.version`. */
  readonly discovery: Discovery;
  /** For DNS capture; sidecars alone. */
  readonly names: NameTable;
  /** What could not be done as written. An `error` never takes another resource down with it. */
  readonly problems: readonly Problem[];
};

export function compile(resources: ResourceSet, node: ProxyNode, mesh: MeshSettings): CompileResult {
  try {
    return attempt(resources, node, mesh, []);
  } catch (e) {
    // Something came past validation with a shape nobody foresaw: everything is validated anew, and what fails is left out.
    const { sound, problems } = separate(resources);
    try {
      return attempt(sound, node, mesh, problems);
    } catch {
      const message = `could not be compiled: ${e instanceof Error ? (e.stack ?? e.message) : String(e)}`;
      return attempt(new ResourceSet([]), node, mesh, [...problems, { severity: 'error', path: '', message }]);
    }
  }
}

function attempt(
  resources: ResourceSet,
  node: ProxyNode,
  mesh: MeshSettings,
  before: readonly Problem[],
): CompileResult {
  const c = readContext(resources, node, mesh);
  const inbound: Inbound = node.role === 'sidecar' ? compileInbound(c) : { ...NOTHING, endpoints: {} };
  const parts = node.role === 'sidecar' ? [compileOutbound(c), compileEgress(c), inbound] : [compileGateway(c)];
  const outbound = outboundClusters(c, parts);
  const snapshot = assemble(c, parts, outbound);
  const endpoints = { ...endpointsOf(outbound, c.slices, c.book), ...inbound.endpoints };
  const discovery: Discovery = { endpoints: sorted(endpoints), workloads: workloadTable(c.book, node) };
  const names = node.role === 'sidecar' ? nameTable(c) : {};
  return { snapshot, discovery: freeze(discovery), names, problems: [...before, ...c.problems.list] };
}

const NOTHING: Part = { listeners: [], tables: [], clusters: [] };

/** A sidecar has those of every service it knows, a gateway those it routes to. */
function outboundClusters(c: Context, parts: readonly Part[]): readonly Outbound[] {
  const all = c.registry.services.flatMap((service) =>
    c.problems.guard(service.resource, [], () => clustersOf(service, c.destinationRules, c.book)),
  );
  if (c.node.role === 'sidecar') return all;
  const named = new Set<string>();
  for (const table of parts.flatMap((p) => p.tables)) for (const name of clustersIn(table)) named.add(name);
  for (const listener of parts.flatMap((p) => p.listeners)) {
    if (listener.kind !== 'tcp') continue;
    for (const { split } of listener.rules) for (const { cluster } of split) named.add(cluster);
  }
  return all.filter(({ cluster }) => named.has(cluster.name));
}

function clustersIn(table: RouteTable): readonly string[] {
  return table.virtualHosts.flatMap((host) =>
    host.routes.flatMap(({ action, mirrors }) => [
      ...(action.kind === 'forward' ? action.split.map((s) => s.cluster) : []),
      ...mirrors.map((m) => m.cluster),
    ]),
  );
}

/** Names in order, so that equal meaning is equal content, whatever order resources came in. */
function assemble(c: Context, parts: readonly Part[], outbound: readonly Outbound[]): Snapshot {
  const clusters: Record<string, Cluster> = {};
  for (const { cluster } of outbound) clusters[cluster.name] = cluster;
  for (const cluster of parts.flatMap((p) => p.clusters)) clusters[cluster.name] = cluster;
  const tables: Record<string, RouteTable> = {};
  for (const table of parts.flatMap((p) => p.tables)) tables[table.name] = table;
  const content = {
    node: structuredClone(c.node),
    listeners: parts.flatMap((p) => p.listeners),
    tables: sorted(tables),
    clusters: sorted(clusters),
    telemetry: withDefined(c, compileTelemetry(c)),
    pathNormalization: c.mesh.pathNormalization,
  };
  return freeze({ version: hash64(JSON.stringify(content)), ...content });
}

function sorted<T>(record: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(
    Object.keys(record)
      .sort()
      .map((key) => [key, record[key]!]),
  );
}
