/** Where the trace headers of a request are. All are looked for in one pass, since that is done for every request. */
import { set, type HeaderList } from '../core/header-list.ts';

/** Where the value of the first of each header is; -1: not there. */
export type Places = {
  /** `b3` */
  single: number;
  traceId: number;
  spanId: number;
  parentId: number;
  sampled: number;
  flags: number;
  /** None of the above. */
  noB3: boolean;
  traceparent: number;
  tracestate: number;
  /** There are two of traceparent, so that it says nothing. */
  twoParents: boolean;
  /** One of B3's headers, or traceparent, is there more than once. */
  twice: boolean;
  /** `x-client-trace-id` */
  wanted: number;
  /** `x-envoy-force-trace` */
  forced: number;
};

type B3Place = 'single' | 'traceId' | 'spanId' | 'parentId' | 'sampled' | 'flags';

const places: Places = {
  single: -1,
  traceId: -1,
  spanId: -1,
  parentId: -1,
  sampled: -1,
  flags: -1,
  noB3: true,
  traceparent: -1,
  tracestate: -1,
  twoParents: false,
  twice: false,
  wanted: -1,
  forced: -1,
};

/** The result is good until the next call, and until a header goes. */
export function locate(headers: HeaderList): Places {
  const at = places;
  at.single = at.traceId = at.spanId = at.parentId = at.sampled = at.flags = -1;
  at.traceparent = at.tracestate = at.wanted = at.forced = -1;
  at.noB3 = true;
  at.twoParents = at.twice = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    // Length and fourth character tell nearly all other names apart, so that lower-casing is rare.
    switch (name.length) {
      case 2:
        if (is(name, 'b3')) note(at, 'single', i + 1);
        break;
      case 10: {
        const c = name.charCodeAt(3);
        if (c === 51 && is(name, 'x-b3-flags')) note(at, 'flags', i + 1);
        else if ((c | 32) === 99 && at.tracestate < 0 && is(name, 'tracestate')) at.tracestate = i + 1;
        break;
      }
      case 11: {
        const c = name.charCodeAt(3);
        if (c === 51 && is(name, 'x-b3-spanid')) note(at, 'spanId', i + 1);
        else if ((c | 32) === 99 && is(name, 'traceparent')) noteParent(at, i + 1);
        break;
      }
      case 12:
        if (name.charCodeAt(3) !== 51) break;
        if (is(name, 'x-b3-traceid')) note(at, 'traceId', i + 1);
        else if (is(name, 'x-b3-sampled')) note(at, 'sampled', i + 1);
        break;
      case 17: {
        const c = name.charCodeAt(3);
        if (c === 51 && is(name, 'x-b3-parentspanid')) note(at, 'parentId', i + 1);
        else if ((c | 32) === 108 && is(name, 'x-client-trace-id')) at.wanted = i + 1;
        break;
      }
      case 19:
        if ((name.charCodeAt(3) | 32) === 110 && is(name, 'x-envoy-force-trace')) at.forced = i + 1;
        break;
    }
  }
  return at;
}

/** Writes the one header called `name`; `at`: where its first value is. */
export function put(headers: HeaderList, name: string, at: number, value: string, twice: boolean): void {
  if (at < 0) headers.push(name, value);
  else if (twice) set(headers, name, value);
  else headers[at] = value;
}

/** Hex digits in either case. */
export function isHex(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    // 0-9, or a-f in either case.
    if ((c < 48 || c > 57) && ((c | 32) < 97 || (c | 32) > 102)) return false;
  }
  return true;
}

const is = (name: string, lower: string): boolean => name === lower || name.toLowerCase() === lower;

function note(at: Places, which: B3Place, i: number): void {
  at.noB3 = false;
  if (at[which] < 0) at[which] = i;
  else at.twice = true;
}

function noteParent(at: Places, i: number): void {
  if (at.traceparent < 0) at.traceparent = i;
  else at.twoParents = at.twice = true;
}
