/** Builds authorization predicates; what is known while compiling is folded away. */
import type { Attribute, Predicate } from '../snapshot/authz.ts';
import type { StringMatch } from '../snapshot/match.ts';

export const ALWAYS: Predicate = { kind: 'always' };
export const NEVER: Predicate = { kind: 'never' };

export const known = (holds: boolean): Predicate => (holds ? ALWAYS : NEVER);

export function all(parts: readonly Predicate[]): Predicate {
  if (parts.some((p) => p.kind === 'never')) return NEVER;
  const rest = parts.flatMap((p) => (p.kind === 'all' ? p.of : p.kind === 'always' ? [] : [p]));
  return rest.length === 0 ? ALWAYS : rest.length === 1 ? rest[0]! : { kind: 'all', of: rest };
}

export function any(parts: readonly Predicate[]): Predicate {
  if (parts.some((p) => p.kind === 'always')) return ALWAYS;
  const rest = parts.flatMap((p) => (p.kind === 'any' ? p.of : p.kind === 'never' ? [] : [p]));
  return rest.length === 0 ? NEVER : rest.length === 1 ? rest[0]! : { kind: 'any', of: rest };
}

export function not(of: Predicate): Predicate {
  switch (of.kind) {
    case 'always':
      return NEVER;
    case 'never':
      return ALWAYS;
    case 'not':
      return of.of;
    default:
      return { kind: 'not', of };
  }
}

export const string = (attribute: Attribute, match: StringMatch): Predicate => ({ kind: 'string', attribute, match });

/** Which listener a policy is compiled for. */
export type AuthzPlace = {
  /** The workload's ports that are reached through it. Null: any, and each connection tells which (it was redirected). */
  readonly ports: readonly number[] | null;
  /** The port it listens on itself: 15006 stands for several. */
  readonly via: number;
  readonly protocol: 'http' | 'tcp';
};

/**
 * The destination port is one of `wanted`. Where a listener stands for several ports and the connection may not tell which one is
 * meant (it came to `via` itself), the answer errs to the side that refuses: `refuses` says whether a match does.
 */
export function portIn(place: AuthzPlace, wanted: readonly number[], refuses: boolean): Predicate {
  const { ports: served } = place;
  if (served === null) return any(wanted.map((port) => ({ kind: 'port', port })));
  const [only, ...more] = served;
  if (only !== undefined && more.length === 0) return known(wanted.includes(only));
  const ports = wanted.filter((port) => served.includes(port));
  if (ports.length === 0) return NEVER;
  return any([...ports, ...(refuses ? [place.via] : [])].map((port) => ({ kind: 'port', port })));
}
