/** Mixer's attributes (Istio 1.0) in terms of ours, as the proxy that reports a hop knows them. */
import { attribute, call, literal, MISSING, type Expression } from '../core/expression.ts';
import type { ProxyNode } from '../snapshot/node.ts';

/** Who reports, and how it sees the two parties. */
export type ReporterView = {
  readonly node: ProxyNode;
  /** A hop is reported once, by its server: the source is who called, the destination is this workload. Else both sides report. */
  readonly hop: boolean;
  /** The service this workload stands behind. */
  readonly service: { readonly host: string; readonly name: string; readonly namespace: string };
  /** `cluster.local` */
  readonly domainSuffix: string;
};

export const joined = (...parts: readonly (string | Expression)[]): Expression =>
  parts
    .map((part) => (typeof part === 'string' ? literal(part) : part))
    .reduce((left, right) => call('add', left, right));

/** Attributes that no proxy of ours can tell: what falls back on something else does, the rest is not made. */
export const NEVER_KNOWN: ReadonlySet<string> = new Set([
  'destination.container.name',
  'destination.container.image',
  'request.reason',
  'request.auth.principal',
  'request.auth.audiences',
  'request.auth.presenter',
  'request.auth.claims',
  'request.api_key',
  'response.grpc_message',
  'api.service',
  'api.version',
  'api.operation',
  'api.protocol',
  'check.cache_hit',
  'quota.cache_hit',
]);

const http = (of: Expression): Expression =>
  call('if', call('ne', attribute('context.protocol'), literal('tcp')), of, MISSING);
const tcp = (of: Expression): Expression =>
  call('if', call('eq', attribute('context.protocol'), literal('tcp')), of, MISSING);
const ended = call('add', attribute('request.time'), attribute('request.duration'));
/** Of requests that a policy has refused. */
const refused = (of: Expression): Expression =>
  call('if', call('starts-with', attribute('response.code_details'), literal('rbac_access_denied')), of, MISSING);

const PLAIN: Readonly<Record<string, Expression>> = {
  'destination.port': attribute('destination.port'),
  'request.id': attribute('request.id'),
  'request.path': attribute('request.path'),
  'request.url_path': attribute('request.url_path'),
  'request.host': attribute('request.host'),
  'request.method': attribute('request.method'),
  'request.referer': attribute('request.referer'),
  'request.scheme': attribute('request.scheme'),
  'request.total_size': http(attribute('request.total_size')),
  'request.size': http(attribute('request.size')),
  'request.time': attribute('request.time'),
  'request.useragent': attribute('request.useragent'),
  'response.size': http(attribute('response.size')),
  'response.total_size': http(attribute('response.total_size')),
  'response.time': http(ended),
  'response.duration': http(attribute('request.duration')),
  'response.code': attribute('response.code'),
  'response.grpc_status': call('string', attribute('response.grpc_status')),
  'connection.id': call('string', attribute('connection.id')),
  // Connections are told of at their end.
  'connection.event': tcp(literal('close')),
  'connection.received.bytes': tcp(attribute('request.size')),
  'connection.received.bytes_total': tcp(attribute('request.size')),
  'connection.sent.bytes': tcp(attribute('response.size')),
  'connection.sent.bytes_total': tcp(attribute('response.size')),
  'connection.duration': tcp(attribute('request.duration')),
  'connection.mtls': attribute('connection.mtls'),
  'connection.requested_server_name': attribute('connection.requested_server_name'),
  'context.protocol': attribute('context.protocol'),
  'context.time': ended,
  'context.proxy_error_code': attribute('response.flags'),
  // google.rpc.Code PERMISSION_DENIED.
  'check.error_code': refused(literal(7)),
  'check.error.code': refused(literal(7)),
  'check.error_message': refused(attribute('lateen.reason')),
  'check.error.message': refused(attribute('lateen.reason')),
};

