/** One HTTP request that carries spans, and what came of it. Whatever a collector does takes bounded time and memory. */
import { getCACertificates } from 'node:tls';
import type { Agent } from 'undici';

export type Answer = {
  readonly status: number;
  /** "": it was empty, or longer than is read. */
  readonly text: string;
  /** Of Retry-After, ms; 0: not asked for. */
  readonly pause: number;
};

/** Rejects when there is no answer in time. */
export type Post = (url: URL, body: Buffer) => Promise<Answer>;

/** Of an answer, bytes. */
const MAX_ANSWER = 65_536;
/** Longest pause that a collector may ask for, ms. */
const MAX_PAUSE_MS = 300_000;

/** `timeout`: of a whole request, ms. `secure`: there are https URLs. `headersFor`: what a collector wants on top. `close` lets go of all connections. */
export function createPost(
  timeout: number,
  secure: boolean,
  headersFor: (url: URL) => Readonly<Record<string, string>> = () => ({}),
): { readonly post: Post; readonly close: () => Promise<void> } {
  let agent: Agent | null = null;
  return {
    async post(url, body) {
      // With the first spans: a proxy that traces nothing is spared 5 MB.
      const undici = await import('undici');
      const timeouts = { connectTimeout: timeout, headersTimeout: timeout, bodyTimeout: timeout };
      agent ??= new undici.Agent({
        connections: 1,
        ...timeouts,
        ...(secure ? { connect: { ca: authorities() } } : {}),
      });
      const {
        statusCode,
        headers,
        body: answer,
      } = await undici.request(url, {
        method: 'POST',
        headers: { ...headersFor(url), 'content-type': 'application/json' },
        body,
        dispatcher: agent,
        signal: AbortSignal.timeout(timeout),
      });
      return { status: statusCode, text: await upTo(answer), pause: pauseOf(headers['retry-after']) };
    },
    close: async () => {
      await agent?.destroy();
    },
  };
}

/** Read to its end, so that the connection can be used again; a longer one costs the connection. */
async function upTo(answer: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    size += chunk.length;
    // Leaving the loop destroys the stream.
    if (size > MAX_ANSWER) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function pauseOf(header: string | string[] | undefined): number {
  if (typeof header !== 'string') return 0;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return ms > 0 ? Math.min(ms, MAX_PAUSE_MS) : 0;
}

/** Those that Node comes with, and those of this system: a collector of one's own has a certificate of one's own. */
const authorities = (): string[] => [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
