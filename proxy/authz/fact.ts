/** What a rule can ask of a connection: addresses, the port, and who is at the other end. */
import { cidrPredicate, parseCidr } from '../core/cidr.ts';
import { regexProblem } from '../core/regex.ts';
import { stringPredicate } from '../core/string-match.ts';
import type { Connection } from '../live/connection.ts';
import type { Attribute } from '../snapshot/authz.ts';
import type { StringMatch } from '../snapshot/match.ts';
import { label, namespace, ownLabel, principal, serviceAccount, type PeerFact } from './peer.ts';
import { errs, type Condition, type Leaf, type MakeLeaf, type Stance } from './rule.ts';

/** The workload that the policies protect. */
export type AuthzEnv = {
  readonly labels: Readonly<Record<string, string>>;
  /** Of the mesh, as principals begin: `cluster.local`. */
  readonly trustDomain: string;
};

/** Null: it asks about a request. */
export function connectionFact(leaf: Leaf, stance: Stance, env: AuthzEnv): Condition<Connection> | null {
  switch (leaf.kind) {
    case 'port':
      return ({ localPort }) => localPort === leaf.port;
    case 'cidr':
      return addressTest(leaf.attribute, leaf.ranges, stance);
    case 'path-template':
      return null;
    case 'string':
      return isBroken(leaf.match) ? errs(stance) : attributeTest(leaf.attribute, leaf.match, env);
  }
}

/** For TCP listeners. A DENY that asks about requests is wider there, an ALLOW that does never holds (as in Istio). */
export const connectionLeaf =
  (env: AuthzEnv): MakeLeaf<Connection> =>
  (leaf, stance) =>
    connectionFact(leaf, stance, env) ?? errs(stance);

/**
 * How values compare: `*` means there, and not empty.
 */
export function valueTest(match: StringMatch): (value: string) => boolean {
  return match.kind === 'present' ? (value) => value !== '' : stringPredicate(match);
}

/** An expression that is no RE2: whatever it was meant to say, nobody may pass because of it. */
export const isBroken = (match: StringMatch): boolean => match.kind === 'regex' && regexProblem(match.value) !== null;

function addressTest(
  attribute: 'source.ip' | 'remote.ip' | 'destination.ip',
  ranges: readonly string[],
  stance: Stance,
): Condition<Connection> {
  if (ranges.some((range) => parseCidr(range) === null)) return errs(stance);
  const inside = cidrPredicate(ranges);
  if (attribute === 'destination.ip') return ({ localAddress }) => inside(localAddress);
  // remote.ip is what source.ip is until there are trusted hops whose X-Forwarded-For may be believed.
  return ({ remoteAddress }) => inside(remoteAddress);
}

/** An unknown caller has no name, no namespace and no labels: nothing positive holds of it, and every `not` does. */
function attributeTest(attribute: Attribute, match: StringMatch, env: AuthzEnv): Condition<Connection> | null {
  if (attribute.of === 'destination.label') {
    const value = ownLabel(env.labels, attribute.name);
    return value !== undefined && valueTest(match)(value);
  }
  const fact = factOf(attribute, env);
  if (fact === null) return null;
  const fits = valueTest(match);
  return (connection) => {
    const value = fact(connection);
    return value !== undefined && fits(value);
  };
}

function factOf(attribute: Exclude<Attribute, { readonly of: 'destination.label' }>, env: AuthzEnv): PeerFact | null {
  switch (attribute.of) {
    case 'source.principal':
      return principal(env.trustDomain);
    case 'source.serviceAccount':
      return serviceAccount();
    case 'source.namespace':
      return namespace;
    case 'source.label':
      return label(attribute.name);
    case 'connection.sni':
      // Plain text has none.
      return ({ serverName }) => (serverName === '' ? undefined : serverName);
    case 'request.method':
    case 'request.path':
    case 'request.host':
    case 'request.header':
      return null;
  }
}
