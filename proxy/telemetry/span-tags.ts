/** What a span says of a request: name, tags, and whether it failed; Envoy's and Istio's names, in the syntax of any exporter. */
import { get } from '../core/header-list.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Exchange } from '../live/exchange.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { Route, SourceRef } from '../snapshot/route.ts';
import type { TracingSettings } from '../snapshot/telemetry.ts';
import { linkCustomTags } from './custom-tags.ts';
import { jsonString, withoutSecrets } from './hostile-text.ts';

/** How an exporter writes a tag around its value, which is a JSON string. */
export type TagSyntax = {
  readonly before: (key: string) => string;
  readonly after: string;
  /** Of tags with one name the last stays. Asked only where somebody gives a tag of ours another value. */
  readonly unique: (tags: string) => string;
};

/** Why a span is there that nobody sampled; "": it was. */
export type Kept = '' | 'error' | 'slow';

/** Writes all tags of a request, with commas between. */
export type TagWriter = (x: Exchange, kept: Kept) => string;

/** Envoy: max_path_tag_length. */
const MAX_PATH = 256;
export const MAX_VALUE = 256;
const MAX_REASON = 512;

/** In one concatenation: this is most of what a span costs. */
export function createTagWriter(node: ProxyNode, settings: TracingSettings, syntax: TagSyntax): TagWriter {
  const { after } = syntax;
  const key = (name: string): string => `${after},${syntax.before(name)}`;
  const constant = constantTags(node, settings);
  const first = constant
    .map(([name, value]) => key(name) + jsonString(value, MAX_VALUE))
    .join('')
    .slice(after.length + 1);
  const custom = linkCustomTags(settings.tags, node, (name, value) => key(name) + jsonString(value, MAX_VALUE));
  const maxPath = settings.maxPathLength ?? MAX_PATH;
  const K = mapValues(NAMES, key);
  // Many requests share a route, a cluster, an endpoint.
  const routeTag = remembered((route: Route) => {
    // The rule that made it; the name of a route that no resource made (`default`, `allow_any`).
    return K.route + jsonString(route.source === null ? route.name : placeOf(route.source), MAX_REASON);
  });
  const clusterTags = remembered(({ settings: { name } }: LiveCluster) => {
    const value = jsonString(name, MAX_VALUE);
    return K.cluster + value + K.clusterName + value;
  });
  const upstreamTag = remembered(({ key: place }: LiveEndpoint) => K.upstream + jsonString(place, MAX_VALUE));
  const ours: ReadonlySet<string> = new Set([...Object.values(NAMES), ...constant.map(([name]) => name)]);
  if (!settings.tags.some(({ name }) => ours.has(name))) return write;
  return (x, kept) => syntax.unique(write(x, kept));

  function write(x: Exchange, kept: Kept): string {
    const agent = get(x.headers, 'user-agent');
    const wanted = get(x.headers, 'x-client-trace-id');
    return (
      first +
      K.requestId +
      jsonString(x.requestId, 128) +
      K.url +
      jsonString(urlOf(x, maxPath), MAX_VALUE + maxPath) +
      K.method +
      jsonString(x.method, 32) +
      `${K.protocol}"HTTP/1.${x.minor}"${K.status}"${x.status}"` +
      `${K.requestSize}"${x.bytesReceived}"${K.responseSize}"${x.bytesSent}"${K.flags}` +
      (x.flags === '' ? '"-"' : jsonString(x.flags, MAX_VALUE)) +
      K.peer +
      jsonString(x.connection.remoteAddress, 64) +
      (agent === undefined ? '' : K.agent + jsonString(agent, MAX_VALUE)) +
      (wanted === undefined ? '' : K.clientId + jsonString(wanted, MAX_VALUE)) +
      (x.cluster === null ? '' : clusterTags(x.cluster)) +
      (x.endpoint === null ? '' : upstreamTag(x.endpoint)) +
      (x.grpc ? grpcTags(x) : '') +
      (x.route === null ? '' : routeTag(x.route)) +
      (x.decidedBy === null ? '' : K.decidedBy + jsonString(placeOf(x.decidedBy), MAX_REASON)) +
      (x.reason === '' ? '' : K.reason + jsonString(x.reason, MAX_REASON)) +
      (kept === '' ? '' : `${K.kept}"${kept}"`) +
      (failed(x) ? `${K.error}"true"` : '') +
      (custom === null ? '' : custom(x)) +
      after
    );
  }

  function grpcTags(x: Exchange): string {
    const type = get(x.headers, 'content-type');
    return (
      K.grpcPath +
      jsonString(withoutSecrets(x.path.slice(0, maxPath)), maxPath) +
      K.grpcAuthority +
      jsonString(x.authority, MAX_VALUE) +
      (type === undefined ? '' : K.grpcType + jsonString(type, MAX_VALUE)) +
      (x.grpcStatus < 0 ? '' : `${K.grpcStatus}"${x.grpcStatus}"`)
    );
  }
}

