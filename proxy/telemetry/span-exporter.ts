/**
 * Posts spans to collectors, Zipkin's and OpenTelemetry's, from the main thread. A collector that is slow or down costs bounded memory and
 * lost spans (counted), nothing else. Each has its own queue and one request in flight, so batches grow by themselves under load.
 *
 * `@opentelemetry/exporter-zipkin` 3.1.0 is not used for this, though a test compares with it: it has no request timeout, reads an answer
 * of any length, knows neither addresses of endpoints nor whether a cut answer has ended, and would turn each span into objects again.
 */
import { createPost } from './span-post.ts';
import { MAX_BODY, SpanQueue, type SpanExporterStats, type SpanQueueSettings } from './span-queue.ts';
import { otlpTarget, zipkinTarget } from './span-target.ts';
import type { SpanBatch, SpanFormat } from './spans.ts';

/** Spans are sent when `flushSpans` wait, or after `flushMs` (Envoy's Zipkin tracer: 5 spans, or five seconds): a request costs the main thread as much as many spans do. */
export type SpanExporterOptions = Partial<SpanQueueSettings> & {
  /** Of Zipkin: base URLs (`http://127.0.0.1:9411`), or full ones that end in `/api/v2/spans`. */
  readonly collectors: readonly string[];
  /** Of OpenTelemetry: base URLs (`http://127.0.0.1:4318`), or full ones that end in `/v1/traces`; and `otlpEnvelope` of this proxy. */
  readonly otlp?: {
    readonly collectors: readonly string[];
    readonly envelope: { readonly open: string; readonly close: string };
  };
  /** What a collector wants to be shown: the control API is one, and asks for the join token. */
  readonly headersFor?: (url: URL) => Readonly<Record<string, string>>;
};

export type SpanExporter = {
  /** What batches have to have. */
  readonly formats: readonly SpanFormat[];
  push(batch: SpanBatch): void;
  stats(): SpanExporterStats[];
  /** Sends what waits, for at most the request timeout, then lets go of all connections. */
  close(): Promise<void>;
};

/** Throws when a collector is no http or https URL. */
export function createSpanExporter({ collectors, otlp, headersFor, ...given }: SpanExporterOptions): SpanExporter {
  const settings = {
    flushSpans: 256,
    flushMs: 1000,
    timeoutMs: 5000,
    limit: 8 * MAX_BODY,
    onState: () => undefined,
    ...given,
  };
  const targets = [
    ...collectors.map(zipkinTarget),
    ...(otlp?.collectors ?? []).map((collector) => otlpTarget(collector, otlp!.envelope)),
  ];
  const { post, close } = createPost(
    settings.timeoutMs,
    targets.some(({ url }) => url.protocol === 'https:'),
    headersFor,
  );
  const queues = targets.map((target) => new SpanQueue(target, post, settings));
  return {
    formats: [...new Set(targets.map(({ format }) => format))],
    push: (batch) => {
      for (const queue of queues) queue.push(batch);
    },
    stats: () => queues.map((queue) => queue.stats()),
    close: async () => {
      await Promise.all(queues.map((queue) => queue.close()));
      await close();
    },
  };
}
