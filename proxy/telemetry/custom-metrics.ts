/**
 * Metrics that the configuration defines. Linked once a snapshot: what stays as it was keeps its series, what is gone takes them along.
 * A request without such metrics costs one look at an empty list.
 */
import { ENVOY_BUCKETS } from '../core/histogram.ts';
import { shapeOf, type Family, type SeriesWriter } from '../core/registry.ts';
import type { Direction, Exchange } from '../live/exchange.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { CustomMetric } from '../snapshot/telemetry.ts';
import { linkExpression } from './by-caller.ts';
import { LabelledSeries } from './custom-series.ts';
import type { Evaluate } from './evaluate.ts';
import { WallClock } from './wall-clock.ts';

export type CustomMetrics = {
  /** Replaces the definitions. */
  set(metrics: readonly CustomMetric[]): void;
  /** Once a request, at its end. Never throws. */
  record(x: Exchange): void;
  /** Once a connection, at its end. Never throws. */
  recordTcp(x: Exchange): void;
};

type Linked = {
  readonly definition: CustomMetric;
  readonly family: Family;
  readonly when: Evaluate | null;
  readonly value: Evaluate;
  readonly series: LabelledSeries;
};
type BySide = Readonly<Record<Direction, readonly Linked[]>>;

const NONE: BySide = { inbound: [], outbound: [], gateway: [] };

export function createCustomMetrics(
  writer: SeriesWriter,
  node: ProxyNode,
  clock: WallClock = new WallClock(),
): CustomMetrics {
  let linked = new Map<string, Linked>();
  let http = NONE;
  let tcp = NONE;
  return { set, record: (x) => count(http[x.direction], x), recordTcp: (x) => count(tcp[x.direction], x) };

  function set(metrics: readonly CustomMetric[]): void {
    if (metrics.length === 0 && linked.size === 0) return;
    const before = linked;
    linked = new Map<string, Linked>();
    for (const metric of metrics) {
      const key = JSON.stringify(metric);
      linked.set(key, before.get(key) ?? link(metric, writer, node, clock));
    }
    const all = [...linked.values()];
    const kept = new Set(all.map(({ family }) => identity(family)));
    for (const { family } of before.values()) if (!kept.has(identity(family))) writer.drop(family);
    http = bySide(all.filter(({ definition }) => definition.protocol !== 'tcp'));
    tcp = bySide(all.filter(({ definition }) => definition.protocol !== 'http'));
  }
}

function count(metrics: readonly Linked[], x: Exchange): void {
  for (let i = 0; i < metrics.length; i++) {
    const metric = metrics[i]!;
    if (metric.when !== null && metric.when(x) !== true) continue;
    const value = metric.value(x);
    if (typeof value === 'number' && Number.isFinite(value)) metric.series.add(x, value);
  }
}

const identity = (family: Family): string => `${family.name} ${shapeOf(family)}`;

const SIDES: Readonly<Record<CustomMetric['where'], readonly Direction[]>> = {
  client: ['outbound', 'gateway'],
  server: ['inbound'],
  both: ['inbound', 'outbound', 'gateway'],
  // A gateway is the server of what comes from outside.
  hop: ['inbound', 'gateway'],
};

function bySide(metrics: readonly Linked[]): BySide {
  const of = (direction: Direction): Linked[] =>
    metrics.filter(({ definition }) => SIDES[definition.where].includes(direction));
  return { inbound: of('inbound'), outbound: of('outbound'), gateway: of('gateway') };
}

function link(definition: CustomMetric, writer: SeriesWriter, node: ProxyNode, clock: WallClock): Linked {
  const family: Family = {
    name: definition.name,
    help: definition.help,
    type: definition.kind,
    labels: definition.labels.map(([name]) => name),
    bounds: definition.kind === 'histogram' ? (definition.buckets ?? ENVOY_BUCKETS) : [],
    kept: 0,
  };
  const labels = definition.labels.map(([, e]) => (e.kind === 'value' ? e.value : linkExpression(e, node, clock)));
  return {
    definition,
    family,
    when: definition.when === null ? null : linkExpression(definition.when, node, clock),
    value: linkExpression(definition.value, node, clock),
    series: new LabelledSeries(writer, family, labels, clock),
  };
}