/** For as long as the thing is there that it is about. */
export function remembered<T extends object>(make: (of: T) => string): (of: T) => string {
  const known = new WeakMap<T, string>();
  return (of) => {
    let text = known.get(of);
    if (text === undefined) known.set(of, (text = make(of)));
    return text;
  };
}

const NAMES = {
  requestId: 'guid:x-request-id',
  clientId: 'guid:x-client-trace-id',
  url: 'http.url',
  method: 'http.method',
  protocol: 'http.protocol',
  status: 'http.status_code',
  requestSize: 'request_size',
  responseSize: 'response_size',
  flags: 'response_flags',
  peer: 'peer.address',
  agent: 'user_agent',
  cluster: 'upstream_cluster',
  clusterName: 'upstream_cluster.name',
  upstream: 'upstream_address',
  grpcPath: 'grpc.path',
  grpcAuthority: 'grpc.authority',
  grpcType: 'grpc.content_type',
  grpcStatus: 'grpc.status_code',
  route: 'lateen.route',
  decidedBy: 'lateen.decided_by',
  reason: 'lateen.reason',
  kept: 'lateen.kept',
  error: 'error',
} as const;

function mapValues<K extends string>(
  of: Readonly<Record<K, string>>,
  to: (value: string) => string,
): Record<K, string> {
  return Object.fromEntries(Object.entries<string>(of).map(([k, v]) => [k, to(v)])) as Record<K, string>;
}

/** What is the same for every request of a proxy. */
function constantTags(node: ProxyNode, { istioTags }: TracingSettings): (readonly [string, string])[] {
  const type = node.role === 'gateway' ? 'router' : 'sidecar';
  const id = `${type}~${node.ip}~${node.name}.${node.namespace}~${node.namespace}.svc.cluster.local`;
  const envoy = [
    ['component', 'proxy'],
    ['node_id', id],
    ['downstream_cluster', '-'],
  ] as const;
  if (!istioTags) return [...envoy];
  return [
    ...envoy,
    ['istio.canonical_service', node.canonicalService],
    ['istio.canonical_revision', node.canonicalRevision],
    ['istio.mesh_id', node.trustDomain],
    ['istio.namespace', node.namespace],
    ['istio.cluster_id', node.cluster],
  ];
}

/** Envoy's decorator operation; where no route matched, the host and any path. */
export function operationOf(x: Exchange): string {
  const named = x.route?.operation ?? '';
  // What belongs to no service is told apart by where it went.
  if (named !== '' && named !== 'allow_any' && named !== 'block_all') return named;
  const host = x.authority === '' ? 'unknown' : x.authority.toLowerCase();
  const port = /:\d+$/.test(host) ? '' : `:${x.connection.localPort}`;
  return `${host}${port}/*`;
}

/** Of gRPC, what the server or the way to it is to blame for: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const GRPC_ERRORS: readonly boolean[] = Array.from({ length: 17 }, (_, status) =>
  [2, 4, 12, 13, 14, 15].includes(status),
);

/** Envoy: 5xx, no code at all, or a gRPC status that is the server's fault. */
export function failed(x: Exchange): boolean {
  return x.status >= 500 || x.status === 0 || (x.grpc && GRPC_ERRORS[x.grpcStatus] === true);
}

/** As in the access log: `VirtualService/default/reviews spec.http[0]`. */
const placeOf = ({ kind, namespace, name, path }: SourceRef): string => `${kind}/${namespace}/${name} ${path}`;

function urlOf(x: Exchange, maxPath: number): string {
  const path = (x.originalPath ?? x.path).slice(0, maxPath);
  return `${x.scheme}://${x.authority.slice(0, MAX_VALUE)}${withoutSecrets(path)}`;
}
