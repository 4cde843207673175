/**
 * Begins this hop's span: joins the trace that came, or starts one, and decides whether it is recorded.
 * Each proxy makes a span of its own, a child of the one that came (Istio: sharedSpanContext false), and sends its own id upstream. An
 * app that copies the headers to the calls it makes so ties its outbound spans to its inbound one.
 */
import { chance, type Random } from '../core/random.ts';
import type { Exchange } from '../live/exchange.ts';
import type { TracingSettings } from '../snapshot/telemetry.ts';
import { NOTHING, readB3, writeB3 } from './b3.ts';
import { isTraced, setTraceReason } from './request-id.ts';
import { locate, type Places } from './trace-headers.ts';
import { passTracestate, readTraceparent, wide, writeTraceparent, type Parent } from './w3c.ts';

/**
 * Which headers carry traces from hop to hop.
 * `b3`: B3 is written; W3C's is read where no B3 came, and goes on with our span in it when it is of the same trace.
 * `b3+w3c`: both are always written (Envoy: USE_B3_WITH_W3C_PROPAGATION). `w3c`: B3 is neither read nor written.
 */
export type Propagation = (typeof PROPAGATIONS)[number];
export const PROPAGATIONS = ['b3', 'b3+w3c', 'w3c'] as const;

/** Sets `x.trace` and the headers that go upstream. Call after `ensureRequestId`. */
export function startTrace(
  x: Exchange,
  settings: TracingSettings,
  random: Random,
  propagation: Propagation = 'b3',
): void {
  const at = locate(x.headers);
  const b3 = propagation === 'w3c' ? NOTHING : readB3(x.headers, at);
  const came = at.traceparent < 0 || at.twoParents ? null : readTraceparent(x.headers[at.traceparent]!);
  const context = b3.context ?? came;
  // Without spans of ours there is nothing to put into the headers: whoever comes next joins whoever came before.
  if (!settings.reported) {
    x.trace =
      context === null ? null : { traceId: context.traceId, spanId: context.spanId, parentId: null, sampled: false };
    return;
  }
  const sampled = b3.sampled ?? (context === came ? came?.sampled : undefined) ?? decide(x, settings, random, at);
  const spanId = randomHex64(random);
  x.trace = {
    // 128 bits, as Istio has it.
    traceId: context === null ? randomHex64(random) + randomHex64(random) : context.traceId,
    spanId,
    parentId: context?.spanId ?? null,
    sampled,
  };
  if (settings.propagated) write(x, propagation, b3.debug, came, at);
}

/** Envoy: what x-request-id says; else the client may ask for a trace, the mesh may force one; else the dice. */
function decide(x: Exchange, { byRequestId, percent }: TracingSettings, random: Random, at: Places): boolean {
  // Envoy then traces whatever nobody has decided against: the tracer's headers alone decide.
  if (!byRequestId) return true;
  if (isTraced(x.requestId)) return true;
  if (at.wanted >= 0) setTraceReason(x, 'b');
  // From outside the mesh this header would let anybody fill the trace store.
  else if (x.direction !== 'gateway' && at.forced >= 0) setTraceReason(x, 'a');
  else if (chance(random, percent)) setTraceReason(x, '9');
  else return false;
  return true;
}

/** First what replaces and adds, then what removes, since that moves the places. */
function write(x: Exchange, propagation: Propagation, debug: boolean, came: Parent | null, at: Places): void {
  const trace = x.trace!;
  const joined = came !== null && came.traceId === wide(trace.traceId);
  // Headers of a trace that we have no part in are its apps' business, unless we were asked to speak W3C.
  const w3c = joined || propagation !== 'b3';
  const hasState = at.tracestate >= 0;
  if (w3c) writeTraceparent(x.headers, trace, joined ? came : null, at);
  if (propagation !== 'w3c') writeB3(x.headers, trace, debug, at);
  if (w3c && hasState) passTracestate(x.headers, joined);
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
