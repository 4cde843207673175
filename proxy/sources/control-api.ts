/** Resources from the control API: one long answer of changes. When it breaks off, what is in force stays, and it is asked again. */
import { Readable } from 'node:stream';
import type { Agent, Dispatcher } from 'undici';
import { keyOf, type Resource } from '../istio/resource.ts';
import { proxyId, type ProxyNode } from '../snapshot/node.ts';
import { credentialsOf, NO_CREDENTIALS, type Credentials, type Origin } from './join-token.ts';
import { messageOf } from './refusal.ts';
import type { Source, SourceLog, Update } from './source.ts';

type Line =
  | { readonly kind: 'set'; readonly revision: number; readonly resources: readonly Resource[] }
  | {
      readonly kind: 'change';
      readonly revision: number;
      readonly upserts: readonly Resource[];
      readonly deletes: readonly string[];
    }
  /** All taps there are: who looks at single requests. */
  | { readonly kind: 'taps'; readonly taps: readonly unknown[] }
  | { readonly kind: 'ask'; readonly id: string; readonly path: string }
  | { readonly kind: 'ping' };

/** The server pings every 10 s: silence for longer means that it is gone without a word. */
const SILENCE_MS = 30_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;
/** One line: the whole set of a very large mesh. */
const MAX_LINE = 512 * 1024 * 1024;

/** A page on its way takes no longer. */
const ANSWER_MS = 60_000;

export type AnsweredPage = {
  readonly status: number;
  /** Media type */
  readonly type: string;
  readonly body: string | AsyncIterable<Uint8Array>;
};

/** How this proxy reports what it runs. */
export type Report = Readonly<Record<string, unknown>>;

class Refused extends Error {
  constructor(status: number, message: string) {
    super(`${status}: ${message}`);
  }
}

export class ControlApiSource implements Source {
  /** Told who looks at single requests, whenever that changes; nobody does when the stream has broken off. */
  onTaps: (taps: readonly unknown[]) => void = () => undefined;
  /** Asked for a page by its path and query; `answer` answers under this id. */
  onAsk: (id: string, path: string) => void = () => undefined;
  /** Awaited each time before the stream is opened: what the control API must know by then. Must not reject. */
  beforeStream: () => Promise<void> = () => Promise.resolve();
  readonly #url: string;
  readonly #proxy: string;
  readonly #log: SourceLog;
  readonly #credentials: Credentials;
  #agent: Agent | null = null;
  readonly #resources = new Map<string, Resource>();
  #onUpdate: (update: Update) => void = () => undefined;
  #retry = FIRST_RETRY_MS;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  #connected = false;
  #report: Report | null = null;
  #reporting = false;
  #problem: string | null = null;

  /** As a proxy's options have it; null where the configuration comes from elsewhere. */
  static of(source: Origin, node: ProxyNode, log: SourceLog): ControlApiSource | null {
    if (source.kind !== 'control-api') return null;
    return new ControlApiSource(source.url, proxyId(node), log, credentialsOf(source));
  }

  /** `proxy`: `<pod>.<namespace>`. */
  constructor(url: string, proxy: string, log: SourceLog, credentials = NO_CREDENTIALS) {
    this.#url = url.replace(/\/$/, '');
    this.#proxy = encodeURIComponent(proxy);
    this.#log = log;
    this.#credentials = credentials;
  }

  /** Is its stream open? */
  get connected(): boolean {
    return this.#connected;
  }

  /** Why its stream is not open, in words; null while it is, and before the first try. */
  get problem(): string | null {
    return this.#problem;
  }

  start(onUpdate: (update: Update) => void): void {
    this.#onUpdate = onUpdate;
    void this.#connect();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    void this.#agent?.destroy();
  }

  /** Tells the control API what is in force; only the newest report matters, and it is told again after an outage. */
  report(report: Report): void {
    this.#report = report;
    void this.#send();
  }

  /** Puts something beside the report: `…/proxies/<this>/<what>`. Resolves with whether it has arrived; never rejects. */
  async tell(what: string, body: unknown): Promise<boolean> {
    try {
      const answer = await this.#ask(`proxies/${this.#proxy}/${what}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      await answer.body.dump();
      return answer.statusCode < 300;
    } catch {
      return false;
    }
  }

  /** Answers what `onAsk` was told of. Resolves with whether it has arrived; never rejects. */
  async answer(id: string, { status, type, body }: AnsweredPage): Promise<boolean> {
    try {
      const answer = await this.#ask(`proxies/${this.#proxy}/answers/${id}?status=${status}`, {
        method: 'PUT',
        headers: { 'content-type': type },
        body: typeof body === 'string' ? body : Readable.from(body),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      await answer.body.dump();
      return answer.statusCode < 300;
    } catch {
      return false;
    }
  }

