/**
 * The attributes that CEL may ask for, with their types: those of Envoy (envoyproxy.io/docs: advanced/attributes), Istio's peers, and our
 * own. Which value each has for a request is `proxy/telemetry/attribute.ts`.
 */
import type { Expression } from '../core/expression.ts';
import { suggest } from '../core/suggest.ts';
import type { CelType } from './cel-type.ts';

const PARTY = [
  ...['workload', 'namespace', 'pod', 'app', 'version', 'canonical_service', 'canonical_revision', 'principal'],
  ...['service_account', 'cluster', 'service', 'service_name', 'service_namespace'],
];
const TYPES: Readonly<Record<CelType, readonly string[]>> = {
  string: [
    ...['path', 'url_path', 'query', 'host', 'scheme', 'method', 'referer', 'useragent', 'id', 'protocol'].map(
      (name) => `request.${name}`,
    ),
    ...['response.code_details', 'response.flags'],
    ...['connection.requested_server_name', 'connection.termination_details', 'source.address', 'destination.address'],
    ...['upstream.address', 'upstream.local_address', 'upstream.transport_failure_reason', 'upstream.cluster'],
    'route.name',
    ...['source', 'destination'].flatMap((party) => PARTY.map((name) => `${party}.${name}`)),
    ...['context.protocol', 'context.reporter', 'context.direction'],
    ...['lateen.reason', 'lateen.decided_by', 'lateen.config_version', 'trace.id'],
  ],
  int: [
    ...['request.size', 'request.total_size', 'response.code', 'response.grpc_status', 'response.size'],
    ...['response.total_size', 'connection.id', 'source.port', 'destination.port', 'upstream.port'],
  ],
  double: [],
  bool: ['connection.mtls', 'trace.sampled'],
  duration: ['request.duration', 'response.backend_latency'],
  timestamp: ['request.time'],
};

const TYPE_OF: ReadonlyMap<string, CelType> = new Map(
  Object.entries(TYPES).flatMap(([type, names]) => names.map((name) => [name, type as CelType] as const)),
);
export const CEL_ATTRIBUTES: readonly string[] = [...TYPE_OF.keys()];
export const CEL_MAPS: readonly string[] = [
  'request.headers',
  'response.headers',
  'source.labels',
  'destination.labels',
];

/** Istio's peers (istio/proxy: peer_metadata): the caller, and who was called. */
const PEERS: Readonly<Record<string, string>> = { downstream_peer: 'source', upstream_peer: 'destination' };
const PEER_FIELDS: Readonly<Record<string, string>> = {
  service: 'canonical_service',
  revision: 'canonical_revision',
  name: 'pod',
  identity: 'principal',
};
const ALIASES: Readonly<Record<string, string>> = {
  'xds.cluster_name': 'upstream.cluster',
  'xds.route_name': 'route.name',
};

/** The name we know it by. */
export function attributeName(written: string): string {
  if (Object.hasOwn(ALIASES, written)) return ALIASES[written]!;
  const [peer = '', ...rest] = written.replace(/^filter_state\./, '').split('.');
  if (!Object.hasOwn(PEERS, peer)) return written;
  const field = rest.join('.');
  return `${PEERS[peer]!}.${Object.hasOwn(PEER_FIELDS, field) ? PEER_FIELDS[field]! : field}`;
}

/** Null: there is no such attribute. */
export function typedAttribute(written: string): { readonly tree: Expression; readonly type: CelType } | null {
  const name = attributeName(written);
  const type = TYPE_OF.get(name);
  return type === undefined ? null : { tree: { kind: 'attribute', name }, type };
}

/** An entry of a map; its names in lower case where they are headers. Null: there is no such map. */
export function typedEntry(written: string, key: string): { readonly tree: Expression; readonly type: CelType } | null {
  const of = attributeName(written);
  if (!CEL_MAPS.includes(of)) return null;
  return { tree: { kind: 'entry', of, key: of.endsWith('.headers') ? key.toLowerCase() : key }, type: 'string' };
}

/** What to say of a name nobody knows. */
export function unknownAttribute(written: string): string {
  const near = suggest(written, [...CEL_ATTRIBUTES, ...CEL_MAPS]);
  if (near !== null) return `unknown attribute \`${cut(written)}\`; did you mean \`${near}\`?`;
  const family = [...CEL_ATTRIBUTES, ...CEL_MAPS].filter((name) => name.startsWith(`${written.split('.')[0]}.`));
  const known = family.length > 0 ? family : ['request.*', 'response.*', 'connection.*', 'source.*', 'destination.*'];
  return `unknown attribute \`${cut(written)}\`; there are ${known.join(', ')}`;
}

const cut = (text: string): string => (text.length > 80 ? `${text.slice(0, 77)}...` : text);
