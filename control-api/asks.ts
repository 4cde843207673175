/** Asks one proxy for a page: a line on its stream; the proxy answers with a request of its own, which goes on to whoever asked as it comes. */
import { randomBytes } from 'node:crypto';
import { pipeline, Transform, type Readable, type TransformCallback } from 'node:stream';
import { MAX_PAGE, MAX_PAGES } from '#proxy/core/admin-pages.ts';
import { noSuchPath, StatusError, tooLarge, unavailable } from './kube/status-error.ts';

/** What it needs of the proxies. */
export type Asked = {
  /** A line to one of them: has it gone out, and if not, why? */
  send(proxy: string, text: string): 'sent' | 'disconnected' | 'unknown';
};

export type Page = {
  readonly status: number;
  /** Media type */
  readonly type: string;
  readonly body: Readable;
};

export type AskLimits = {
  /** Until an answer begins. Its end is up to the server's own time limit for requests. */
  readonly withinMs: number;
  readonly perProxy: number;
  readonly total: number;
  /** Of one answer. */
  readonly bytes: number;
};

const LIMITS: AskLimits = { withinMs: 10_000, perProxy: MAX_PAGES, total: 256, bytes: MAX_PAGE };

type Open = {
  readonly proxy: string;
  /** Null: the answer has begun. */
  settle: { readonly resolve: (page: Page) => void; readonly reject: (error: StatusError) => void } | null;
};

export class Asks {
  readonly #proxies: Asked;
  readonly #limits: AskLimits;
  /** By id, until the last byte of the answer has gone on. */
  readonly #open = new Map<string, Open>();

  constructor(proxies: Asked, limits: Partial<AskLimits> = {}) {
    this.#proxies = proxies;
    this.#limits = { ...LIMITS, ...limits };
  }

  /** `path`: `/config_dump?resource=clusters`. Rejects with a StatusError. The body must be read or destroyed. */
  async ask(proxy: string, path: string, gone: AbortSignal): Promise<Page> {
    this.#checkRoom(proxy);
    // Who guesses it could answer for the proxy.
    const id = randomBytes(18).toString('base64url');
    const sent = this.#proxies.send(proxy, `${JSON.stringify({ kind: 'ask', id, path })}\n`);
    if (sent === 'unknown')
      throw new StatusError(404, 'NotFound', `no proxy "${proxy}" is known; GET /lateen/v1/proxies lists them`);
    if (sent === 'disconnected') throw unavailable(`proxy ${proxy} is not connected to the control API`);
    const { promise, resolve, reject } = Promise.withResolvers<Page>();
    this.#open.set(id, { proxy, settle: { resolve, reject } });
    const { withinMs } = this.#limits;
    const timer = setTimeout(
      () => this.#fail(id, unavailable(`proxy ${proxy} did not answer within ${withinMs / 1000} s`)),
      withinMs,
    );
    const leave = (): void => this.#fail(id, unavailable('whoever asked has gone'));
    gone.addEventListener('abort', leave, { once: true });
    if (gone.aborted) leave();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      gone.removeEventListener('abort', leave);
    }
  }

  /** What a proxy answers. Resolves when all of it has gone on. Throws, with nothing read, when nobody waits for it. */
  answer(proxy: string, id: string, page: Page, length: number | null): Promise<void> {
    const open = this.#open.get(id);
    if (open === undefined || open.proxy !== proxy || open.settle === null) throw noSuchPath();
    const { bytes } = this.#limits;
    if (length !== null && length > bytes) {
      const message = `the answer of proxy ${proxy} is larger than ${bytes} bytes`;
      this.#fail(id, new StatusError(502, 'BadGateway', message));
      throw tooLarge(message);
    }
    const { resolve } = open.settle;
    open.settle = null;
    const body = new Limited(bytes);
    return new Promise((done, failed) => {
      pipeline(page.body, body, (error) => {
        this.#open.delete(id);
        if (error) failed(error instanceof StatusError ? error : unavailable('the answer broke off'));
        else done();
      });
      resolve({ ...page, body });
    });
  }

  /** Its stream has ended: what it has not begun to answer, it never will. */
  lost(proxy: string): void {
    for (const [id, open] of this.#open)
      if (open.proxy === proxy) this.#fail(id, unavailable(`proxy ${proxy} has disconnected`));
  }

  close(): void {
    for (const id of this.#open.keys()) this.#fail(id, unavailable('the control API is stopping'));
  }

  #checkRoom(proxy: string): void {
    const { perProxy, total } = this.#limits;
    const ofProxy = [...this.#open.values()].filter((open) => open.proxy === proxy).length;
    if (ofProxy >= perProxy || this.#open.size >= total)
      throw new StatusError(429, 'TooManyRequests', `${this.#open.size} pages are being asked for; try again soon`);
  }

  #fail(id: string, error: StatusError): void {
    const open = this.#open.get(id);
    if (open === undefined || open.settle === null) return;
    this.#open.delete(id);
    open.settle.reject(error);
  }
}

/** Lets so many bytes through, and breaks off at the next one. */
class Limited extends Transform {
  #left: number;

  constructor(bytes: number) {
    super();
    this.#left = bytes;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#left -= chunk.length;
    if (this.#left < 0) done(tooLarge('the answer is too large'));
    else done(null, chunk);
  }
}