  async #send(): Promise<void> {
    if (this.#reporting || this.#closed) return;
    this.#reporting = true;
    try {
      while (this.#report !== null) {
        const body = JSON.stringify(this.#report);
        const sent = this.#report;
        const answer = await this.#ask(`proxies/${this.#proxy}`, {
          method: 'PUT',
          headers: { 'content-type': 'application/json' },
          body,
        });
        await answer.body.dump();
        if (this.#report === sent) break;
      }
    } catch {
      // It is told again when the stream is back: see #onOpen.
    } finally {
      this.#reporting = false;
    }
  }

  async #connect(): Promise<void> {
    try {
      await this.beforeStream();
      const answer = await this.#ask(`config?proxy=${this.#proxy}`);
      if (answer.statusCode !== 200) throw new Refused(answer.statusCode, messageOf(await answer.body.text()));
      this.#onOpen();
      await this.#readLines(answer);
      throw new Error('it ended the stream');
    } catch (error) {
      if (this.#closed) return;
      this.onTaps([]);
      const ends = error instanceof Refused ? 'refuses this proxy' : 'does not answer';
      this.#problem = `the control API at ${this.#url} ${ends} (${(error as Error).message})`;
      if (this.#connected)
        this.#log(
          'warn',
          `lost the control API at ${this.#url} (${(error as Error).message}); the last configuration stays in force`,
        );
      this.#connected = false;
      this.#timer = setTimeout(() => void this.#connect(), this.#retry * (0.75 + Math.random() / 2));
      this.#retry = Math.min(this.#retry * 2, LAST_RETRY_MS);
    }
  }

  async #ask(
    path: string,
    options: Omit<Dispatcher.RequestOptions, 'origin' | 'path' | 'method'> & { method?: 'PUT' } = {},
  ): Promise<Dispatcher.ResponseData> {
    // Loaded when it is needed: a proxy that runs on files is spared 5 MB.
    const undici = await import('undici');
    this.#agent ??= new undici.Agent({ bodyTimeout: SILENCE_MS, headersTimeout: 10_000, connect: { timeout: 3000 } });
    if (this.#closed) throw new Error('the proxy is stopping');
    const headers = { ...(options.headers as Record<string, string> | undefined), ...this.#credentials(this.#url) };
    return undici.request(`${this.#url}/lateen/v1/${path}`, { ...options, headers, dispatcher: this.#agent });
  }

  #onOpen(): void {
    this.#connected = true;
    this.#problem = null;
    this.#retry = FIRST_RETRY_MS;
    this.#log('info', `connected to the control API at ${this.#url}`);
    if (this.#report !== null) void this.#send();
  }

  async #readLines(answer: Dispatcher.ResponseData): Promise<void> {
    const parts: string[] = [];
    let size = 0;
    const decoder = new TextDecoder();
    for await (const chunk of answer.body) {
      const text = decoder.decode(chunk as Uint8Array, { stream: true });
      let from = 0;
      for (let lf = text.indexOf('\n'); lf >= 0; lf = text.indexOf('\n', from)) {
        parts.push(text.slice(from, lf));
        this.#onLine(parts.join(''));
        parts.length = 0;
        size = 0;
        from = lf + 1;
      }
      if (from < text.length) parts.push(text.slice(from));
      size += text.length - from;
      if (size > MAX_LINE) throw new Error('it sent a line that is too long');
    }
  }

  #onAsk({ id, path }: { readonly id: unknown; readonly path: unknown }): void {
    if (typeof id === 'string' && /^[\w-]{1,64}$/.test(id) && typeof path === 'string') this.onAsk(id, path);
  }

  #onLine(text: string): void {
    if (text === '') return;
    const line = JSON.parse(text) as Line;
    if (line.kind === 'taps') return this.onTaps(line.taps);
    if (line.kind === 'ask') return this.#onAsk(line);
    if (line.kind === 'set') {
      this.#resources.clear();
      for (const r of line.resources) this.#resources.set(keyOf(r), r);
    } else if (line.kind === 'change') {
      for (const r of line.upserts) this.#resources.set(keyOf(r), r);
      for (const key of line.deletes) this.#resources.delete(key);
    } else {
      // A ping, or what a newer control API tells newer proxies.
      return;
    }
    this.#onUpdate({ resources: [...this.#resources.values()], problems: [], revision: line.revision });
  }
}
