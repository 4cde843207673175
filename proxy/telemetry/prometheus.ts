/**
 * All a proxy counts, as scrapers read it. Two parts, joined by putting one after the other, since no family is in both: the series of
 * the workers, written straight from their slots (they are too many for a metrics library), and what describes the process, kept by
 * prom-client.
 */
import { Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { SeriesReader } from '../core/series-reader.ts';
import { escapeLabel, head, numberOf, seriesPages, type ExpositionFormat } from './exposition-writer.ts';

export type Exposition = {
  /** Metrics of the mesh: what the workers have counted. */
  mesh(format?: ExpositionFormat): Iterable<string>;
  /** Names of the families in `mesh()`. */
  meshNames(): ReadonlySet<string>;
  /** Metrics of the proxy itself: build, process, exporters. */
  process(format?: ExpositionFormat): Promise<string>;
  /** Both, a page at a time. */
  pages(format: ExpositionFormat): AsyncIterable<string>;
  /** Where the main thread registers what it counts itself. */
  readonly registry: Registry;
};

/** `version`: of Lateen, for `istio_build`. Process metrics are collected from now on; only one exposition a process should have them. */
export function createExposition(reader: SeriesReader, version: string, processMetrics = true): Exposition {
  const registry = new Registry();
  const build = new Gauge({
    name: 'istio_build',
    help: 'Build of the proxy.',
    labelNames: ['component', 'tag'],
    registers: [registry],
  });
  build.set({ component: 'proxy', tag: version }, 1);
  // The event loop delay is sampled by a timer; twice a second tells enough and wakes an idle proxy rarely.
  if (processMetrics) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 500 });

  const mesh = (format: ExpositionFormat = 'text'): Iterable<string> => seriesPages(reader, format);
  const process = (format: ExpositionFormat = 'text'): Promise<string> => processText(registry, format);
  async function* pages(format: ExpositionFormat): AsyncIterable<string> {
    yield* mesh(format);
    yield await process(format);
    if (format === 'openmetrics') yield '# EOF\n';
  }
  const meshNames = (): Set<string> => new Set(Array.from(reader.families(), ({ family }) => family.name));
  return { mesh, meshNames, process, pages, registry };
}

/** Written here, since prom-client writes every metric of a registry in the one format that the registry is of. */
async function processText(registry: Registry, format: ExpositionFormat): Promise<string> {
  let text = '';
  for (const { name, help, type, values } of await registry.getMetricsAsJSON()) {
    text += head({ name, help, type: `${type}` }, format);
    for (const value of values as readonly Sample[]) {
      if (isUnmeasured(name, value.value)) continue;
      const labels = Object.entries(value.labels).map(([label, v]) => `${label}="${escapeLabel(`${v}`)}"`);
      const of = labels.length === 0 ? '' : `{${labels.join(',')}}`;
      text += `${value.metricName ?? name}${of} ${numberOf(value.value)}\n`;
    }
  }
  return text;
}

/** The event loop's histogram was not yet fed since the last scrape: its least value is the largest there is, its mean is none. */
const isUnmeasured = (name: string, value: number): boolean =>
  name.startsWith('nodejs_eventloop_lag_') && !(value < 9e9);

/** What prom-client's types leave out: samples of histograms and summaries have names of their own. */
type Sample = {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  readonly metricName?: string;
};

/** For tests and whoever else wants it whole. */
export async function wholeText(exposition: Exposition, format: ExpositionFormat = 'text'): Promise<string> {
  let text = '';
  for await (const page of exposition.pages(format)) text += page;
  return text;
}
