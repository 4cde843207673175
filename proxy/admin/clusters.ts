/** `/clusters`: every endpoint with its counters, in Envoy's text form and in its JSON form. */
import { sumClusterStates, type ClusterState, type EndpointState } from './cluster-state.ts';
import type { AdminContext } from './context.ts';
import { json, text, type Answer, type Ask } from './http-service.ts';

export async function clusters(context: AdminContext, { query }: Ask): Promise<Answer> {
  const states = sumClusterStates(await context.clusters());
  if (query.get('format') === 'json') return json({ cluster_statuses: states.map(clusterJson) });
  return text(states.map(clusterText).join(''));
}

function clusterText(state: ClusterState): string {
  const { name } = state;
  const lines = [
    `${name}::observability_name::${name}`,
    `${name}::default_priority::max_connections::${state.maxConnections}`,
    `${name}::default_priority::max_pending_requests::${state.maxPendingRequests}`,
    `${name}::default_priority::max_requests::${state.maxRequests}`,
    `${name}::cx_active::${state.connections}`,
    `${name}::rq_active::${state.active}`,
    `${name}::rq_pending_active::${state.pending}`,
  ];
  for (const endpoint of state.endpoints) {
    const at = `${name}::${endpoint.key}`;
    for (const { name, value } of endpointStats(endpoint)) lines.push(`${at}::${name}::${value}`);
    lines.push(
      `${at}::hostname::${endpoint.workload ?? ''}`,
      `${at}::health_flags::${endpoint.healthy ? 'healthy' : '/failed_eds_health'}`,
      `${at}::weight::${endpoint.weight}`,
      `${at}::locality::${endpoint.locality}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function clusterJson(state: ClusterState): object {
  return {
    name: state.name,
    observability_name: state.name,
    circuit_breakers: {
      thresholds: [
        {
          max_connections: state.maxConnections,
          max_pending_requests: state.maxPendingRequests,
          max_requests: state.maxRequests,
        },
      ],
    },
    host_statuses: state.endpoints.map((endpoint) => ({
      address: { socket_address: { address: endpoint.address, port_value: endpoint.port } },
      stats: endpointStats(endpoint).map(({ name, value, type }) => ({ name, value: `${value}`, type })),
      health_status: { eds_health_status: endpoint.healthy ? 'HEALTHY' : 'UNHEALTHY' },
      weight: endpoint.weight,
      hostname: endpoint.workload ?? '',
      locality: localityJson(endpoint.locality),
    })),
  };
}

function endpointStats(endpoint: EndpointState): { name: string; value: number; type: 'GAUGE' | 'COUNTER' }[] {
  return [
    { name: 'rq_active', value: endpoint.active, type: 'GAUGE' },
    { name: 'rq_error', value: endpoint.errors, type: 'COUNTER' },
    { name: 'rq_success', value: endpoint.total - endpoint.errors, type: 'COUNTER' },
    { name: 'rq_total', value: endpoint.total, type: 'COUNTER' },
  ];
}

function localityJson(locality: string): object {
  const [region = '', zone = '', subZone = ''] = locality.split('/');
  return { ...(region && { region }), ...(zone && { zone }), ...(subZone && { sub_zone: subZone }) };
}
