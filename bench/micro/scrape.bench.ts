/** What a scrape of some ten thousand series costs the main thread: `node bench/micro/scrape.bench.ts`. */
import { spawn } from 'node:child_process';
import type { AdminContext } from '../../proxy/admin/context.ts';
import { startService, type Ask } from '../../proxy/admin/http-service.ts';
import { prometheus } from '../../proxy/admin/stats.ts';
import { SeriesWriter } from '../../proxy/core/registry.ts';
import { SeriesReader } from '../../proxy/core/series-reader.ts';
import { createIstioMetrics } from '../../proxy/telemetry/istio-metrics.ts';
import { createExposition, wholeText } from '../../proxy/telemetry/prometheus.ts';
import { exchange, liveCluster, liveEndpoint, proxyNode, workload } from '../../proxy/telemetry/sample-exchange.ts';
import { median } from '../statistics.ts';

/** Each is 67 lines. */
const DESTINATIONS = 150;
const ROUNDS = 15;

const reader = new SeriesReader();
const writer = new SeriesWriter((announcement) => reader.accept(1, structuredClone(announcement)));
const reviews = workload('reviews', 'v3', '127.1.0.3');
const record = createIstioMetrics(writer, proxyNode(reviews));
for (let i = 0; i < DESTINATIONS; i++) {
  const x = exchange('outbound', reviews);
  x.cluster = liveCluster(`outbound|9080||s${i}.default.svc.cluster.local`, `s${i}`);
  x.endpoint = liveEndpoint(workload(`s${i}`, 'v1', '127.1.0.4'));
  x.trace = { traceId: `${i}`.padStart(32, '0'), spanId: '0'.repeat(16), parentId: null, sampled: true };
  record(x);
}
writer.tellExemplars();

const context = { exposition: createExposition(reader, '1', true) } as AdminContext;
const handle = (ask: Ask) => prometheus(context, ask);
const service = await startService({
  host: '127.0.0.1',
  port: 0,
  loopbackOnly: true,
  routes: new Map([['/metrics', { method: 'GET' as const, help: '', handle }]]),
});

/** Milliseconds of CPU of this thread. */
async function scrape(accept: string): Promise<number> {
  const before = process.threadCpuUsage();
  const headers = ['-H', `accept: ${accept}`, '-H', 'accept-encoding: gzip'];
  const child = spawn('curl', ['-sfo', '/dev/null', ...headers, `http://127.0.0.1:${service.port}/metrics`]);
  await new Promise((resolve) => void child.once('exit', resolve));
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

const lines = (await wholeText(context.exposition)).split('\n').length;
console.log(`a scrape of ${lines} lines, compressed: main thread, ms of CPU (first, median of ${ROUNDS})`);
for (const accept of ['text/plain', 'application/openmetrics-text']) {
  const spent: number[] = [];
  for (let i = 0; i < ROUNDS; i++) spent.push(await scrape(accept));
  console.log(`${accept.padEnd(30)} ${spent[0]!.toFixed(1)} ${median(spent)!.toFixed(1)}`);
}
await service.close();
process.exit(0);