/** Null: nobody can tell. The name is one of the vocabulary's. */
export function attributeExpression(name: string, view: ReporterView): Expression | null {
  if (NEVER_KNOWN.has(name)) return null;
  if (Object.hasOwn(PLAIN, name)) return PLAIN[name]!;
  if (name.startsWith('context.reporter.')) return reporter(name.slice('context.reporter.'.length), view);
  const dot = name.indexOf('.');
  const [party, field] = [name.slice(0, dot), name.slice(dot + 1)];
  if (party !== 'source' && party !== 'destination') return null;
  if (field.startsWith('service') && field !== 'serviceAccount') return service(party, field, view);
  return partyField(field, partyOf(party, view));
}

/** An entry of a map; null: nobody can tell. */
export function entryExpression(map: string, key: string, view: ReporterView): Expression | null {
  switch (map) {
    case 'source.labels':
      return { kind: 'entry', of: view.hop ? 'caller.labels' : map, key };
    case 'destination.labels':
      if (!view.hop) return { kind: 'entry', of: map, key };
      return Object.hasOwn(view.node.labels, key) ? literal(view.node.labels[key]!) : MISSING;
    case 'request.headers':
    case 'response.headers':
      return { kind: 'entry', of: map, key: key.toLowerCase() };
    default:
      return null;
  }
}

/** Reads one of our own attributes of a party: `workload`, `namespace` … */
type Party = (field: string) => Expression;

function partyOf(party: 'source' | 'destination', { hop, node }: ReporterView): Party {
  if (!hop) return (field) => attribute(`${party}.${field}`);
  if (party === 'source') return (field) => attribute(field === 'address' ? 'source.address' : `caller.${field}`);
  const own: Readonly<Record<string, string>> = {
    pod: node.name,
    namespace: node.namespace,
    workload: node.workload,
    service_account: node.serviceAccount,
    address: node.ip,
  };
  return (field) => (own[field] === undefined ? attribute(`destination.${field}`) : literal(own[field]));
}

function partyField(field: string, of: Party): Expression | null {
  switch (field) {
    case 'uid':
      return joined('kubernetes://', of('pod'), '.', of('namespace'));
    case 'name':
      return of('pod');
    case 'namespace':
    case 'workload.namespace':
      return of('namespace');
    case 'workload.name':
      return of('workload');
    case 'workload.uid':
      return joined('istio://', of('namespace'), '/workloads/', of('workload'));
    case 'owner':
      return joined('kubernetes://apis/apps/v1/namespaces/', of('namespace'), '/deployments/', of('workload'));
    case 'principal':
    case 'user':
      return of('principal');
    case 'serviceAccount':
      return of('service_account');
    case 'ip':
      return of('address');
    default:
      return null;
  }
}

/**
 * A caller's service is told by its canonical name, which is what its Service is called in all but odd cases: Mixer, too, went by labels
 * of the pod (kubernetesenv adapter).
 */
function service(party: 'source' | 'destination', field: string, view: ReporterView): Expression | null {
  const { hop, node } = view;
  if (party === 'source') {
    const of = partyOf(party, view);
    return field === 'service'
      ? joined(of('canonical_service'), '.', of('namespace'), `.svc.${view.domainSuffix}`)
      : null;
  }
  // A gateway's own service: what it forwards to is the next hop.
  const mine = hop && node.role === 'gateway';
  const host = mine ? literal(view.service.host) : attribute('destination.service');
  const name = mine ? literal(view.service.name) : attribute('destination.service_name');
  const namespace = mine ? literal(view.service.namespace) : attribute('destination.service_namespace');
  switch (field) {
    case 'service':
    case 'service.host':
      return host;
    case 'service.name':
      return name;
    case 'service.namespace':
      return namespace;
    case 'service.uid':
      return joined('istio://', namespace, '/services/', name);
    default:
      return null;
  }
}

function reporter(field: string, view: ReporterView): Expression | null {
  const isServer = call('eq', attribute('context.reporter'), literal('destination'));
  if (field === 'kind')
    return view.hop ? literal('inbound') : call('if', isServer, literal('inbound'), literal('outbound'));
  return literal(`kubernetes://${view.node.name}.${view.node.namespace}`);
}
