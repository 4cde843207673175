/** `headers` of a VirtualService rule: what to set, add and take away, and the Host that hides in it. */
import type { HeaderOperations } from '../istio/http-action.ts';
import type { HeaderOps } from '../snapshot/route.ts';

type Pair = readonly [string, string];

/** Null: nothing to do. `sets` are applied one after the other, so that later ones win. */
export function compileHeaderOps(sets: readonly (HeaderOperations | undefined)[]): HeaderOps | null {
  const set: Pair[] = [];
  const add: Pair[] = [];
  const remove: string[] = [];
  for (const ops of sets) {
    set.push(...pairs(ops?.set));
    add.push(...pairs(ops?.add));
    remove.push(...(ops?.remove ?? []).map((name) => name.toLowerCase()).filter(isPlain));
  }
  return set.length + add.length + remove.length === 0 ? null : { set, add, remove };
}

/** `Host` or `:authority` in request.set, else in request.add, is a rewrite of the authority (core/route/route.go). */
export function authorityIn(ops: HeaderOperations | undefined): string | null {
  for (const values of [ops?.set, ops?.add]) {
    for (const [name, value] of Object.entries(values ?? {})) if (isAuthority(name)) return value;
  }
  return null;
}

const isAuthority = (name: string): boolean => /^(?:host|:authority)$/i.test(name);
/** Pseudo headers cannot be changed this way; Istio drops them silently, its validation refuses them. */
const isPlain = (name: string): boolean => !name.startsWith(':') && !isAuthority(name);

const pairs = (values: Readonly<Record<string, string>> | undefined): Pair[] =>
  Object.entries(values ?? {}).filter(([name]) => isPlain(name));
