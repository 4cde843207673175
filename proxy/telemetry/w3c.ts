/** W3C trace context: `traceparent` is read strictly and written, `tracestate` passed on (https://www.w3.org/TR/trace-context-2/). */
import { getJoined, remove, set, type HeaderList } from '../core/header-list.ts';
import type { Trace } from '../live/exchange.ts';
import { put, type Places } from './trace-headers.ts';

export type Parent = {
  /** 32 digits. */
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
  /** Level 2: the trace id is random; told to whoever comes next. */
  readonly random: boolean;
};

const LENGTH = 55;
/** Of `tracestate`, characters. Section 3.3.1.5 asks for at least 512. */
const MAX_STATE = 4096;
const ZEROS = '00000000000000000000000000000000';

/** Null: it is not valid, so that it says nothing. Later versions are read as far as this one goes (section 3.2.4). */
export function readTraceparent(value: string): Parent | null {
  if (value.length < LENGTH || (value.length > LENGTH && (value.charCodeAt(LENGTH) !== DASH || is00(value))))
    return null;
  if (value.charCodeAt(2) !== DASH || value.charCodeAt(35) !== DASH || value.charCodeAt(52) !== DASH) return null;
  if (!isLowerHex(value, 0, 2) || !isLowerHex(value, 3, 35)) return null;
  if (!isLowerHex(value, 36, 52) || !isLowerHex(value, 53, LENGTH)) return null;
  if (value.startsWith('ff')) return null;
  const traceId = value.slice(3, 35);
  const spanId = value.slice(36, 52);
  if (traceId === ZEROS || ZEROS.startsWith(spanId)) return null;
  const flags = Number.parseInt(value.slice(53, LENGTH), 16);
  return { traceId, spanId, sampled: (flags & 1) !== 0, random: (flags & 2) !== 0 };
}

/** Replaces what came. `from`: the parent that the trace has joined; null: none of W3C's. */
export function writeTraceparent(headers: HeaderList, trace: Trace, from: Parent | null, at: Places): void {
  const flags = (trace.sampled ? 1 : 0) + (from?.random === true ? 2 : 0);
  const value = `00-${wide(trace.traceId)}-${trace.spanId}-0${flags}`;
  put(headers, 'traceparent', at.traceparent, value, at.twice);
}

/** Call last, since it may remove headers. State of a trace that was not joined goes; of others, as many entries stay as there is room for. */
export function passTracestate(headers: HeaderList, joined: boolean): void {
  if (!joined) return void remove(headers, 'tracestate');
  const state = getJoined(headers, 'tracestate') ?? '';
  if (state.length <= MAX_STATE) return;
  const cut = state.lastIndexOf(',', MAX_STATE);
  if (cut <= 0) remove(headers, 'tracestate');
  else set(headers, 'tracestate', state.slice(0, cut));
}

/** A trace id in 128 bits: those of 64 get zeros in front (section 3.2.2.3; Envoy does so, too). */
export const wide = (traceId: string): string => (traceId.length === 32 ? traceId : ZEROS.slice(0, 16) + traceId);

const DASH = 45;
const is00 = (value: string): boolean => value.startsWith('00');

function isLowerHex(text: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i);
    if ((c < 48 || c > 57) && (c < 97 || c > 102)) return false;
  }
  return true;
}
