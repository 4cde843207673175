/** Spans of sampled requests, gathered in the worker and handed on in batches. */
import type { Exchange } from '../live/exchange.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { TracingSettings, TwoSided } from '../snapshot/telemetry.ts';
import { createOtlpEncoder } from './otlp.ts';
import { failed, type Kept } from './span-tags.ts';
import { WallClock } from './wall-clock.ts';
import { createZipkinEncoder, type SpanEncoder } from './zipkin.ts';

export type SpanFormat = 'zipkin' | 'otlp';

/** Plain data, to be posted to the main thread. */
export type SpanBatch = {
  readonly count: number;
  /** The same spans in each format that somebody exports; null: nobody does. */
  readonly spans: Readonly<Record<SpanFormat, SpanBytes | null>>;
};

/**
 * JSON objects with commas between, in UTF-8: what goes into the brackets of a list. Bytes of their own, so that they change
 * threads without a copy, and without garbage for a heap that is small.
 */
export type SpanBytes = Uint8Array<ArrayBuffer>;

/** What changes threads with a batch. */
export const buffersOf = ({ spans }: SpanBatch): ArrayBuffer[] =>
  Object.values(spans).flatMap((bytes) => (bytes === null ? [] : [bytes.buffer]));

export type SpanRecorder = {
  /** What holds from now on. Until the first time, nothing is recorded. */
  use(settings: TwoSided<TracingSettings>): void;
  /** Call for every request at its end; does nothing when it is not sampled, nor kept for another reason. Never throws. */
  record(x: Exchange): void;
  /** Hands on what is held. */
  flush(): void;
};

/** Of one side, linked. Null encoder: nobody exports that format. */
type Side = {
  readonly zipkin: SpanEncoder | null;
  readonly otlp: SpanEncoder | null;
  /** Why a request is kept that was not sampled. Null: none is. */
  readonly keep: ((x: Exchange) => Kept) | null;
};

const utf8 = new TextEncoder();

/** Each hand-over wakes the main thread, so a busy worker makes few of them; a quiet one must not keep a span for long. */
const BATCH = 64;
const HOLD_MS = 100;

/** `formats`: those that are exported; the others cost nothing. */
export function createSpanRecorder(
  node: ProxyNode,
  formats: readonly SpanFormat[],
  post: (batch: SpanBatch) => void,
  clock: WallClock = new WallClock(),
): SpanRecorder {
  let server: Side | null = null;
  let client: Side | null = null;
  let zipkin = '';
  let otlp = '';
  let count = 0;
  let timer: NodeJS.Timeout | null = null;

  return { use, record, flush };

  function use(settings: TwoSided<TracingSettings>): void {
    server = sideOf(settings.server);
    client = settings.client === settings.server ? server : sideOf(settings.client);
  }

  function sideOf(settings: TracingSettings): Side | null {
    if (!settings.reported || formats.length === 0) return null;
    return {
      zipkin: formats.includes('zipkin') ? createZipkinEncoder(node, settings, clock) : null,
      otlp: formats.includes('otlp') ? createOtlpEncoder(node, settings, clock) : null,
      keep: tailRule(settings),
    };
  }

  function record(x: Exchange): void {
    const { trace } = x;
    const side = x.direction === 'inbound' ? server : client;
    if (trace === null || side === null) return;
    let kept: Kept = '';
    if (!trace.sampled) {
      if (side.keep === null) return;
      kept = side.keep(x);
      if (kept === '') return;
    }
    const comma = count === 0 ? '' : ',';
    if (side.zipkin !== null) zipkin += comma + side.zipkin(x, trace, kept);
    if (side.otlp !== null) otlp += comma + side.otlp(x, trace, kept);
    count += 1;
    if (count >= BATCH) flush();
    else timer ??= setTimeout(flush, HOLD_MS);
  }

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (count === 0) return;
    const batch = { count, spans: { zipkin: bytesOf(zipkin), otlp: bytesOf(otlp) } };
    zipkin = otlp = '';
    count = 0;
    post(batch);
  }
}

const bytesOf = (json: string): SpanBytes | null => (json === '' ? null : utf8.encode(json));

/**
 * Our extension: each proxy keeps what failed, or took long, at its end, by itself. Ids go with every request, sampled or not, so what
 * is kept of one trace fits together.
 */
function tailRule({ keepErrors, keepSlowerThan }: TracingSettings): Side['keep'] {
  if (!keepErrors && keepSlowerThan === null) return null;
  const slow = keepSlowerThan ?? Number.POSITIVE_INFINITY;
  return (x) => (keepErrors && failed(x) ? 'error' : x.endMs - x.startMs > slow ? 'slow' : '');
}
