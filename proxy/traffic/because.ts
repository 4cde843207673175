/** Notes in an exchange that its route answered, and why: one plain sentence with the resource and the rule. */
import type { Exchange } from '../live/exchange.ts';

export function because(x: Exchange, what: string): void {
  const source = x.route?.source ?? null;
  x.decidedBy = source;
  x.reason = source === null ? what : `${what}; route ${source.kind} ${source.namespace}/${source.name} ${source.path}`;
}
