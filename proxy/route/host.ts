/** Which virtual host a Host means: exact name, else the longest `*.suffix`, else `*` (Envoy's order). */
import type { VirtualHost } from '../snapshot/route.ts';

/** `host` in lower case, without port (core/authority.ts `hostOf`). */
export type HostLookup<T> = (host: string) => T | null;

/**
 * The cost does not depend on how many virtual hosts there are: one look-up for the name, one for each of its dots.
 * A domain that two virtual hosts name belongs to the first.
 */
export function hostLookup<T>(hosts: readonly VirtualHost[], make: (host: VirtualHost) => T): HostLookup<T> {
  const exact = new Map<string, T>();
  /** By suffix, dot first: `.example.com`. */
  const dotted = new Map<string, T>();
  /** `*-bar.example.com` and the like, longest first. */
  const odd: { readonly suffix: string; readonly value: T }[] = [];
  let any: T | null = null;
  for (const host of hosts) {
    const value = make(host);
    for (const written of host.domains) {
      const domain = withoutRootDot(written.toLowerCase());
      if (domain === '*') any ??= value;
      else if (domain.startsWith('*.')) putFirst(dotted, domain.slice(1), value);
      else if (domain.startsWith('*')) odd.push({ suffix: domain.slice(1), value });
      else putFirst(exact, domain, value);
    }
  }
  odd.sort((a, b) => b.suffix.length - a.suffix.length);
  if (dotted.size === 0 && odd.length === 0) return (host) => exact.get(host) ?? any;
  return (host) => exact.get(host) ?? longestSuffix(host) ?? any;

  function longestSuffix(host: string): T | null {
    // `*` stands for at least one character: the first one is never part of a suffix.
    let dot = host.indexOf('.', 1);
    let found: T | undefined;
    while (dot > 0 && (found = dotted.get(host.slice(dot))) === undefined) dot = host.indexOf('.', dot + 1);
    const length = found === undefined ? 0 : host.length - dot;
    for (const { suffix, value } of odd) {
      if (suffix.length <= length) break;
      if (host.length > suffix.length && host.endsWith(suffix)) return value;
    }
    return found ?? null;
  }
}

/** `hostOf` takes the dot of the root away from what clients send, so that both spellings of a domain are one. */
export const withoutRootDot = (domain: string): string =>
  domain.length > 1 && domain.endsWith('.') ? domain.slice(0, -1) : domain;

function putFirst<T>(map: Map<string, T>, key: string, value: T): void {
  if (!map.has(key)) map.set(key, value);
}
