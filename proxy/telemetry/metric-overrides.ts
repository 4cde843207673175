/**
 * Istio's standard metrics as the configuration in force wants them: some are left out, some have other labels (Istio: Telemetry,
 * `metrics[].overrides`). Linked once a snapshot; where nothing is overridden, nothing is worked out.
 */
import { shapeOf, type Family, type SeriesWriter } from '../core/registry.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Expression } from '../core/expression.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { MetricOverride, TelemetrySettings, TwoSided } from '../snapshot/telemetry.ts';
import { compileExpression, type Evaluate } from './evaluate.ts';
import { readable } from './hostile-text.ts';
import { FAMILIES, type CountedMetric } from './istio-families.ts';

/** A metric of one side. */
export type LinkedMetric = {
  readonly family: Family;
  /** Where the values of its labels come from: Istio's own label, a text, or `dynamic[i]`. Null: all are Istio's own. */
  readonly labels: readonly LabelSource[] | null;
  /** What is worked out for each request. */
  readonly dynamic: readonly Evaluate[];
};

type LabelSource = { readonly own: number } | { readonly text: string } | { readonly dynamic: number };

/** Null: disabled. */
export type LinkedSide = Readonly<Record<CountedMetric, LinkedMetric | null>>;

const METRICS = Object.keys(FAMILIES) as CountedMetric[];
/** What an expression cannot tell (Istio: istio_stats.cc). */
const UNKNOWN = 'unknown';
/** More than a label may have (MAX_LABEL of the registry), so that the key is bounded and the label still ends in `…`. */
const MAX_TEXT = 300;
/** Label sets that are remembered of one series of Istio's; the writer's own limit bounds the series. */
const MAX_REMEMBERED = 500;

export class MetricOverrides {
  readonly #writer: SeriesWriter;
  readonly #node: ProxyNode;
  #settings: TelemetrySettings['metrics'] | null = null;
  #text = '';
  #sides: TwoSided<LinkedSide>;
  /** Grows when anything has changed: what was kept of series is of no more use then. */
  generation = 0;

  constructor(writer: SeriesWriter, node: ProxyNode) {
    this.#writer = writer;
    this.#node = node;
    this.#sides = { client: this.#link('client', {}), server: this.#link('server', {}) };
  }

  get client(): LinkedSide {
    return this.#sides.client;
  }

  get server(): LinkedSide {
    return this.#sides.server;
  }

  /** Series whose labels stay the same go on; the others are over, and gone from the next scrape on. */
  apply(settings: TelemetrySettings['metrics']): void {
    if (settings === this.#settings) return;
    this.#settings = settings;
    const text = JSON.stringify(settings);
    if (text === this.#text) return;
    this.#text = text;
    const before = this.#sides;
    this.#sides = { client: this.#link('client', settings.client), server: this.#link('server', settings.server) };
    this.generation += 1;
    const kept = new Set(families(this.#sides).map(identity));
    for (const family of families(before)) if (!kept.has(identity(family))) this.#writer.drop(family);
  }

  #link(side: string, overrides: Readonly<Partial<Record<string, MetricOverride>>>): LinkedSide {
    const linked = METRICS.map((metric) => {
      const override = overrides[metric];
      if (override?.disabled === true) return [metric, null];
      return [metric, linkMetric(FAMILIES[metric], side, override?.tags ?? {}, this.#node)];
    });
    return Object.fromEntries(linked) as LinkedSide;
  }
}

const identity = (family: Family): string => `${family.name} ${shapeOf(family)}`;

const families = ({ client, server }: TwoSided<LinkedSide>): Family[] =>
  [...Object.values(client), ...Object.values(server)].flatMap((metric) => (metric === null ? [] : [metric.family]));

function linkMetric(
  family: Family,
  side: string,
  tags: Readonly<Record<string, Expression | null>>,
  node: ProxyNode,
): LinkedMetric {
  const labels: string[] = [];
  const sources: LabelSource[] = [];
  const dynamic: Evaluate[] = [];
  const add = (label: string, e: Expression): void => {
    if (labels.includes(label)) return;
    labels.push(label);
    if (e.kind === 'value') sources.push({ text: textOf(e.value) });
    else sources.push({ dynamic: dynamic.push(compileExpression(e, node)) - 1 });
  };
  for (const [own, label] of family.labels.entries()) {
    const e = Object.hasOwn(tags, label) ? tags[label] : undefined;
    if (e === undefined) {
      labels.push(label);
      sources.push({ own });
    } else if (e !== null) add(label, e);
  }
  for (const [label, e] of Object.entries(tags))
    if (e !== null && !family.labels.includes(label)) add(labelName(label, family), e);
  // What both sides label alike is one series, and ends for both.
  const part = labels.includes('reporter') ? side : '';
  const changed = sources.length !== family.labels.length || sources.some((source) => !('own' in source));
  if (!changed) return { family: { ...family, part }, labels: null, dynamic };
  return { family: { ...family, labels, part, kept: labels[0] === 'reporter' ? 1 : 0 }, labels: sources, dynamic };
}

/** Letters, digits and underscores (Prometheus: data model); `le` is the histogram's own. */
function labelName(given: string, { type }: Family): string {
  const name = given.replace(/\W/g, '_').replace(/^(?=\d|$)/, '_');
  return name === 'le' && type === 'histogram' ? 'exported_le' : name;
}

const textOf = (value: string | number | boolean | undefined): string =>
  value === undefined ? UNKNOWN : typeof value === 'string' ? readable(value.slice(0, MAX_TEXT)) : `${value}`;

/** One metric of one pair of parties and one outcome: finds the series of a request. */
export class Reshaped<T> {
  readonly #metric: LinkedMetric;
  readonly #own: readonly string[];
  readonly #make: (family: Family, labels: readonly string[]) => T;
  readonly #known = new Map<string, T>();
  /** Where nothing is worked out. */
  readonly #only: T | null;

  /** `own`: the values of Istio's labels. */
  constructor(metric: LinkedMetric, own: readonly string[], make: (family: Family, labels: readonly string[]) => T) {
    this.#metric = metric;
    this.#own = own;
    this.#make = make;
    this.#only = metric.dynamic.length === 0 ? make(metric.family, this.#values([])) : null;
  }

  of(x: Exchange): T {
    if (this.#only !== null) return this.#only;
    const { dynamic, family } = this.#metric;
    const texts: string[] = [];
    for (const evaluate of dynamic) texts.push(textOf(evaluate(x)));
    const key = texts.length === 1 ? texts[0]! : texts.join('\u0000');
    let series = this.#known.get(key);
    if (series === undefined) {
      if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
      this.#known.set(key, (series = this.#make(family, this.#values(texts))));
    }
    return series;
  }

  #values(dynamic: readonly string[]): readonly string[] {
    const { labels } = this.#metric;
    if (labels === null) return this.#own;
    return labels.map((source) =>
      'own' in source ? this.#own[source.own]! : 'text' in source ? source.text : dynamic[source.dynamic]!,
    );
  }
}
