/** Spans of sampled requests, gathered in the worker and handed on in batches. */
import type { Exchange } from '../live/exchange.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import { WallClock } from './wall-clock.ts';
import { createSpanEncoder } from './zipkin.ts';

/** Plain data, to be posted to the main thread. */
export type SpanBatch = {
  readonly count: number;
  /**
   * JSON objects with commas between, in UTF-8: what goes into the brackets of a Zipkin v2 list. Bytes of its own, so that they change
   * threads without a copy, and without garbage for a heap that is small.
   */
  readonly json: Uint8Array<ArrayBuffer>;
};

export type SpanRecorder = {
  /** Call for every request at its end; does nothing when it is not sampled. Never throws. */
  record(x: Exchange): void;
  /** Hands on what is held. */
  flush(): void;
};

const utf8 = new TextEncoder();

/** Each hand-over wakes the main thread, so a busy worker makes few of them; a quiet one must not keep a span for long. */
const BATCH = 64;
const HOLD_MS = 100;

export function createSpanRecorder(
  node: ProxyNode,
  post: (batch: SpanBatch) => void,
  clock: WallClock = new WallClock(),
): SpanRecorder {
  const encode = createSpanEncoder(node, clock);
  let json = '';
  let count = 0;
  let timer: NodeJS.Timeout | null = null;

  return { record, flush };

  function record(x: Exchange): void {
    if (x.trace === null || !x.trace.sampled) return;
    json = count === 0 ? encode(x, x.trace) : `${json},${encode(x, x.trace)}`;
    count += 1;
    if (count >= BATCH) flush();
    else timer ??= setTimeout(flush, HOLD_MS);
  }

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (count === 0) return;
    const batch = { count, json: utf8.encode(json) };
    json = '';
    count = 0;
    post(batch);
  }
}
