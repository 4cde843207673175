/** Mixer's attributes (Istio 1.0 attribute vocabulary), as the server's proxy knows them. */
import type { ProxyNode } from '../snapshot/node.ts';
import type { Context } from './context.ts';
import { servicesOf } from './inbound-ports.ts';
import { asked, constant, type Value } from './mixer-value.ts';
import type { AuthzPlace } from './predicate.ts';

/** Something that cannot be asked of a request when it arrives. */
export class Unreadable extends Error {
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

const principalOf = (n: ProxyNode): string => `${n.trustDomain}/ns/${n.namespace}/sa/${n.serviceAccount}`;

/** Of the destination: what this proxy knows of its own workload. */
const OWN: Readonly<Record<string, (c: Context) => readonly string[]>> = {
  'destination.namespace': ({ node }) => [node.namespace],
  'destination.name': ({ node }) => [node.name],
  'destination.uid': ({ node }) => [`kubernetes://${node.name}.${node.namespace}`],
  'destination.workload.name': ({ node }) => [node.workload],
  'destination.workload.namespace': ({ node }) => [node.namespace],
  'destination.user': ({ node }) => [principalOf(node)],
  'destination.principal': ({ node }) => [principalOf(node)],
  'destination.serviceAccount': ({ node }) => [node.serviceAccount],
  'destination.ip': ({ node }) => [node.ip],
  'destination.service': (c) => servicesOf(c).map((s) => s.host),
  'destination.service.host': (c) => servicesOf(c).map((s) => s.host),
  'destination.service.name': (c) => servicesOf(c).map((s) => s.name),
  'destination.service.namespace': (c) => servicesOf(c).map((s) => s.namespace),
  'context.reporter.kind': () => ['inbound'],
};

/** Of the request. Mixer's `request.path` has the query too; policies here see the path without it. */
const REQUEST: Readonly<Record<string, Value>> = {
  'request.path': asked({ of: 'request.path' }),
  'request.url_path': asked({ of: 'request.path' }),
  'request.method': asked({ of: 'request.method' }),
  'request.host': asked({ of: 'request.host' }),
  'request.useragent': asked({ of: 'request.header', name: 'user-agent' }),
  'request.referer': asked({ of: 'request.header', name: 'referer' }),
};

const CALLER: Readonly<Record<string, Value>> = {
  'source.user': asked({ of: 'source.principal' }),
  'source.principal': asked({ of: 'source.principal' }),
  'source.namespace': asked({ of: 'source.namespace' }),
  'source.workload.namespace': asked({ of: 'source.namespace' }),
  'source.ip': { kind: 'source-ip' },
};

const MISSING = constant([]);
const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

/** Throws Unreadable. On a TCP connection there is no request: what is asked of one is missing, as it was for Mixer. */
export function attributeValue(name: string, at: number, c: Context, place: AuthzPlace): Value {
  if (name === 'context.protocol') return constant([place.protocol]);
  if (name === 'connection.mtls') return { kind: 'bool', value: false };
  const mine = own(OWN, name);
  if (mine !== undefined) return constant(mine(c));
  const request = own(REQUEST, name);
  if (request !== undefined) return place.protocol === 'tcp' ? MISSING : request;
  const caller = own(CALLER, name);
  if (caller !== undefined) return caller;
  throw new Unreadable(at, `attribute "${name}" cannot be asked here`);
}

/** `source.labels["app"]`, `destination.labels["app"]`, `request.headers["x-user"]`. Throws Unreadable. */
export function indexValue(map: string, key: string, at: number, c: Context, place: AuthzPlace): Value {
  switch (map) {
    case 'source.labels':
      return asked({ of: 'source.label', name: key });
    case 'destination.labels':
      return Object.hasOwn(c.node.labels, key) ? constant([c.node.labels[key]!]) : MISSING;
    case 'request.headers':
      return place.protocol === 'tcp' ? MISSING : asked({ of: 'request.header', name: key.toLowerCase() });
    default:
      throw new Unreadable(at, `entries of "${map}" cannot be asked here`);
  }
}
