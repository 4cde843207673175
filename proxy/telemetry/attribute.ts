/**
 * Attributes: what expressions ask of a request or connection at its end, by the names that Envoy's CEL has for it
 * (envoyproxy.io/docs: advanced/attributes), and our own.
 *
 * Durations are milliseconds, sizes bytes. What an exchange cannot tell (a status that was never sent, a caller nobody knows, the path of
 * a TCP connection) is missing: undefined.
 */
import { get, getJoined, type HeaderList } from '../core/header-list.ts';
import type { Exchange } from '../live/exchange.ts';
import type { ProxyNode, Workload } from '../snapshot/node.ts';
import type { WallClock } from './wall-clock.ts';

export type Value = string | number | boolean | undefined;
export type Evaluate = (x: Exchange) => Value;

/** What is there for the whole proxy. */
type Of = { readonly node: ProxyNode; readonly clock: WallClock };
type Table = Readonly<Record<string, Evaluate>>;

/** Longest host that is told; DNS allows no longer one, callers may. */
const MAX_HOST = 253;

const text = (value: string | undefined): string | undefined => (value === '' ? undefined : value);
const endpoint = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
const span = (from: number, to: number): number => (to > from ? to - from : 0);
/** Of requests alone; a TCP connection has none. */
const http =
  (evaluate: Evaluate): Evaluate =>
  (x) =>
    x.opaque ? undefined : evaluate(x);

const REQUEST: Table = {
  'request.path': http((x) => x.path),
  'request.url_path': http((x) => split(x.path).path),
  'request.query': http((x) => split(x.path).query),
  'request.host': http((x) => text(x.authority)),
  'request.scheme': http((x) => x.scheme),
  'request.method': http((x) => x.method),
  'request.referer': http((x) => get(x.headers, 'referer')),
  'request.useragent': http((x) => get(x.headers, 'user-agent')),
  'request.id': http((x) => text(x.requestId)),
  'request.protocol': http((x) => (x.minor === 0 ? 'HTTP/1.0' : 'HTTP/1.1')),
  'request.duration': (x) => span(x.startMs, x.endMs),
  'request.size': (x) => x.bytesReceived,
  'request.total_size': (x) => x.requestHeadBytes + x.bytesReceived,
};

const RESPONSE: Table = {
  'response.code': http((x) => (x.status === 0 ? undefined : x.status)),
  'response.code_details': http((x) => text(x.details)),
  // Envoy has bits here. Ours is the text of access logs and of Istio's label, `-` when there are none.
  'response.flags': (x) => (x.flags === '' ? '-' : x.flags),
  'response.grpc_status': http((x) => (x.grpc && x.grpcStatus >= 0 ? x.grpcStatus : undefined)),
  'response.size': (x) => x.bytesSent,
  'response.total_size': (x) => x.responseHeadBytes + x.bytesSent,
  'response.backend_latency': http((x) => (x.sentMs > 0 && x.headMs > 0 ? span(x.sentMs, x.endMs) : undefined)),
};

const CONNECTION: Table = {
  // Nothing terminates mTLS yet.
  'connection.mtls': () => false,
  'connection.requested_server_name': (x) => text(x.connection.serverName),
  'connection.id': (x) => x.connection.id,
  'connection.termination_details': (x) => (x.opaque ? text(x.details) : undefined),
  'source.address': ({ connection: c }) => endpoint(c.remoteAddress, c.remotePort),
  'source.port': (x) => x.connection.remotePort,
  'destination.address': ({ connection: c }) => endpoint(c.localAddress, c.localPort),
  'destination.port': (x) => x.connection.localPort,
  'upstream.address': (x) => x.endpoint?.key,
  'upstream.port': (x) => x.endpoint?.port,
  'upstream.local_address': (x) => text(x.upstreamLocal),
  'upstream.transport_failure_reason': (x) => text(x.transportFailure),
  'upstream.cluster': (x) => x.cluster?.settings.name,
  'route.name': (x) => text(x.route?.name),
};

const OURS: Table = {
  'context.protocol': (x) => (x.opaque ? 'tcp' : x.grpc ? 'grpc' : 'http'),
  'context.reporter': (x) => (x.direction === 'inbound' ? 'destination' : 'source'),
  'context.direction': (x) => x.direction,
  'lateen.reason': (x) => text(x.reason),
  'lateen.decided_by': ({ decidedBy: by }) =>
    by === null ? undefined : `${by.kind}/${by.namespace}/${by.name} ${by.path}`,
  'lateen.config_version': (x) => text(x.configVersion),
  'trace.id': (x) => x.trace?.traceId,
  'trace.sampled': (x) => x.trace?.sampled,
};

const PARTY: Readonly<Record<string, (w: Workload) => string | undefined>> = {
  workload: (w) => text(w.workload),
  namespace: (w) => text(w.namespace),
  pod: (w) => text(w.name),
  app: (w) => text(w.labels['app']),
  version: (w) => text(w.labels['version']),
  canonical_service: (w) => text(w.canonicalService),
  canonical_revision: (w) => text(w.canonicalRevision),
  service_account: (w) => text(w.serviceAccount),
  cluster: (w) => text(w.cluster),
  // Principals come from certificates; connections carry none, and an address proves no identity.
  principal: () => undefined,
};

