/** A client connection of raw bytes: requests out, answers in order, each within its time; kept for the next one when both sides may. */
import { connect, type Socket } from 'node:net';
import { field, LlhttpReader, type Seen } from '../conformance/llhttp.ts';

export type Outcome = {
  /** Final answers; the last may be incomplete. */
  readonly answers: readonly Seen[];
  readonly ended: 'kept' | 'end' | 'reset' | 'late';
  /** llhttp's complaint; null: none. */
  readonly error: string | null;
  readonly fromMs: number;
  readonly toMs: number;
};

/** How a client writes: everything at once, or as it likes. */
export type Writing = (socket: Socket) => void;

export class Caller {
  readonly socket: Socket;
  idle = true;
  closed = false;
  /** Bytes that came when nothing was asked. */
  surplus = '';
  #reader: LlhttpReader | null = null;
  #expect = 0;
  #from = 0;
  #timer: NodeJS.Timeout | null = null;
  #done: ((outcome: Outcome) => void) | null = null;

  constructor(host: string, port: number) {
    this.socket = connect({ host, port, noDelay: true });
    this.socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    this.socket.on('end', () => this.#finish('end'));
    this.socket.on('error', () => this.#finish('reset'));
    this.socket.on('close', () => this.#finish('reset'));
  }

  /** One exchange: `methods` tell how many answers are waited for. */
  ask(write: Writing, methods: readonly string[], limitMs: number): Promise<Outcome> {
    this.idle = false;
    this.#reader = new LlhttpReader('response', (nth) => methods[nth] ?? 'GET');
    this.#expect = methods.length;
    this.#from = performance.now();
    this.#timer = setTimeout(() => this.#finish('late'), limitMs);
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#done = resolve;
    if (this.closed) this.#finish('reset');
    else write(this.socket);
    return promise;
  }

  close(): void {
    this.closed = true;
    this.socket.destroy();
  }

  #onData(bytes: Buffer): void {
    if (this.#reader === null) {
      if (this.surplus.length < 500) this.surplus += bytes.toString('latin1', 0, 500);
      return;
    }
    this.#reader.feed(bytes);
    if (this.#reader.finals >= this.#expect || this.#reader.error !== null) this.#finish('kept');
  }

  #finish(ended: Outcome['ended']): void {
    if (ended !== 'kept') this.closed = true;
    const reader = this.#reader;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (ended === 'late') this.socket.destroy();
    if (reader === null) return;
    if (ended === 'end') reader.end();
    this.#reader = null;
    reader.close();
    const answers = reader.messages.filter(({ status }) => status >= 200 || status === 101);
    const last = answers.at(-1);
    if (ended === 'kept' && last !== undefined && field(last.headers, 'connection') === 'close') this.close();
    if (reader.error !== null) this.close();
    this.idle = !this.closed;
    this.#done!({ answers, ended, error: reader.error, fromMs: this.#from, toMs: performance.now() });
  }
}

/** Connections that wait for their next request. */
export class Callers {
  readonly #host: string;
  readonly #port: number;
  readonly #waiting: Caller[] = [];

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  take(): Caller {
    for (let caller = this.#waiting.pop(); caller !== undefined; caller = this.#waiting.pop())
      if (!caller.closed) return caller;
    return this.fresh();
  }

  fresh(): Caller {
    return new Caller(this.#host, this.#port);
  }

  giveBack(caller: Caller): void {
    if (caller.closed) return;
    if (this.#waiting.length < 128) this.#waiting.push(caller);
    else caller.close();
  }

  close(): void {
    for (const caller of this.#waiting) caller.close();
    this.#waiting.length = 0;
  }
}
