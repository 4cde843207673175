/** Host names: short ones made full, wildcards, and the names by which a virtual host answers. */

/** `reviews` → `reviews.default.svc.cluster.local`; names with a dot, `*` and addresses stay (ResolveShortnameToFQDN). Lower case. */
export function resolveHost(host: string, namespace: string, suffix: string): string {
  const name = host.toLowerCase();
  if (name === '' || name === '*' || name.includes('.') || name.includes(':')) return name;
  return `${name}.${namespace}.svc.${suffix}`;
}

export const isWildcard = (host: string): boolean => host.startsWith('*');

/** `*.foo.com` matches `a.foo.com` and `a.b.foo.com`, not `foo.com`; `*` matches all (pkg/config/host/name.go). */
export const hostMatches = (pattern: string, host: string): boolean =>
  isWildcard(pattern) ? host.endsWith(pattern.slice(1)) && host.length >= pattern.length : pattern === host;

/** Whether some name is meant by both; each may be a wildcard. */
export function hostsOverlap(a: string, b: string): boolean {
  if (isWildcard(a) && isWildcard(b)) return a.endsWith(b.slice(1)) || b.endsWith(a.slice(1));
  return isWildcard(b) ? hostMatches(b, a) : hostMatches(a, b);
}

/** The narrower of two that overlap: what both allow. Null: nothing. */
export function narrower(a: string, b: string): string | null {
  if (!hostsOverlap(a, b)) return null;
  if (!isWildcard(a)) return a;
  if (!isWildcard(b)) return b;
  return a.length >= b.length ? a : b;
}

/**
 * Values by host pattern, looked up as Istio does: the exact host, else the longest wildcard (MostSpecificHostMatch).
 * The first value given for a pattern stays.
 */
export class HostMap<T> {
  readonly #exact = new Map<string, T>();
  readonly #wild = new Map<string, T>();

  /** False: the pattern has a value already. */
  add(pattern: string, value: T): boolean {
    const map = isWildcard(pattern) ? this.#wild : this.#exact;
    if (map.has(pattern)) return false;
    map.set(pattern, value);
    return true;
  }

  /** `host` may be a wildcard itself: then a pattern that covers it counts. */
  find(host: string): T | undefined {
    const exact = (isWildcard(host) ? this.#wild : this.#exact).get(host);
    if (exact !== undefined || this.#wild.size === 0) return exact;
    // `*.b.c` is tried before `*.c` before `*`; partial first labels (`*oo.com`) are matched character by character.
    for (let i = 1; i <= host.length; i++) {
      const value = this.#wild.get(`*${host.slice(i)}`);
      if (value !== undefined) return value;
    }
    return undefined;
  }
}

/**
 * The domains of a service's virtual host for a client in `namespace`: full name, `reviews` (same namespace only),
 * `reviews.default`, `reviews.default.svc`, and its virtual addresses. A ServiceEntry under a cluster name has them, too
 * (GenerateAltVirtualHosts asks for the name alone). A trailing dot and a port are the router's matter.
 */
export function domainsOf(
  service: { readonly host: string; readonly addresses: readonly string[] },
  namespace: string,
  suffix: string,
): string[] {
  const domains = [service.host];
  const end = `.svc.${suffix}`;
  const [name = '', home = '', ...more] = service.host.endsWith(end)
    ? service.host.slice(0, -end.length).split('.')
    : [];
  if (name !== '' && name !== '*' && home !== '' && more.length === 0) {
    if (home === namespace) domains.push(name);
    domains.push(`${name}.${home}`, `${name}.${home}.svc`);
  }
  for (const address of service.addresses) domains.push(address.toLowerCase());
  return domains;
}
