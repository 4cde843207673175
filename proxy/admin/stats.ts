/** `/stats`: counters under Envoy's names, one a line, out of what the workers know. */
import { compileRegex, regexProblem } from '../core/regex.ts';
import { CONTENT_TYPES } from '../telemetry/exposition-writer.ts';
import { sumClusterStates, type ClusterState } from './cluster-state.ts';
import type { AdminContext } from './context.ts';
import { formatFor } from './negotiate.ts';
import { json, text, type Answer, type Ask } from './http-service.ts';

/** `?filter=` (RE2, anywhere in the name), `?usedonly`, `?format=json|prometheus`. */
export async function stats(context: AdminContext, ask: Ask): Promise<Answer> {
  const { query } = ask;
  const format = query.get('format') ?? 'text';
  if (format === 'prometheus') return prometheus(context, ask);
  if (format !== 'text' && format !== 'json') return text(`format: expected text, json or prometheus\n`, 400);
  const filter = query.get('filter');
  const wanted = filter === null ? () => true : compileRegex(`(?s:.*)(?:${filter})(?s:.*)`);
  if (wanted === null) return text(`filter: ${regexProblem(filter ?? '')}\n`, 400);

  const usedOnly = query.has('usedonly');
  const shown = [
    ...serverStats(context),
    ...context.load(),
    ...sumClusterStates(await context.clusters()).flatMap(clusterStats),
  ]
    .filter(({ name, value }) => wanted(name) && !(usedOnly && value === 0))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (format === 'json') return json({ stats: shown });
  return text(shown.map(({ name, value }) => `${name}: ${value}\n`).join(''));
}

/** In the format that the scraper likes best. */
export function prometheus({ exposition }: AdminContext, { accept }: Ask): Answer {
  const format = formatFor(accept);
  return { status: 200, body: exposition.pages(format), type: CONTENT_TYPES[format] };
}

type Stat = { readonly name: string; readonly value: number };

function serverStats(context: AdminContext): Stat[] {
  const snapshot = context.snapshot();
  const { rss, heapUsed } = process.memoryUsage();
  return [
    { name: 'server.live', value: context.state() === 'LIVE' ? 1 : 0 },
    { name: 'server.state', value: ['LIVE', 'DRAINING', 'PRE_INITIALIZING', 'INITIALIZING'].indexOf(context.state()) },
    { name: 'server.uptime', value: Math.floor((Date.now() - context.startedAt) / 1000) },
    { name: 'server.memory_allocated', value: heapUsed },
    { name: 'server.memory_physical_size', value: rss },
    { name: 'listener_manager.total_listeners_active', value: snapshot?.listeners.length ?? 0 },
    { name: 'cluster_manager.active_clusters', value: Object.keys(snapshot?.clusters ?? {}).length },
  ];
}

function clusterStats(state: ClusterState): Stat[] {
  const under = `cluster.${state.name}.`;
  const total = state.endpoints.reduce((sum, endpoint) => sum + endpoint.total, 0);
  const errors = state.endpoints.reduce((sum, endpoint) => sum + endpoint.errors, 0);
  return [
    { name: `${under}upstream_cx_active`, value: state.connections },
    { name: `${under}upstream_rq_active`, value: state.active },
    { name: `${under}upstream_rq_pending_active`, value: state.pending },
    { name: `${under}upstream_rq_completed`, value: total },
    { name: `${under}upstream_rq_5xx`, value: errors },
    { name: `${under}membership_total`, value: state.endpoints.length },
    { name: `${under}membership_healthy`, value: state.endpoints.filter((endpoint) => endpoint.healthy).length },
  ];
}