/** Of a caller, services are not known: its canonical service stands for them. */
const CALLING: typeof PARTY = {
  service: (w) => text(w.canonicalService),
  service_name: (w) => text(w.canonicalService),
  service_namespace: (w) => text(w.namespace),
};

const TABLES: readonly Table[] = [REQUEST, RESPONSE, CONNECTION, OURS];
const DESTINED = ['service', 'service_name', 'service_namespace'].map((name) => `destination.${name}`);

/** Every attribute, in the order of the documentation; `<party>.labels` and the headers are maps (`entryOf`). */
export const ATTRIBUTE_NAMES: readonly string[] = [
  ...TABLES.flatMap((table) => Object.keys(table)),
  'request.time',
  ...Object.keys({ ...PARTY, ...CALLING }).map((name) => `source.${name}`),
  ...Object.keys(PARTY).map((name) => `destination.${name}`),
  ...DESTINED,
];
export const MAP_NAMES = ['request.headers', 'response.headers', 'source.labels', 'destination.labels'] as const;

const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

/** Null: there is no such attribute. The function never throws. */
export function attributeOf(name: string, of: Of): Evaluate | null {
  for (const table of TABLES) {
    const found = own(table, name);
    if (found !== undefined) return found;
  }
  const dot = name.indexOf('.');
  const [party, field] = [name.slice(0, dot), name.slice(dot + 1)];
  if (name === 'request.time') return ({ startMs }) => of.clock.epochMs(startMs);
  if (party === 'destination')
    return serviceAttribute(field, of) ?? workloadAttribute(own(PARTY, field), destination(of));
  // Who called, at a gateway too: of what it forwards, the gateway itself is the source.
  if (party === 'caller') return workloadAttribute(own(PARTY, field) ?? own(CALLING, field), caller);
  if (party === 'source') return workloadAttribute(own(PARTY, field) ?? own(CALLING, field), source(of));
  return null;
}

/** An entry of one of `MAP_NAMES`; header names in lower case. Null: there is no such map. */
export function entryOf(map: string, key: string, of: Of): Evaluate | null {
  switch (map) {
    case 'request.headers':
      return own(PSEUDO, key) ?? header(key, (x) => x.headers);
    case 'response.headers':
      if (key === ':status') return http((x) => (x.status === 0 ? undefined : `${x.status}`));
      return header(key, (x) => x.responseHeaders);
    case 'source.labels':
      return workloadAttribute((w) => own(w.labels, key), source(of));
    case 'caller.labels':
      return workloadAttribute((w) => own(w.labels, key), caller);
    case 'destination.labels':
      return workloadAttribute((w) => own(w.labels, key), destination(of));
    default:
      return null;
  }
}

/** Envoy's map of request headers has them, too. */
const PSEUDO: Table = {
  ':path': http((x) => x.path),
  ':method': http((x) => x.method),
  ':authority': http((x) => text(x.authority)),
  ':scheme': http((x) => x.scheme),
};

/** Several of one name are joined with `,`, as Envoy shows them. */
const header =
  (lower: string, list: (x: Exchange) => HeaderList | null): Evaluate =>
  (x) => {
    const headers = list(x);
    return headers === null ? undefined : getJoined(headers, lower);
  };

type WhichParty = (x: Exchange) => Workload | null | undefined;
/** What a gateway is told comes from behind it, not from its caller. */
const caller: WhichParty = (x) => x.connection.peer ?? (x.direction === 'inbound' ? x.claimed : null);
const source =
  ({ node }: Of): WhichParty =>
  (x) =>
    x.direction === 'inbound' ? caller(x) : node;
const destination =
  ({ node }: Of): WhichParty =>
  (x) =>
    x.direction === 'inbound' ? node : (x.endpoint?.workload ?? x.claimed);

function workloadAttribute(
  field: ((w: Workload) => string | undefined) | undefined,
  which: WhichParty,
): Evaluate | null {
  if (field === undefined) return null;
  return (x) => {
    const workload = which(x);
    return workload === null || workload === undefined ? undefined : field(workload);
  };
}

/** As Istio's labels have it: the cluster names the service; else Host does, where a sidecar's own app wrote it; else the canonical service. */
function serviceAttribute(field: string, of: Of): Evaluate | null {
  const party = destination(of);
  const asked = (x: Exchange): string | undefined =>
    x.direction === 'outbound' && x.authority !== ''
      ? x.authority.slice(0, MAX_HOST).toLowerCase()
      : text(party(x)?.canonicalService);
  switch (field) {
    case 'service':
      return (x) => x.cluster?.settings.service?.host ?? asked(x);
    case 'service_name':
      return (x) => x.cluster?.settings.service?.name ?? asked(x);
    case 'service_namespace':
      return (x) => x.cluster?.settings.service?.namespace ?? text(party(x)?.namespace);
    default:
      return null;
  }
}

function split(target: string): { path: string; query: string } {
  const mark = target.indexOf('?');
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}
