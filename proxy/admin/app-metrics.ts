/** Reads the app's own metrics for port 15020. The app may be slow, down or hostile: it costs a bounded time and size, and a counter. */
import { Counter } from 'prom-client';
import type { Dispatcher } from 'undici';
import type { Exposition } from '../telemetry/prometheus.ts';
import { MAX_APP_METRICS } from './merge-metrics.ts';

const TIMEOUT_MS = 2000;

/** Returns what fetches the text; "" when the app cannot give it. Never rejects. */
export function createAppMetrics(url: string | null, { registry }: Exposition): () => Promise<string> {
  if (url === null) return () => Promise.resolve('');
  const registers = [registry];
  const scrapes = new Counter({ name: 'istio_agent_scrapes_total', help: 'Scrapes of the merged metrics.', registers });
  const failures = new Counter({
    name: 'istio_agent_scrape_failures_total',
    help: 'Scrapes that an application did not answer.',
    labelNames: ['type'],
    registers,
  });
  return async () => {
    scrapes.inc();
    try {
      return await fetchText(url);
    } catch {
      failures.inc({ type: 'application' });
      return '';
    }
  };
}

async function fetchText(url: string): Promise<string> {
  // Few proxies ask; the others are spared 5 MB.
  const { request } = await import('undici');
  const { statusCode, body } = await request(url, {
    headers: { accept: 'text/plain; version=0.0.4' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (statusCode === 200) return read(body);
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
