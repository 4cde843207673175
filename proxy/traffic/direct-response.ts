/** Answers with what the route says, asking nobody. */
import type { Filter, Reply } from '../live/verdict.ts';
import type { RouteAction } from '../snapshot/route.ts';
import { because } from './because.ts';

export type DirectResponse = Extract<RouteAction, { readonly kind: 'direct' }>;

/** One reply, made once. It is `text/plain` when it has a body (Envoy's local replies); a route's header operations may say otherwise. */
export function directResponseFilter({ status, body, bodyIsBase64 }: DirectResponse): Filter {
  const bytes = Buffer.from(body, bodyIsBase64 ? 'base64' : 'utf8');
  const headers = bytes.length === 0 ? [] : ['content-type', 'text/plain'];
  const reply: Reply = { kind: 'local', status, details: 'direct_response', headers, body: bytes };
  const reason = `answered ${status} without asking anyone`;
  return (x) => {
    because(x, reason);
    return reply;
  };
}
