/** What Envoy keeps among its headers and we keep in the exchange; Host is one of them. Routes match on it, templates name it. */
import type { Exchange } from './exchange.ts';

/** How `name` (lower case) is read; null: it is an ordinary header. */
export function pseudoHeader(name: string): ((x: Exchange) => string) | null {
  switch (name) {
    case ':authority':
    case 'host':
      return (x) => x.authority;
    case ':method':
      return (x) => x.method;
    case ':path':
      return (x) => x.path;
    case ':scheme':
      return (x) => x.scheme;
    default:
      return null;
  }
}
