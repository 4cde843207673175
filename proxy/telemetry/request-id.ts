/** x-request-id as Envoy has it: a UUID v4 whose 15th character, the version, tells whether the request is traced. */
import { randomUUID } from 'node:crypto';
import { get, set } from '../core/header-list.ts';
import type { Exchange } from '../live/exchange.ts';

/** Envoy's trace reasons (UuidRequestIDExtension): not traced, sampled, forced by the server, wanted by the client. */
export type TraceReason = '4' | '9' | 'a' | 'b';

const REASON_AT = 14;
const SANE = /^[\w.:+/=@-]{1,128}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Sets `x.requestId` and the one header that goes upstream. An id that came is kept, the first of several, unless it is not sane or
 * `edge`: what strangers send must not pass for an id of ours.
 */
export function ensureRequestId(x: Exchange, edge: boolean): void {
  const came = edge ? undefined : get(x.headers, 'x-request-id');
  const kept = came !== undefined && SANE.test(came);
  x.requestId = kept ? came : randomUUID();
  set(x.headers, 'x-request-id', x.requestId);
}

/** Null: the id is no UUID and so tells nothing. */
export function traceReason(id: string): TraceReason | null {
  if (id.length !== 36 || !UUID.test(id)) return null;
  const c = id[REASON_AT];
  return c === '9' || c === 'a' || c === 'b' ? c : '4';
}

/** True when the id says that its request is traced, for whatever reason. */
export function isTraced(id: string): boolean {
  const c = id.charCodeAt(REASON_AT) | 32;
  // 9, a, b: one id in six gets past this, unless it is ours and traced.
  return (c === 57 || c === 97 || c === 98) && (traceReason(id) ?? '4') !== '4';
}

/** Writes the reason into the id, here and upstream. An id that is no UUID stays as it is. */
export function setTraceReason(x: Exchange, reason: TraceReason): void {
  const before = traceReason(x.requestId);
  if (before === null || before === reason) return;
  x.requestId = x.requestId.slice(0, REASON_AT) + reason + x.requestId.slice(REASON_AT + 1);
  set(x.headers, 'x-request-id', x.requestId);
}
