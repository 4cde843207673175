/**
 * Series as text, a page at a time: whoever reads slowly makes nobody keep more than the page it has not taken.
 * Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats) and OpenMetrics 1.0.0
 * (github.com/prometheus/OpenMetrics, specification/OpenMetrics.md), which has exemplars.
 */
import type { Exemplar, Family } from '../core/registry.ts';
import type { SeriesReader, SeriesSum } from '../core/series-reader.ts';

export type ExpositionFormat = 'text' | 'openmetrics';

/** By which scrapers know what they got. */
export const CONTENT_TYPES: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** About so many characters a page. */
export const PAGE = 65_536;

type FindExemplar = (i: number) => Exemplar | undefined;

/** Of the families that pass `wanted`; by default all. Series that come meanwhile may be among them. */
export function* seriesPages(reader: SeriesReader, format: ExpositionFormat): Iterable<string> {
  let page = '';
  for (const { family, series } of reader.families()) {
    page += head(family, format);
    for (const sum of series.values()) {
      const exemplar = format === 'text' ? NO_EXEMPLAR : (i: number) => reader.exemplar(sum, i);
      page += sum.family.type === 'histogram' ? histogramText(sum, exemplar) : numberText(sum, exemplar);
      if (page.length < PAGE) continue;
      yield page;
      page = '';
    }
  }
  if (page !== '') yield page;
}

const NO_EXEMPLAR = (): undefined => undefined;

/** OpenMetrics names a counter without `_total`; one whose samples do not end so is none for it. */
export function head(
  { name, help, type }: Pick<Family, 'name' | 'help'> & { type: string },
  format: ExpositionFormat,
): string {
  const isOpen = format === 'openmetrics';
  const isTotal = name.endsWith('_total');
  const shown = isOpen && type === 'counter' && isTotal ? name.slice(0, -'_total'.length) : name;
  const shownType = isOpen && type === 'counter' && !isTotal ? 'unknown' : type;
  return `# HELP ${shown} ${escapeHelp(help, isOpen)}\n# TYPE ${shown} ${shownType}\n`;
}

function numberText(sum: SeriesSum, exemplar: FindExemplar): string {
  const { name, type } = sum.family;
  const labels = labelsOf(sum);
  const head = labels === '' ? name : `${name}{${labels}}`;
  return `${head} ${numberOf(sum.slot(0))}${type === 'counter' && name.endsWith('_total') ? exemplarText(exemplar(0)) : ''}\n`;
}

/** Buckets are cumulative in the text, though not in the slots. */
function histogramText(sum: SeriesSum, exemplar: FindExemplar): string {
  const { name } = sum.family;
  const les = lesOf(sum.family);
  const labels = labelsOf(sum);
  const head = `${name}_bucket{${labels}${labels === '' ? '' : ','}`;
  const rest = labels === '' ? ' ' : `{${labels}} `;
  let count = 0;
  let text = '';
  for (let i = 0; i < les.length; i++) {
    count += sum.slot(i);
    text += `${head}${les[i]!}${count}${exemplarText(exemplar(i))}\n`;
  }
  return `${text}${name}_sum${rest}${numberOf(sum.slot(les.length))}\n${name}_count${rest}${count}\n`;
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return '';
  const { traceId, value, time } = exemplar;
  return ` # {trace_id="${escapeLabel(traceId)}"} ${value} ${time.toFixed(3)}`;
}

/** As Go reads them. */
export const numberOf = (value: number): string =>
  Number.isFinite(value) ? `${value}` : Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';

/** Label sets never change, and their text is most of the output. */
const labelTexts = new WeakMap<SeriesSum, string>();
const leTexts = new WeakMap<Family, readonly string[]>();

function labelsOf(sum: SeriesSum): string {
  let text = labelTexts.get(sum);
  if (text === undefined) {
    text = sum.family.labels.map((label, i) => `${label}="${escapeLabel(sum.labels[i] ?? '')}"`).join(',');
    labelTexts.set(sum, text);
  }
  return text;
}

function lesOf(family: Family): readonly string[] {
  let les = leTexts.get(family);
  if (les === undefined)
    leTexts.set(family, (les = [...family.bounds.map(String), '+Inf'].map((le) => `le="${le}"} `)));
  return les;
}

/** Backslash, double quote and line feed; what is no Unicode would make the whole scrape unreadable. */
export function escapeLabel(value: string): string {
  return value.toWellFormed().replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
}

/** OpenMetrics escapes quotes here, too. */
function escapeHelp(value: string, isOpen: boolean): string {
  return value.toWellFormed().replace(isOpen ? /[\\\n"]/g : /[\\\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
}
