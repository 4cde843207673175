/** B3 trace context: reads both forms strictly, writes what goes upstream (https://github.com/openzipkin/b3-propagation). */
import { remove, set, type HeaderList } from '../core/header-list.ts';
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

const ZERO = '0000000000000000';

/**
 * Single `b3` wins over the `x-b3-*` headers, as the specification has it. One part that is not valid makes the whole of it nothing:
 * half a context would tie spans to a trace they do not belong to.
 */
export function readB3(headers: HeaderList): Incoming {
  const at = locate(headers);
  if (at.none) return NOTHING;
  return at.single >= 0 ? readSingle(headers[at.single]!) : readMulti(headers, at);
}

/** Replaces whatever came. Apps that copy `b3` alone get it in that form as well, so that no stale span of ours is copied on. */
export function writeB3(headers: HeaderList, { traceId, spanId, parentId, sampled }: Trace, debug: boolean): void {
  const at = locate(headers);
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

function put(headers: HeaderList, name: string, at: number, value: string, twice: boolean): void {
  if (at < 0) headers.push(name, value);
  else if (twice) set(headers, name, value);
  else headers[at] = value;
}

/** Where the values of the first of each header are; -1: not there. */
type Places = {
  single: number;
  traceId: number;
  spanId: number;
  parentId: number;
  sampled: number;
  flags: number;
  none: boolean;
  /** One of them is there more than once. */
  twice: boolean;
};

const places: Places = {
  single: -1,
  traceId: -1,
  spanId: -1,
  parentId: -1,
  sampled: -1,
  flags: -1,
  none: true,
  twice: false,
};

/** All of them in one pass: this runs for every request. The result is good until the next call. */
function locate(headers: HeaderList): Places {
  const at = places;
  at.single = at.traceId = at.spanId = at.parentId = at.sampled = at.flags = -1;
  at.none = true;
  at.twice = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    // `x-b3-…` or `b3`: few other names get past this, so that lower-casing is rare.
    if (name.charCodeAt(name.length === 2 ? 1 : 3) !== 51) continue;
    switch (name.length) {
      case 2:
        if (is(name, 'b3')) note(at, 'single', i + 1);
        break;
      case 10:
        if (is(name, 'x-b3-flags')) note(at, 'flags', i + 1);
        break;
      case 11:
        if (is(name, 'x-b3-spanid')) note(at, 'spanId', i + 1);
        break;
      case 12:
        if (is(name, 'x-b3-traceid')) note(at, 'traceId', i + 1);
        else if (is(name, 'x-b3-sampled')) note(at, 'sampled', i + 1);
        break;
      case 17:
        if (is(name, 'x-b3-parentspanid')) note(at, 'parentId', i + 1);
        break;
    }
  }
  return at;
}

const is = (name: string, lower: string): boolean => name === lower || name.toLowerCase() === lower;

function note(at: Places, which: 'single' | 'traceId' | 'spanId' | 'parentId' | 'sampled' | 'flags', i: number): void {
  at.none = false;
  if (at[which] < 0) at[which] = i;
  else at.twice = true;
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

function isHex(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    // 0-9, or a-f in either case.
    if ((c < 48 || c > 57) && ((c | 32) < 97 || (c | 32) > 102)) return false;
  }
  return true;
}
