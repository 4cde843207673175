/** B3 trace context: reads both forms strictly, writes what goes upstream (https://github.com/openzipkin/b3-propagation). */
import { remove, type HeaderList } from '../core/header-list.ts';
import type { Trace } from '../live/exchange.ts';
import { isHex, locate, put, type Places } from './trace-headers.ts';

/** What came with a request. */
export type Incoming = {
  /** Null: only a decision came, or nothing. */
  readonly context: { readonly traceId: string; readonly spanId: string; readonly parentId: string | null } | null;
  /** Null: the decision is left to us. */
  readonly sampled: boolean | null;
  /** Debug flag: sampled, whatever anybody's percentage is. */
  readonly debug: boolean;
};

export const NOTHING: Incoming = { context: null, sampled: null, debug: false };

const ZERO = '0000000000000000';

/**
 * Single `b3` wins over the `x-b3-*` headers, as the specification has it. One part that is not valid makes the whole of it nothing:
 * half a context would tie spans to a trace they do not belong to.
 */
export function readB3(headers: HeaderList, at: Places = locate(headers)): Incoming {
  if (at.noB3) return NOTHING;
  return at.single >= 0 ? readSingle(headers[at.single]!) : readMulti(headers, at);
}

/** Replaces whatever came. Apps that copy `b3` alone get it in that form as well, so that no stale span of ours is copied on. */
export function writeB3(
  headers: HeaderList,
  { traceId, spanId, parentId, sampled }: Trace,
  debug: boolean,
  at: Places = locate(headers),
): void {
  put(headers, 'x-b3-traceid', at.traceId, traceId, at.twice);
  put(headers, 'x-b3-spanid', at.spanId, spanId, at.twice);
  put(headers, 'x-b3-sampled', at.sampled, sampled ? '1' : '0', at.twice);
  if (at.single >= 0) {
    const state = debug ? 'd' : sampled ? '1' : '0';
    const value = `${traceId}-${spanId}-${state}${parentId === null ? '' : `-${parentId}`}`;
    put(headers, 'b3', at.single, value, at.twice);
  }
  if (parentId !== null) put(headers, 'x-b3-parentspanid', at.parentId, parentId, at.twice);
  if (debug) put(headers, 'x-b3-flags', at.flags, '1', at.twice);
  // Last, since removing moves what follows.
  if (parentId === null && at.parentId >= 0) remove(headers, 'x-b3-parentspanid');
  if (!debug && at.flags >= 0) remove(headers, 'x-b3-flags');
}

function readSingle(value: string): Incoming {
  if (value.length > 68) return NOTHING;
  const parts = value.split('-');
  if (parts.length === 1) {
    const decision = decisionOf(value);
    return decision === null ? NOTHING : { context: null, ...decision };
  }
  const [traceId, spanId, state, parentId] = parts;
  if (parts.length > 4) return NOTHING;
  const decision = state === undefined ? { sampled: null, debug: false } : decisionOf(state);
  return decision === null ? NOTHING : complete(traceId!, spanId!, parentId, decision.sampled, decision.debug);
}

function decisionOf(state: string): { sampled: boolean; debug: boolean } | null {
  if (state === 'd') return { sampled: true, debug: true };
  if (state === '1') return { sampled: true, debug: false };
  if (state === '0') return { sampled: false, debug: false };
  return null;
}

function readMulti(headers: HeaderList, at: Places): Incoming {
  const debug = at.flags >= 0 && headers[at.flags] === '1';
  const decision = debug ? true : at.sampled < 0 ? null : sampledOf(headers[at.sampled]!);
  if (decision === undefined) return NOTHING;
  if (at.traceId < 0 && at.spanId < 0) return { context: null, sampled: decision, debug };
  if (at.traceId < 0 || at.spanId < 0) return NOTHING;
  const parentId = at.parentId < 0 ? undefined : headers[at.parentId]!;
  return complete(headers[at.traceId]!, headers[at.spanId]!, parentId, decision, debug);
}

/** Undefined: not valid. Early B3 had `true` and `false`. */
function sampledOf(state: string): boolean | undefined {
  if (state === '1' || state === 'true' || state === 'True') return true;
  if (state === '0' || state === 'false' || state === 'False') return false;
  return undefined;
}

function complete(
  traceId: string,
  spanId: string,
  parentId: string | undefined,
  sampled: boolean | null,
  debug: boolean,
): Incoming {
  if ((traceId.length !== 32 && !isSpanId(traceId)) || !isHex(traceId) || traceId === ZERO + ZERO) return NOTHING;
  if (!isSpanId(spanId) || (parentId !== undefined && !isSpanId(parentId))) return NOTHING;
  const context = {
    traceId: traceId.toLowerCase(),
    spanId: spanId.toLowerCase(),
    parentId: parentId?.toLowerCase() ?? null,
  };
  return { context, sampled, debug };
}

const isSpanId = (id: string): boolean => id.length === 16 && isHex(id) && id !== ZERO;
