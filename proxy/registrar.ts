/** The requests by which a proxy makes itself a Pod of the mesh: `…/lateen/v1/pods/<pod>.<namespace>` of the control API. */
import type { Agent } from 'undici';
import { NO_CREDENTIALS, type Credentials } from './sources/join-token.ts';
import { field, messageOf } from './sources/refusal.ts';

/** How a request ended. `away`: the control API was not reached, or (`late`) gave no answer in time. */
export type Outcome =
  | { readonly kind: 'taken'; readonly heartbeatMs: number }
  | { readonly kind: 'refused'; readonly status: number; readonly message: string }
  | { readonly kind: 'away'; readonly late: boolean };

/** When the answer does not say how often it wants to hear, ms. */
const HEARTBEAT_MS = 3000;
/** Whatever an answer says, a proxy speaks no more often and no more seldom, ms. */
const HEARTBEATS = { least: 10, most: 60_000 };
/** Of an answer is read so much, characters. */
const MAX_ANSWER = 16_384;

export class Registrar {
  readonly #url: string;
  readonly #incarnation: string;
  readonly #credentials: Credentials;
  #agent: Agent | null = null;

  /** `url`: of the control API. `pod`: `<name>.<namespace>`. */
  constructor(url: string, pod: string, incarnation: string, credentials = NO_CREDENTIALS) {
    this.#url = `${url.replace(/\/$/, '')}/lateen/v1/pods/${encodeURIComponent(pod)}`;
    this.#incarnation = incarnation;
    this.#credentials = credentials;
  }

  /** Never rejects. */
  put(body: unknown, withinMs: number): Promise<Outcome> {
    return this.#ask('PUT', this.#url, JSON.stringify(body), withinMs);
  }

  /** Takes the Pod out, unless a newer proxy has its name by now. Never rejects. */
  delete(withinMs: number): Promise<Outcome> {
    return this.#ask('DELETE', `${this.#url}?incarnation=${encodeURIComponent(this.#incarnation)}`, null, withinMs);
  }

  close(): void {
    void this.#agent?.destroy();
  }

  async #ask(method: 'PUT' | 'DELETE', url: string, body: string | null, withinMs: number): Promise<Outcome> {
    const signal = AbortSignal.timeout(withinMs);
    try {
      // Loaded when it is needed, as the stream of the configuration does.
      const undici = await import('undici');
      this.#agent ??= new undici.Agent({ connections: 1 });
      const headers = { ...this.#credentials(url), ...(body === null ? {} : { 'content-type': 'application/json' }) };
      const answer = await undici.request(url, { method, headers, body, signal, dispatcher: this.#agent });
      let text = '';
      for await (const chunk of answer.body.setEncoding('utf8') as AsyncIterable<string>) {
        text += chunk;
        // Leaving the loop destroys the body, and with it the connection.
        if (text.length > MAX_ANSWER) break;
      }
      if (answer.statusCode < 300) return { kind: 'taken', heartbeatMs: heartbeatOf(text) };
      return { kind: 'refused', status: answer.statusCode, message: messageOf(text) };
    } catch {
      return { kind: 'away', late: signal.aborted };
    }
  }
}

function heartbeatOf(text: string): number {
  const ms = field(text, 'heartbeatMs');
  if (typeof ms !== 'number' || !Number.isFinite(ms)) return HEARTBEAT_MS;
  return Math.min(HEARTBEATS.most, Math.max(HEARTBEATS.least, ms));
}
