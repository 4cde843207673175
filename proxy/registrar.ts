/** The requests by which a proxy makes itself a Pod of the mesh: `…/lateen/v1/pods/<pod>.<namespace>` of the control API. */
import type { Agent } from 'undici';

/** How a request ended. `away`: the control API was not reached, or gave no answer in time. */
export type Outcome =
  | { readonly kind: 'taken'; readonly heartbeatMs: number }
  | { readonly kind: 'refused'; readonly status: number; readonly message: string }
  | { readonly kind: 'away' };

/** When the answer does not say how often it wants to hear, ms. */
const HEARTBEAT_MS = 3000;
/** Whatever an answer says, a proxy speaks no more often and no more seldom, ms. */
const HEARTBEATS = { least: 10, most: 60_000 };
/** Of an answer is read so much, characters. */
const MAX_ANSWER = 16_384;
const MAX_MESSAGE = 500;

export class Registrar {
  readonly #url: string;
  readonly #incarnation: string;
  #agent: Agent | null = null;

  /** `url`: of the control API. `pod`: `<name>.<namespace>`. */
  constructor(url: string, pod: string, incarnation: string) {
    this.#url = `${url.replace(/\/$/, '')}/lateen/v1/pods/${encodeURIComponent(pod)}`;
    this.#incarnation = incarnation;
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
    try {
      // Loaded when it is needed, as the stream of the configuration does.
      const undici = await import('undici');
      this.#agent ??= new undici.Agent({ connections: 1 });
      const headers: Record<string, string> = body === null ? {} : { 'content-type': 'application/json' };
      const signal = AbortSignal.timeout(withinMs);
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
      return { kind: 'away' };
    }
  }
}

function heartbeatOf(text: string): number {
  const ms = field(text, 'heartbeatMs');
  if (typeof ms !== 'number' || !Number.isFinite(ms)) return HEARTBEAT_MS;
  return Math.min(HEARTBEATS.most, Math.max(HEARTBEATS.least, ms));
}

/** The `message` of a Kubernetes Status; else what came, as it is. */
function messageOf(text: string): string {
  const message = field(text, 'message');
  return (typeof message === 'string' ? message : text.trim()).slice(0, MAX_MESSAGE);
}

function field(text: string, name: string): unknown {
  try {
    return (JSON.parse(text) as Record<string, unknown> | null)?.[name];
  } catch {
    return undefined;
  }
}
