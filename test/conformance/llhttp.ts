/** A second opinion on every message: Node's llhttp, in its strict mode, fed like a connection. Nothing of the proxy is in it. */
import { HTTPParser, methods } from 'node:_http_common';

export type Seen = {
  /** `GET`; "" for responses. */
  method: string;
  /** Request target; "" for responses. */
  target: string;
  /** 0 for requests. */
  status: number;
  minor: number;
  /** Names and values in turn, as they came. */
  headers: string[];
  /** latin1. */
  body: string;
  trailers: string[];
  complete: boolean;
};

/** Set bits of a callback's result that tell llhttp about the body of a response. */
const SKIP_BODY = 1;

export class LlhttpReader {
  readonly messages: Seen[] = [];
  /** `HPE_…` once something was refused. */
  error: string | null = null;
  /** Index of the first byte that is not part of a message: after an upgrade, or of what was refused. */
  consumed = 0;
  /** Whole messages, informational ones not counted. */
  finals = 0;
  readonly #parser = new HTTPParser();
  #closed = false;
  #headers: string[] = [];
  #target = '';

  /** `methodOf`: for responses, the method of the nth request. */
  constructor(kind: 'request' | 'response', methodOf: (nth: number) => string = () => 'GET') {
    const parser = this.#parser;
    const type = kind === 'request' ? HTTPParser.REQUEST : HTTPParser.RESPONSE;
    parser.initialize(type, {}, 1_000_000, HTTPParser.kLenientNone);
    // Headers come in portions when there are many; trailers come the same way after the body.
    parser[HTTPParser.kOnHeaders] = (headers: string[], target: string) => {
      this.#headers.push(...headers);
      this.#target += target;
    };
    parser[HTTPParser.kOnHeadersComplete] = (
      _major: number,
      minor: number,
      headers: string[] | undefined,
      method: number,
      target: string | undefined,
      status: number | undefined,
    ) => {
      this.messages.push({
        method: kind === 'request' ? (methods[method] ?? '?') : '',
        target: this.#target + (target ?? ''),
        status: status ?? 0,
        minor,
        headers: [...this.#headers, ...(headers ?? [])],
        body: '',
        trailers: [],
        complete: false,
      });
      this.#headers = [];
      this.#target = '';
      return kind === 'response' && methodOf(this.finals) === 'HEAD' ? SKIP_BODY : 0;
    };
    parser[HTTPParser.kOnBody] = (chunk: Buffer) => {
      this.messages.at(-1)!.body += chunk.latin1Slice();
    };
    parser[HTTPParser.kOnMessageComplete] = () => {
      const message = this.messages.at(-1)!;
      message.trailers = this.#headers;
      message.complete = true;
      if (message.status === 0 || message.status >= 200) this.finals++;
      this.#headers = [];
      this.#target = '';
    };
  }

  feed(bytes: Buffer): void {
    if (this.error !== null || this.#closed) return;
    const result = this.#parser.execute(bytes);
    if (typeof result === 'number') this.consumed += result;
    else {
      this.consumed += result.bytesParsed;
      this.error = result.code;
    }
  }

  /** Gives the parser's memory back, 7 kB that no garbage collector sees; what was read stays. Not from inside `feed`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#parser.close();
  }

  /** The connection ended. */
  end(): void {
    if (this.error !== null || this.#closed) return;
    const result = this.#parser.finish();
    if (result instanceof Error) this.error = (result as NodeJS.ErrnoException).code ?? result.message;
  }
}

/** What llhttp makes of `text` (latin1). */
export function readAll(kind: 'request' | 'response', text: string, method = 'GET', ended = false): LlhttpReader {
  const reader = new LlhttpReader(kind, () => method);
  reader.feed(Buffer.from(text, 'latin1'));
  if (ended) reader.end();
  reader.close();
  return reader;
}

/** Value of the first header `lower`, or undefined. */
export function field(list: readonly string[], lower: string): string | undefined {
  for (let i = 0; i < list.length; i += 2) if (list[i]!.toLowerCase() === lower) return list[i + 1];
  return undefined;
}
