/** Recent traces in memory, bounded by count and by size: enough to look at what just happened without a Zipkin. */

/** Zipkin v2, as far as it is kept (https://zipkin.io/zipkin-api/). */
export type Span = {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly kind?: 'CLIENT' | 'SERVER' | 'PRODUCER' | 'CONSUMER';
  readonly name?: string;
  /** µs since the epoch. */
  readonly timestamp?: number;
  /** µs. */
  readonly duration?: number;
  readonly debug?: boolean;
  readonly shared?: boolean;
  readonly localEndpoint?: SpanEndpoint;
  readonly remoteEndpoint?: SpanEndpoint;
  readonly annotations?: readonly { readonly timestamp: number; readonly value: string }[];
  readonly tags?: Readonly<Record<string, string>>;
};

export type SpanEndpoint = {
  readonly serviceName?: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly port?: number;
};

export type TraceQuery = {
  /** Of any span: the whole name, or the part before its first dot (`productpage` finds `productpage.default`). */
  readonly serviceName?: string;
  readonly spanName?: string;
  /** µs, of one span of that service (or of any). */
  readonly minDuration?: number;
  readonly maxDuration?: number;
  /** Tags or annotations, all of them: `error`, `http.status_code=503`. */
  readonly annotations?: readonly string[];
  /** ms since the epoch: traces that began in (endTs - lookback, endTs]. */
  readonly endTs?: number;
  readonly lookback?: number;
  readonly limit: number;
};

export type TraceStoreLimits = { readonly traces: number; readonly bytes: number; readonly spansPerTrace: number };

type Trace = { readonly id: string; readonly spans: Span[]; size: number; timestamp: number };

export class TraceStore {
  readonly #limits: TraceStoreLimits;
  /** In the order they were begun: the first is the oldest. */
  readonly #traces = new Map<string, Trace>();
  #bytes = 0;
  #dropped = 0;

  constructor(limits: Partial<TraceStoreLimits> = {}) {
    this.#limits = { traces: 1000, bytes: 32 * 1024 * 1024, spansPerTrace: 1000, ...limits };
  }

  get size(): { readonly traces: number; readonly bytes: number; readonly dropped: number } {
    return { traces: this.#traces.size, bytes: this.#bytes, dropped: this.#dropped };
  }

  /** `size`: roughly what the span takes, bytes. A span over its trace's limit is dropped; the oldest traces make room. */
  add(span: Span, size: number): void {
    let trace = this.#traces.get(span.traceId);
    if (trace === undefined) {
      trace = { id: span.traceId, spans: [], size: 0, timestamp: span.timestamp ?? Date.now() * 1000 };
      this.#traces.set(span.traceId, trace);
    }
    if (trace.spans.length >= this.#limits.spansPerTrace || size > this.#limits.bytes) {
      this.#dropped += 1;
      if (trace.spans.length === 0) this.#traces.delete(trace.id);
      return;
    }
    trace.spans.push(span);
    trace.size += size;
    trace.timestamp = Math.min(trace.timestamp, span.timestamp ?? trace.timestamp);
    this.#bytes += size;
    this.#makeRoom();
  }

  /** Spans of one trace, in the order they began; undefined: not (or no longer) here. */
  get(traceId: string): readonly Span[] | undefined {
    const trace = this.#traces.get(traceId);
    return trace === undefined ? undefined : inOrder(trace.spans);
  }

  /** The newest first. */
  find(query: TraceQuery): (readonly Span[])[] {
    const found: Trace[] = [];
    for (const trace of this.#traces.values()) if (matches(trace, query)) found.push(trace);
    found.sort((a, b) => b.timestamp - a.timestamp);
    return found.slice(0, query.limit).map(({ spans }) => inOrder(spans));
  }

  /** Names of all services seen, sorted. */
  services(): string[] {
    return this.#names((span) => span.localEndpoint?.serviceName);
  }

  /** Names of the spans of one service, sorted. */
  spanNames(service: string): string[] {
    return this.#names((span) => (isService(span, service) ? span.name : undefined));
  }

  #names(nameOf: (span: Span) => string | undefined): string[] {
    const names = new Set<string>();
    for (const { spans } of this.#traces.values()) {
      for (const span of spans) {
        const name = nameOf(span);
        if (name !== undefined) names.add(name);
      }
    }
    return [...names].sort();
  }

  #makeRoom(): void {
    for (const [id, { size }] of this.#traces) {
      if (this.#traces.size <= this.#limits.traces && this.#bytes <= this.#limits.bytes) return;
      this.#traces.delete(id);
      this.#bytes -= size;
    }
  }
}

const inOrder = (spans: readonly Span[]): Span[] => [...spans].sort((a, b) => (a.timestamp ?? 0) - (b.timestamp ?? 0));

const isService = (span: Span, wanted: string): boolean => {
  const name = span.localEndpoint?.serviceName;
  return name !== undefined && (name === wanted || name.startsWith(`${wanted}.`));
};

function matches({ spans, timestamp }: Trace, query: TraceQuery): boolean {
  const endMs = query.endTs ?? Number.POSITIVE_INFINITY;
  if (timestamp / 1000 > endMs) return false;
  if (query.lookback !== undefined && timestamp / 1000 <= Math.min(endMs, Date.now()) - query.lookback) return false;
  const asked = query.serviceName === undefined ? spans : spans.filter((span) => isService(span, query.serviceName!));
  if (asked.length === 0) return false;
  const { spanName, minDuration, maxDuration, annotations = [] } = query;
  return (
    (spanName === undefined || asked.some((span) => span.name === spanName)) &&
    ((minDuration === undefined && maxDuration === undefined) ||
      asked.some(({ duration = 0 }) => duration >= (minDuration ?? 0) && duration <= (maxDuration ?? Infinity))) &&
    annotations.every((wanted) => asked.some((span) => isAnnotated(span, wanted)))
  );
}

function isAnnotated(span: Span, wanted: string): boolean {
  const eq = wanted.indexOf('=');
  if (eq >= 0) return span.tags?.[wanted.slice(0, eq)] === wanted.slice(eq + 1);
  return span.tags?.[wanted] !== undefined || (span.annotations?.some(({ value }) => value === wanted) ?? false);
}
