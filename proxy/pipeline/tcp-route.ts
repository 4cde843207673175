/** Where a connection goes: by the address it was made to, and, where that does not tell, by its first bytes. */
import type { Seen } from '../listener/first-look.ts';
import type { PortPlan, TcpRulePlan } from './plan.ts';

/** `http`: it is for the port's routes. `look`: only the first bytes can tell. Null: nothing here is for it. */
export type Way = TcpRulePlan | 'http' | 'look' | null;

/**
 * Envoy's filter chain match, in its order: port, address, server name. `seen` is null as long as nothing was read: a rule that needs
 * no look is taken at once, since the server may be the one who speaks first.
 */
export function wayOf(port: PortPlan, address: string, seen: Seen | null): Way {
  for (const rule of port.rules) {
    if (rule.covers !== null && !rule.covers(address)) continue;
    if (rule.named !== null) {
      if (seen === null) return 'look';
      if (seen.speaks === 'tls' && rule.named(seen.serverName)) return rule;
      continue;
    }
    // A service without an address shares its port with those that speak HTTP: they are told apart by what is said.
    if (rule.covers !== null || port.http === null) return rule;
    if (seen === null) return 'look';
    if (seen.speaks !== 'http') return rule;
  }
  if (port.http === null) return null;
  if (seen === null) return 'look';
  // TLS on a port of plain HTTP is for somebody else than the services that are known there.
  return seen.speaks === 'tls' ? null : 'http';
}
