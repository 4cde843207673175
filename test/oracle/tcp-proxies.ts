/** The same listeners for opaque connections, as Envoy is told of them and as we are. */
import { clusterName, ms } from '#proxy/core/brand.ts';
import type { Cluster } from '#proxy/snapshot/cluster.ts';
import type { TcpListener, TcpRule } from '#proxy/snapshot/listener.ts';
import { cluster } from '../kit/proxy.ts';
import type { Place } from './scenario.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';

export const IDLE_MS = 200;
export const OLD_MS = 200;
const CONNECT_MS = 300;

/** Listeners that lead to the cluster of their own name. */
const PLAIN = [
  ...['echo', 'count', 'greet', 'last', 'much', 'silent', 'resetAtOnce', 'resetAtData', 'resetAfterAll'],
  ...['refused', 'hole', 'empty', 'idle', 'old', 'limited'],
];
export const CLUSTERS = [...PLAIN, 'heavy', 'light', 'exact', 'wild', 'any', 'raw'];
/** Listeners with the same ranges, on addresses of which each is in another one. */
export const RANGES = ['127.48.8.1', '127.48.9.1', '127.44.9.1'];
export const LISTENERS = [...PLAIN, 'split', 'names', ...RANGES];
const SPLIT = [
  ['heavy', 60],
  ['light', 40],
] as const;

const socket = ({ host, port }: Place): object => ({ socket_address: { address: host, port_value: port } });
const seconds = (milliseconds: number): string => `${milliseconds / 1000}s`;

/** Names of listeners are theirs in both; null: a cluster without endpoints. */
export function envoyConfig(address: string, places: Readonly<Record<string, Place | null>>, log: string): object {
  return {
    admin: { address: socket({ host: address, port: 0 }) },
    static_resources: {
      listeners: LISTENERS.map((name) => ({
        name,
        address: socket({ host: RANGES.includes(name) ? name : address, port: 0 }),
        ...chains(name, log),
      })),
      clusters: CLUSTERS.map((name) => ({
        name,
        connect_timeout: seconds(CONNECT_MS),
        type: 'STATIC',
        load_assignment: {
          cluster_name: name,
          endpoints: [{ lb_endpoints: places[name] ? [{ endpoint: { address: socket(places[name]) } }] : [] }],
        },
        ...(name === 'limited' ? { circuit_breakers: { thresholds: [{ max_connections: 1 }] } } : {}),
      })),
    },
  };
}

function chains(listener: string, log: string): object {
  const one = (to: string, match: object = {}): object => ({
    name: to,
    ...match,
    filters: [{ name: 'envoy.filters.network.tcp_proxy', typed_config: tcpProxy(to, log) }],
  });
  const matching = (to: string, match: object): object => one(to, { filter_chain_match: match });
  const prefix = (address_prefix: string, prefix_len: number): object => ({
    prefix_ranges: [{ address_prefix, prefix_len }],
  });
  if (listener === 'names') {
    return {
      listener_filters: [
        {
          name: 'envoy.filters.listener.tls_inspector',
          typed_config: { '@type': `${TYPE}.filters.listener.tls_inspector.v3.TlsInspector` },
        },
      ],
      filter_chains: [
        matching('exact', { server_names: ['a.example'] }),
        matching('wild', { server_names: ['*.wild.example'] }),
        matching('any', { transport_protocol: 'tls' }),
        matching('raw', { transport_protocol: 'raw_buffer' }),
      ],
    };
  }
  if (!RANGES.includes(listener)) return { filter_chains: [one(listener)] };
  const ranges = [matching('exact', prefix('127.48.8.0', 24)), matching('wild', prefix('127.48.0.0', 16))];
  return { filter_chains: [...ranges, one('any')] };
}

function tcpProxy(to: string, log: string): object {
  const format = {
    remote: '%DOWNSTREAM_REMOTE_ADDRESS%',
    local: '%DOWNSTREAM_LOCAL_ADDRESS%',
    flags: '%RESPONSE_FLAGS%',
    cluster: '%UPSTREAM_CLUSTER_RAW%',
    received: '%BYTES_RECEIVED%',
    sent: '%BYTES_SENT%',
    name: '%REQUESTED_SERVER_NAME%',
  };
  const clusters = SPLIT.map(([name, weight]) => ({ name, weight }));
  return {
    '@type': `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: to,
    ...(to === 'split' ? { weighted_clusters: { clusters } } : { cluster: to }),
    ...(to === 'idle' ? { idle_timeout: seconds(IDLE_MS) } : {}),
    ...(to === 'old' ? { max_downstream_connection_duration: seconds(OLD_MS) } : {}),
    access_log: [
      {
        name: 'envoy.access_loggers.file',
        typed_config: {
          '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`,
          path: log,
          log_format: { json_format: format },
        },
      },
    ],
  };
}

export function ourClusters(): readonly Cluster[] {
  return CLUSTERS.map((name) =>
    cluster(name, {
      protocol: 'tcp',
      connectTimeout: ms(CONNECT_MS),
      ...(name === 'idle' ? { tcpIdleTimeout: ms(IDLE_MS) } : {}),
      ...(name === 'old' ? { maxConnectionDuration: ms(OLD_MS) } : {}),
      ...(name === 'limited' ? { maxConnections: 1 } : {}),
    }),
  );
}

export function ourListeners(address: string): readonly TcpListener[] {
  return LISTENERS.map((name) => ({
    kind: 'tcp',
    name,
    address: RANGES.includes(name) ? name : address,
    port: 0,
    direction: 'gateway',
    authz: null,
    rules: rulesOf(name),
  }));
}

function rulesOf(listener: string): readonly TcpRule[] {
  const to = (name: string, over: Partial<TcpRule> = {}): TcpRule => ({
    destinations: [],
    serverNames: [],
    split: [{ cluster: clusterName(name), weight: 1 }],
    source: null,
    ...over,
  });
  if (listener === 'split')
    return [to('', { split: SPLIT.map(([name, weight]) => ({ cluster: clusterName(name), weight })) })];
  if (listener === 'names') {
    return [
      to('exact', { serverNames: ['a.example'] }),
      to('wild', { serverNames: ['*.wild.example'] }),
      to('any', { serverNames: ['*'] }),
      to('raw'),
    ];
  }
  if (!RANGES.includes(listener)) return [to(listener)];
  return [to('exact', { destinations: ['127.48.8.0/24'] }), to('wild', { destinations: ['127.48.0.0/16'] }), to('any')];
}
