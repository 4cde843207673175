/** B3 trace context: reads both forms strictly, writes what goes upstream (https://github.com/openzipkin/b3-propagation). */
import { get, indexOf, remove, set, type HeaderList } from '../core/header-list.ts';
import type { Trace } from '../live/exchange.ts';

/** What came with a request. */
export type Incoming = {
  /** Null: only a decision came, or nothing. */
  readonly context: { readonly traceId: string; readonly spanId: string; readonly parentId: string | null } | null;
  /** Null: the decision is left to us. */
  readonly sampled: boolean | null;
  /** Debug flag: sampled, whatever anybody's percentage is. */
  readonly debug: boolean;
};

const NOTHING: Incoming = { context: null, sampled: null, debug: false };

const TRACE_ID = /^(?:[0-9a-f]{16}){1,2}$/i;
const SPAN_ID = /^[0-9a-f]{16}$/i;
const ZERO = /^0+$/;

/**
 * Single `b3` wins over the `x-b3-*` headers, as the specification has it. One part that is not valid makes the whole of it nothing:
 * half a context would tie spans to a trace they do not belong to.
 */
export function readB3(headers: HeaderList): Incoming {
  const single = get(headers, 'b3');
  if (single !== undefined) return readSingle(single);
  return readMulti(headers);
}

function readSingle(value: string): Incoming {
  if (value.length > 68) return NOTHING;
  const parts = value.split('-');
  if (parts.length === 1) return decisionOnly(value);
  const [traceId, spanId, state, parentId] = parts;
  if (parts.length > 4) return NOTHING;
  const decision = state === undefined ? { sampled: null, debug: false } : decisionOf(state);
  return decision === null ? NOTHING : complete(traceId!, spanId!, parentId, decision.sampled, decision.debug);
}

function decisionOnly(state: string): Incoming {
  const decision = decisionOf(state);
  return decision === null ? NOTHING : { context: null, ...decision };
}

function decisionOf(state: string): { sampled: boolean; debug: boolean } | null {
  if (state === 'd') return { sampled: true, debug: true };
  if (state === '1') return { sampled: true, debug: false };
  if (state === '0') return { sampled: false, debug: false };
  return null;
}

function readMulti(headers: HeaderList): Incoming {
  const debug = get(headers, 'x-b3-flags') === '1';
  const state = get(headers, 'x-b3-sampled');
  const decision = debug ? true : sampledOf(state);
  if (decision === undefined) return NOTHING;
  const traceId = get(headers, 'x-b3-traceid');
  const spanId = get(headers, 'x-b3-spanid');
  if (traceId === undefined && spanId === undefined) return { context: null, sampled: decision, debug };
  if (traceId === undefined || spanId === undefined) return NOTHING;
  return complete(traceId, spanId, get(headers, 'x-b3-parentspanid'), decision, debug);
}

/** Null: absent. Undefined: not valid. Early B3 had `true` and `false`. */
function sampledOf(state: string | undefined): boolean | null | undefined {
  switch (state) {
    case undefined:
      return null;
    case '1':
    case 'true':
    case 'True':
      return true;
    case '0':
    case 'false':
    case 'False':
      return false;
    default:
      return undefined;
  }
}

function complete(
  traceId: string,
  spanId: string,
  parentId: string | undefined,
  sampled: boolean | null,
  debug: boolean,
): Incoming {
  if (!TRACE_ID.test(traceId) || ZERO.test(traceId) || !isSpanId(spanId)) return NOTHING;
  if (parentId !== undefined && !isSpanId(parentId)) return NOTHING;
  const context = {
    traceId: traceId.toLowerCase(),
    spanId: spanId.toLowerCase(),
    parentId: parentId?.toLowerCase() ?? null,
  };
  return { context, sampled, debug };
}

const isSpanId = (id: string): boolean => SPAN_ID.test(id) && !ZERO.test(id);

/** Replaces whatever came. Apps that copy `b3` alone get it in that form as well, so that no stale span of ours is copied on. */
export function writeB3(headers: HeaderList, { traceId, spanId, parentId, sampled }: Trace, debug: boolean): void {
  set(headers, 'x-b3-traceid', traceId);
  set(headers, 'x-b3-spanid', spanId);
  if (parentId === null) remove(headers, 'x-b3-parentspanid');
  else set(headers, 'x-b3-parentspanid', parentId);
  set(headers, 'x-b3-sampled', sampled ? '1' : '0');
  if (debug) set(headers, 'x-b3-flags', '1');
  else remove(headers, 'x-b3-flags');
  if (indexOf(headers, 'b3') < 0) return;
  const state = debug ? 'd' : sampled ? '1' : '0';
  set(headers, 'b3', `${traceId}-${spanId}-${state}${parentId === null ? '' : `-${parentId}`}`);
}
