/** One Prometheus text out of the proxy's metrics and the app's own (Istio's metrics merging, port 15020). */
import { PAGE } from '../telemetry/exposition-writer.ts';
import type { Exposition } from '../telemetry/prometheus.ts';
import { appLines, type AppLine } from './app-lines.ts';
import type { AppMetrics } from './app-metrics.ts';

const MESH = /^(?:istio|lateen)_/;
/** What a histogram or a summary puts behind the name of its family. */
const SUFFIX = /_(?:bucket|sum|count|total|created)$/;

/**
 * What is counted about the app by its proxy comes first: an app cannot add to it or hide it. Then what the proxy says of itself; where
 * the app has a metric of that name, the app's is shown, unless it is the mesh's (`istio_build`). Lines of the app that are no metrics
 * are left out.
 */
export async function* mergedPages(exposition: Exposition, app: AppMetrics): AsyncIterable<string> {
  yield* exposition.mesh();
  const ours = new Set(exposition.meshNames());
  const process = [...appLines(await exposition.process(), false)];
  for (const { name } of process) if (MESH.test(name)) ours.add(name);
  const apps = new Set<string>();
  for (const { name } of appLines(app.text, app.isOpen)) if (!isAmong(name, ours)) apps.add(name);
  yield* pagesOf(process, (name) => !isAmong(name, apps));
  yield* pagesOf(appLines(app.text, app.isOpen), (name) => !isAmong(name, ours));
}

const isAmong = (name: string, families: ReadonlySet<string>): boolean =>
  families.has(name) || families.has(name.replace(SUFFIX, ''));

function* pagesOf(lines: Iterable<AppLine>, wanted: (name: string) => boolean): Iterable<string> {
  let page = '';
  for (const { name, text } of lines) {
    if (!wanted(name)) continue;
    page += `${text}\n`;
    if (page.length < PAGE) continue;
    yield page;
    page = '';
  }
  if (page !== '') yield page;
}
