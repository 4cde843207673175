/**
 * Posts spans to Zipkin collectors from the main thread. A collector that is slow or down costs bounded memory and lost spans (counted),
 * nothing else. Each collector has its own queue and one request in flight, so batches grow by themselves under load.
 *
 * `@opentelemetry/exporter-zipkin` 3.1.0 is not used for this, though a test compares with it: it has no request timeout, reads an answer
 * of any length, knows neither addresses of endpoints nor whether a cut answer has ended, and would turn each span into objects again.
 */
import type { Agent } from 'undici';
import type { SpanBatch } from './spans.ts';

export type SpanExporterOptions = {
  /** Base URLs (`http://127.0.0.1:9411`) or full ones that end in `/api/v2/spans`. */
  readonly collectors: readonly string[];
  /** Sent when so many spans wait, or after so long (Envoy's Zipkin tracer: 5 spans, or five seconds), ms. A request costs the main thread as much as many spans do. */
  readonly flushSpans?: number;
  readonly flushMs?: number;
  /** Of a whole request, ms. */
  readonly timeoutMs?: number;
  /** Of the spans that wait for one collector, bytes. */
  readonly limit?: number;
  /** Told when a collector begins to fail and when it works again; never of single failures in between. */
  readonly onState?: (collector: string, problem: string | null) => void;
};

export type SpanExporterStats = {
  readonly collector: string;
  readonly sent: number;
  readonly dropped: number;
  readonly waiting: number;
};

export type SpanExporter = {
  push(batch: SpanBatch): void;
  stats(): SpanExporterStats[];
  /** Sends what waits, for at most the request timeout, then lets go of all connections. */
  close(): Promise<void>;
};

/** Largest request, bytes; one collector request must not become the largest thing in memory. */
const MAX_BODY = 1_048_576;
const MAX_PAUSE_MS = 30_000;

/** Throws when a collector is no http or https URL. */
export function createSpanExporter(options: SpanExporterOptions): SpanExporter {
  const timeout = options.timeoutMs ?? 5000;
  let agent: Agent | null = null;
  const post: Post = async (url, body) => {
    // With the first spans: a proxy that traces nothing is spared 5 MB.
    const undici = await import('undici');
    const timeouts = { connectTimeout: timeout, headersTimeout: timeout, bodyTimeout: timeout };
    agent ??= new undici.Agent({ connections: 1, ...timeouts });
    const { statusCode, body: answer } = await undici.request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      dispatcher: agent,
      signal: AbortSignal.timeout(timeout),
    });
    // Collectors answer 202 with nothing; whatever else they say is read up to a bound, so that the connection can be used again.
    await answer.dump({ limit: 65_536 });
    return statusCode;
  };
  const collectors = options.collectors.map((url) => new Collector(url, post, options));
  return {
    push: (batch) => {
      for (const collector of collectors) collector.push(batch);
    },
    stats: () => collectors.map((collector) => collector.stats()),
    close: async () => {
      await Promise.all(collectors.map((collector) => collector.close()));
      await agent?.destroy();
    },
  };
}

/** Sends one request and answers its status. */
type Post = (url: URL, body: Buffer) => Promise<number>;

class Collector {
  readonly #shown: string;
  readonly #url: URL;
  readonly #request: Post;
  readonly #options: Required<Omit<SpanExporterOptions, 'collectors'>>;
  #queue: SpanBatch[] = [];
  #spans = 0;
  #size = 0;
  #sent = 0;
  #dropped = 0;
  #failures = 0;
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;
  #closed = false;

  constructor(collector: string, post: Post, options: SpanExporterOptions) {
    const { flushSpans = 256, flushMs = 1000, timeoutMs = 5000, limit = 8 * MAX_BODY, onState = () => {} } = options;
    this.#url = spansUrl(collector);
    this.#shown = `${this.#url.protocol}//${this.#url.host}`;
    this.#request = post;
    this.#options = { flushSpans, flushMs, timeoutMs, limit, onState };
  }

  push(batch: SpanBatch): void {
    if (this.#closed || this.#size + batch.json.length > this.#options.limit) {
      this.#dropped += batch.count;
      return;
    }
    this.#queue.push(batch);
    this.#spans += batch.count;
    this.#size += batch.json.length;
    this.#schedule();
  }

  stats(): SpanExporterStats {
    return { collector: this.#shown, sent: this.#sent, dropped: this.#dropped, waiting: this.#spans };
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const deadline = performance.now() + this.#options.timeoutMs;
    await this.#sending;
    while (this.#queue.length > 0 && this.#failures === 0 && performance.now() < deadline) await this.#send();
    this.#dropped += this.#spans;
    this.#queue = [];
    this.#spans = 0;
  }

  /** A failing collector is left alone for a while, twice as long each time. */
  #schedule(): void {
    if (this.#sending !== null || this.#queue.length === 0 || this.#closed) return;
    if (this.#failures === 0 && this.#spans >= this.#options.flushSpans) {
      if (this.#timer !== null) clearTimeout(this.#timer);
      this.#timer = null;
      this.#sending = this.#send();
      return;
    }
    const wait = Math.min(this.#options.flushMs * 2 ** this.#failures, MAX_PAUSE_MS);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#sending = this.#send();
    }, wait).unref();
  }

  async #send(): Promise<void> {
    const taken = this.#take();
    const problem = await this.#post(listOf(taken));
    const count = taken.reduce((sum, batch) => sum + batch.count, 0);
    if (problem === null) this.#sent += count;
    else this.#dropped += count;
    if ((problem === null) !== (this.#failures === 0)) this.#options.onState(this.#shown, problem);
    this.#failures = problem === null ? 0 : Math.min(this.#failures + 1, 16);
    this.#sending = null;
    this.#schedule();
  }

  #take(): SpanBatch[] {
    let n = 0;
    let size = 0;
    while (n < this.#queue.length && (n === 0 || size + this.#queue[n]!.json.length <= MAX_BODY))
      size += this.#queue[n++]!.json.length;
    const taken = this.#queue.splice(0, n);
    this.#spans -= taken.reduce((sum, batch) => sum + batch.count, 0);
    this.#size -= size;
    return taken;
  }

  /** Null, or what went wrong. Never rejects. */
  async #post(body: Buffer): Promise<string | null> {
    try {
      const status = await this.#request(this.#url, body);
      return status < 300 ? null : `answered ${status}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}

const [OPEN, COMMA, CLOSE] = ['[', ',', ']'].map((mark) => Buffer.from(mark));

/** A JSON list of all spans. */
const listOf = (batches: readonly SpanBatch[]): Buffer =>
  Buffer.concat([...batches.flatMap(({ json }, i) => [i === 0 ? OPEN! : COMMA!, json]), CLOSE!]);

function spansUrl(collector: string): URL {
  const url = URL.parse(collector);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new TypeError(
      `zipkin collector: expected an http or https URL such as http://127.0.0.1:9411, got ${JSON.stringify(collector)}`,
    );
  }
  if (!url.pathname.endsWith('/api/v2/spans')) url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/v2/spans`;
  return url;
}
