/**
 * Begins this hop's span: joins the trace that came, or starts one, and decides whether it is recorded.
 * Each proxy makes a span of its own, a child of the one that came (Istio: sharedSpanContext false), and sends its own id upstream. An
 * app that copies the headers to the calls it makes so ties its outbound spans to its inbound one.
 */
import { get } from '../core/header-list.ts';
import { chance, type Random } from '../core/random.ts';
import type { Exchange } from '../live/exchange.ts';
import { readB3, writeB3 } from './b3.ts';
import { isTraced, setTraceReason } from './request-id.ts';

/**
 * Sets `x.trace` and the headers that go upstream. Call after `ensureRequestId`.
 * `tracingPercent`: share of requests that are recorded when nobody upstream of us has decided.
 */
export function startTrace(x: Exchange, tracingPercent: number, random: Random): void {
  const came = readB3(x.headers);
  const sampled = came.sampled ?? decide(x, tracingPercent, random);
  const { context } = came;
  const spanId = randomHex64(random);
  x.trace = {
    // 128 bits, as Istio has it.
    traceId: context === null ? randomHex64(random) + randomHex64(random) : context.traceId,
    spanId,
    parentId: context?.spanId ?? null,
    sampled,
  };
  writeB3(x.headers, x.trace, came.debug);
}

/** Envoy: what x-request-id says; else the client may ask for a trace, the mesh may force one; else the dice. */
function decide(x: Exchange, percent: number, random: Random): boolean {
  if (isTraced(x.requestId)) return true;
  if (get(x.headers, 'x-client-trace-id') !== undefined) setTraceReason(x, 'b');
  // From outside the mesh this header would let anybody fill the trace store.
  else if (x.direction !== 'gateway' && get(x.headers, 'x-envoy-force-trace') !== undefined) setTraceReason(x, 'a');
  else if (chance(random, percent)) setTraceReason(x, '9');
  else return false;
  return true;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** 16 hex digits, not all zero. Ids must differ, not resist guessing. */
function randomHex64(random: Random): string {
  const id = randomHex32(random) + randomHex32(random);
  return id === '0000000000000000' ? '0000000000000001' : id;
}

function randomHex32(random: Random): string {
  const n = (random() * 0x1_0000_0000) >>> 0;
  return HEX[n >>> 24]! + HEX[(n >>> 16) & 255]! + HEX[(n >>> 8) & 255]! + HEX[n & 255]!;
}
