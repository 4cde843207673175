/**
 * Prometheus text of all a proxy counts (text format 0.0.4).
 * Two parts, joined by putting one after the other, since no family is in both: the series of the workers, written here straight from
 * their slots (they are too many for a metrics library), and what describes the process, kept and written by prom-client.
 */
import { Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { Family, SeriesReader, SeriesSum } from '../core/registry.ts';

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type Exposition = {
  /** Metrics of the mesh: what the workers have counted. */
  mesh(): string;
  /** Names of the families in `mesh()`. */
  meshNames(): ReadonlySet<string>;
  /** Metrics of the proxy itself: build, process, exporters. */
  process(): Promise<string>;
  /** Both. */
  text(): Promise<string>;
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

  const mesh = (): string => seriesText(reader);
  const process = (): Promise<string> => registry.metrics();
  const meshNames = (): Set<string> => new Set(Array.from(reader.families(), ({ family }) => family.name));
  return { mesh, meshNames, process, text: async () => mesh() + (await process()), registry };
}

/** Label sets never change, and their text is most of the output. */
const labelTexts = new WeakMap<SeriesSum, string>();

function seriesText(reader: SeriesReader): string {
  let text = '';
  for (const { family, series } of reader.families()) {
    text += `# HELP ${family.name} ${escapeHelp(family.help)}\n# TYPE ${family.name} ${family.type}\n`;
    const write = family.type === 'counter' ? counterText : histogramText(family);
    for (const sum of series.values()) text += write(sum, labelsOf(family, sum), family);
  }
  return text;
}

function counterText(sum: SeriesSum, labels: string, { name }: Family): string {
  return `${name}${labels === '' ? '' : `{${labels}}`} ${sum.slot(0)}\n`;
}

/** Buckets are cumulative in the text, though not in the slots. */
function histogramText({ name, bounds }: Family): (sum: SeriesSum, labels: string) => string {
  const les = [...bounds.map(String), '+Inf'].map((le) => `le="${le}"} `);
  return (sum, labels) => {
    const head = `${name}_bucket{${labels}${labels === '' ? '' : ','}`;
    const rest = labels === '' ? ' ' : `{${labels}} `;
    let count = 0;
    let text = '';
    for (let i = 0; i < les.length; i++) {
      count += sum.slot(i);
      text += `${head}${les[i]!}${count}\n`;
    }
    return `${text}${name}_sum${rest}${sum.slot(les.length)}\n${name}_count${rest}${count}\n`;
  };
}

function labelsOf(family: Family, sum: SeriesSum): string {
  let text = labelTexts.get(sum);
  if (text === undefined) {
    text = family.labels.map((label, i) => `${label}="${escapeLabel(sum.labels[i] ?? '')}"`).join(',');
    labelTexts.set(sum, text);
  }
  return text;
}

/** Prometheus text format: backslash, double quote and line feed; what is no Unicode would make the whole scrape unreadable. */
function escapeLabel(value: string): string {
  return value.toWellFormed().replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
}

function escapeHelp(value: string): string {
  return value.replace(/[\\\n]/g, (c) => (c === '\n' ? '\\n' : '\\\\'));
}
