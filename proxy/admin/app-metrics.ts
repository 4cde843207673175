/** Reads the app's own metrics for port 15020. The app may be slow, down or hostile: it costs a bounded time and size, and a counter. */
import { Counter } from 'prom-client';
import type { Dispatcher } from 'undici';
import type { Exposition } from '../telemetry/prometheus.ts';

/** What an app may add: larger answers are not merged, bytes. */
export const MAX_APP_METRICS = 8 * 1024 * 1024;
const TIMEOUT_MS = 2000;

export type AppMetrics = {
  readonly text: string;
  /** OpenMetrics, though the other format was asked for. */
  readonly isOpen: boolean;
};

const NONE: AppMetrics = { text: '', isOpen: false };

/** Returns what fetches the text; "" when the app cannot give it. Never rejects. Scrapes at the same time are told the same. */
export function createAppMetrics(url: string | null, { registry }: Exposition): () => Promise<AppMetrics> {
  if (url === null) return () => Promise.resolve(NONE);
  const registers = [registry];
  const scrapes = new Counter({ name: 'istio_agent_scrapes_total', help: 'Scrapes of the merged metrics.', registers });
  const failures = new Counter({
    name: 'istio_agent_scrape_failures_total',
    help: 'Scrapes that an application did not answer.',
    labelNames: ['type'],
    registers,
  });
  let underWay: Promise<AppMetrics> | null = null;
  const fetchOnce = async (): Promise<AppMetrics> => {
    try {
      return await fetchText(url);
    } catch {
      failures.inc({ type: 'application' });
      return NONE;
    } finally {
      underWay = null;
    }
  };
  return () => {
    scrapes.inc();
    return (underWay ??= fetchOnce());
  };
}

async function fetchText(url: string): Promise<AppMetrics> {
  // Few proxies ask; the others are spared 5 MB.
  const { request } = await import('undici');
  const { statusCode, headers, body } = await request(url, {
    headers: { accept: 'text/plain; version=0.0.4' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const isOpen = /^\s*application\/openmetrics-text\b/i.test(String(headers['content-type'] ?? ''));
  if (statusCode === 200) return { text: await read(body), isOpen };
  body.destroy();
  throw new Error(`answered ${statusCode}`);
}

async function read(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop early destroys the body, and with it the connection.
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_APP_METRICS) throw new Error(`more than ${MAX_APP_METRICS} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
