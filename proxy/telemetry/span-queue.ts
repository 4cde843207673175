/** Spans that wait for one collector: bounded, one request in flight, tried again for a while, then lost and counted. */
import type { Answer, Post } from './span-post.ts';
import type { SpanTarget } from './span-target.ts';
import type { SpanBatch, SpanBytes } from './spans.ts';

export type SpanExporterStats = {
  readonly collector: string;
  readonly sent: number;
  readonly dropped: number;
  readonly waiting: number;
};

export type SpanQueueSettings = {
  readonly flushSpans: number;
  /** ms */
  readonly flushMs: number;
  /** Of a whole request, ms. */
  readonly timeoutMs: number;
  /** Of the spans that wait, bytes. */
  readonly limit: number;
  /** A null problem: it works again. */
  readonly onState: (collector: string, problem: string | null) => void;
};

type Waiting = { readonly count: number; readonly bytes: SpanBytes };
type Problem = { readonly message: string; readonly again: boolean; readonly pause: number };

/** Largest request, bytes; one collector request must not become the largest thing in memory. */
export const MAX_BODY = 1_048_576;
const MAX_PAUSE_MS = 30_000;
/** Of one request: what it carries may be what the collector cannot stand. */
const MAX_TRIES = 5;
/** OTLP: these are to be tried again, and no others. Zipkin says nothing about it. */
const BUSY: readonly number[] = [429, 502, 503, 504];
/** Nothing was taken, or a kept connection was closed just then: spans that came twice are told by their ids. */
const UNREACHED =
  /^(?:ECONNREFUSED|ECONNRESET|EPIPE|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT|UND_ERR_SOCKET)$/;

export class SpanQueue {
  readonly #shown: string;
  readonly #target: SpanTarget;
  readonly #request: Post;
  readonly #settings: SpanQueueSettings;
  #queue: Waiting[] = [];
  #spans = 0;
  #size = 0;
  #sent = 0;
  #dropped = 0;
  /** In a row. */
  #failures = 0;
  /** Of the request at the head of the queue. */
  #tries = 0;
  /** Asked for by the collector, ms. */
  #pause = 0;
  #troubled = false;
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;
  #closed = false;

  constructor(target: SpanTarget, post: Post, settings: SpanQueueSettings) {
    this.#target = target;
    this.#shown = `${target.url.protocol}//${target.url.host}`;
    this.#request = post;
    this.#settings = settings;
  }

  push({ count, spans }: SpanBatch): void {
    const bytes = spans[this.#target.format];
    if (bytes === null || this.#closed || this.#size + bytes.length > this.#settings.limit) {
      this.#dropped += count;
      return;
    }
    this.#queue.push({ count, bytes });
    this.#spans += count;
    this.#size += bytes.length;
    this.#schedule();
  }

  stats(): SpanExporterStats {
    return { collector: this.#shown, sent: this.#sent, dropped: this.#dropped, waiting: this.#spans };
  }

  /** Sends what waits while that works, for at most the request timeout. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const deadline = performance.now() + this.#settings.timeoutMs;
    await this.#sending;
    while (this.#queue.length > 0 && this.#failures === 0 && performance.now() < deadline) await this.#send();
    this.#dropped += this.#spans;
    this.#queue = [];
    this.#spans = 0;
  }

  /** A failing collector is left alone for a while, twice as long each time, or as long as it says. */
  #schedule(): void {
    if (this.#sending !== null || this.#queue.length === 0 || this.#closed) return;
    if (this.#failures === 0 && this.#spans >= this.#settings.flushSpans) {
      if (this.#timer !== null) clearTimeout(this.#timer);
      this.#timer = null;
      this.#sending = this.#send();
      return;
    }
    const wait = Math.max(this.#pause, Math.min(this.#settings.flushMs * 2 ** this.#failures, MAX_PAUSE_MS));
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#sending = this.#send();
    }, wait).unref();
  }

  async #send(): Promise<void> {
    const taken = this.#take();
    const count = taken.reduce((sum, batch) => sum + batch.count, 0);
    const answer = await this.#post(taken);
    if ('message' in answer) this.#failed(answer, taken, count);
    else this.#succeeded(answer, count);
    this.#sending = null;
    this.#schedule();
  }

  #succeeded({ text }: Answer, count: number): void {
    const refused = this.#target.refused(text);
    const lost = Math.min(refused.count, count);
    this.#sent += count - lost;
    this.#dropped += lost;
    this.#failures = this.#tries = this.#pause = 0;
    this.#tell(lost === 0 ? null : `it refuses some: ${refused.why}`);
  }

  #failed({ message, again, pause }: Problem, taken: Waiting[], count: number): void {
    this.#failures = Math.min(this.#failures + 1, 16);
    this.#pause = pause;
    this.#tries += 1;
    if (again && this.#tries < MAX_TRIES) this.#putBack(taken, count);
    else {
      this.#tries = 0;
      this.#dropped += count;
    }
    this.#tell(message);
  }

  /** Once for each change, never for single failures in between. */
  #tell(problem: string | null): void {
    if ((problem !== null) === this.#troubled) return;
    this.#troubled = problem !== null;
    this.#settings.onState(this.#shown, problem);
  }

  #take(): Waiting[] {
    let n = 0;
    let size = 0;
    while (n < this.#queue.length && (n === 0 || size + this.#queue[n]!.bytes.length <= MAX_BODY))
      size += this.#queue[n++]!.bytes.length;
    const taken = this.#queue.splice(0, n);
    this.#spans -= taken.reduce((sum, batch) => sum + batch.count, 0);
    this.#size -= size;
    return taken;
  }

  /** Beyond the limit by one request at most: what has waited longest is not what gives way. */
  #putBack(taken: Waiting[], count: number): void {
    this.#queue.unshift(...taken);
    this.#spans += count;
    this.#size += taken.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** Never rejects. */
  async #post(taken: readonly Waiting[]): Promise<Answer | Problem> {
    const { url, open, close } = this.#target;
    const body = Buffer.concat([open, ...taken.flatMap(({ bytes }, i) => (i === 0 ? [bytes] : [COMMA, bytes])), close]);
    try {
      const answer = await this.#request(url, body);
      if (answer.status >= 200 && answer.status < 300) return answer;
      return { message: `answered ${answer.status}`, again: BUSY.includes(answer.status), pause: answer.pause };
    } catch (error) {
      const { message, code } = error as Partial<NodeJS.ErrnoException>;
      return { message: message ?? String(error), again: UNREACHED.test(code ?? ''), pause: 0 };
    }
  }
}

const COMMA = Buffer.from(',');
