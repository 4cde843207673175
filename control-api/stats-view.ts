/** Edges as they are asked for: by workload, service, pod, route or edge, each request counted once, with rates and percentiles. */
import { quantile } from '#proxy/core/latency-buckets.ts';
import { COUNTS, type Edge, type Party } from './stats-input.ts';
import { addCell, CLASSES_AT, emptyCell, LATENCY_AT, type Cell, type EdgeTotal } from './stats-store.ts';

export const KEYS = ['workload', 'service', 'pod', 'route', 'edge'] as const;
export type By = (typeof KEYS)[number];

export type StatsFilter = {
  /** Of whom it is of; of an edge, of either end. */
  readonly namespace?: string | undefined;
  readonly workload?: string | undefined;
  /** Short name or host. */
  readonly service?: string | undefined;
};

export type StatsRow = {
  /** What it is of: `reviews-v3`, `reviews.default.svc.cluster.local`, a pod, a route; "": nobody the mesh knows. */
  readonly name: string;
  readonly namespace: string;
  /** The ends of an edge, and of a route its service; otherwise left out. */
  readonly source?: Party;
  readonly destination?: Party;
  readonly service?: string;
  readonly protocols: readonly string[];
  /** Who told of it: where both did, the source is believed. */
  readonly reporters: readonly string[];
  readonly requests: number;
  /** Requests a second. */
  readonly rps: number;
  /** Share of requests without a fault of the server, 0 … 1; null: there were none. */
  readonly success: number | null;
  /** ms */
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  /** `4xx` and so on; `none`: no answer was sent. */
  readonly status: Readonly<Record<string, number>>;
  readonly flags: Readonly<Record<string, number>>;
  /** Refused by an AuthorizationPolicy; kept inside by REGISTRY_ONLY. */
  readonly denied: number;
  readonly blocked: number;
  /** Bytes from callers, and to them. */
  readonly received: number;
  readonly sent: number;
  /** TCP connections and tunnels: at this moment, and in the window. */
  readonly tcpOpen: number;
  readonly tcpOpened: number;
  readonly tcpFailed: number;
  /** Of an edge: its part of what its source sends to this service, 0 … 1; null: of no service, or nothing was sent. */
  readonly share?: number | null;
};

type Group = {
  readonly name: string;
  readonly namespace: string;
  readonly ends: Pick<StatsRow, 'source' | 'destination' | 'service'>;
  readonly cell: Cell;
  readonly protocols: Set<string>;
  readonly reporters: Set<string>;
  failed: number;
  tcpFailed: number;
  open: number;
};

/** What is left out, or only adds what the source cannot know. */
type Part = EdgeTotal & { readonly deniedOnly: boolean };

/** `covered`: ms. The busiest first. */
export function viewOf(totals: readonly EdgeTotal[], by: By, filter: StatsFilter, covered: number): StatsRow[] {
  const groups = new Map<string, Group>();
  for (const part of countedOnce(totals)) {
    for (const { key, group } of groupsOf(part.edge, by)) {
      if (!fits(part.edge, group, by, filter)) continue;
      let known = groups.get(key);
      if (known === undefined) groups.set(key, (known = newGroup(group)));
      add(known, part);
    }
  }
  const rows = Array.from(groups.values(), (group) => rowOf(group, covered));
  return (by === 'edge' ? withShares(rows) : rows).sort(
    (a, b) => b.requests - a.requests || b.tcpOpened - a.tcpOpened || compare(nameOf(a), nameOf(b)),
  );
}

/** What both ends of an edge tell of is told by the source; the destination alone knows that it was denied. */
function* countedOnce(totals: readonly EdgeTotal[]): Generator<Part> {
  const told = new Set<string>();
  for (const { edge } of totals) if (edge.reporter === 'source') told.add(pairOf(edge));
  for (const total of totals) {
    const { reporter, source } = total.edge;
    const deniedOnly = reporter === 'destination' && source.workload !== '' && told.has(pairOf(total.edge));
    if (!deniedOnly || count(total.cell, 'denied') > 0) yield { ...total, deniedOnly };
  }
}

const pairOf = ({ source, destination }: Edge): string =>
  `${source.namespace}/${source.workload} ${destination.namespace}/${destination.workload}`;

type Named = Pick<Group, 'name' | 'namespace' | 'ends'>;

function groupsOf(edge: Edge, by: By): { readonly key: string; readonly group: Named }[] {
  const { source, destination, service, route, pod } = edge;
  const one = (name: string, namespace: string, ends: Group['ends'] = {}) => [
    { key: JSON.stringify([name, namespace, ends]), group: { name, namespace, ends } },
  ];
  const home = destination.namespace === '' ? source.namespace : destination.namespace;
  switch (by) {
    case 'workload': {
      const called = one(destination.workload, home);
      // A gateway is called from outside, which nobody else tells.
      return edge.gateway ? [...called, ...one(source.workload, source.namespace)] : called;
    }
    case 'service':
      return one(service, placeOf(service) ?? home);
    case 'pod':
      return one(pod, home);
    case 'route':
      return one(route, placeOf(service) ?? home, { service });
    case 'edge': {
      const from = { ...source, version: '' };
      return one('', source.namespace, { source: from, destination, service });
    }
  }
}

/** Namespace of a service of Kubernetes. */
const placeOf = (service: string): string | null => /^[^.]+\.([^.]+)\.svc\./.exec(service)?.[1] ?? null;

function fits(edge: Edge, { name, namespace }: Named, by: By, filter: StatsFilter): boolean {
  const { source, destination, service } = edge;
  if (filter.service !== undefined && service !== filter.service && !service.startsWith(`${filter.service}.`))
    return false;
  if (by === 'edge') {
    const ends = [source, destination];
    return (
      (filter.namespace === undefined || ends.some((end) => end.namespace === filter.namespace)) &&
      (filter.workload === undefined || ends.some((end) => end.workload === filter.workload))
    );
  }
  const workload = by === 'workload' ? name : destination.workload;
  return (
    (filter.namespace === undefined || namespace === filter.namespace) &&
    (filter.workload === undefined || workload === filter.workload)
  );
}

const newGroup = (named: Named): Group => ({
  ...named,
  cell: emptyCell(),
  protocols: new Set(),
  reporters: new Set(),
  failed: 0,
  tcpFailed: 0,
  open: 0,
});

function add(group: Group, { edge, cell, open, deniedOnly }: Part): void {
  if (deniedOnly) {
    group.cell.counts[COUNTS.indexOf('denied')]! += count(cell, 'denied');
    return;
  }
  addCell(group.cell, cell);
  group.protocols.add(edge.protocol);
  group.reporters.add(edge.reporter);
  group.open += open;
  if (edge.protocol === 'tcp') group.tcpFailed += count(cell, 'failed');
  else group.failed += count(cell, 'failed');
}

function rowOf({ cell, ...group }: Group, covered: number): StatsRow {
  const requests = count(cell, 'requests');
  const latency = cell.counts.slice(LATENCY_AT);
  const classes = cell.counts.slice(CLASSES_AT, LATENCY_AT);
  const status = classes.map((n, i): [string, number] => [i === 0 ? 'none' : `${i}xx`, n]).filter(([, n]) => n > 0);
  const at = (q: number): number | null => rounded(quantile(latency, q));
  return {
    name: group.name,
    namespace: group.namespace,
    ...group.ends,
    protocols: [...group.protocols].sort(),
    reporters: [...group.reporters].sort(),
    requests,
    rps: Math.round((requests / covered) * 100_000) / 100,
    success: requests === 0 ? null : Math.max(0, requests - group.failed) / requests,
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    status: Object.fromEntries(status),
    flags: Object.fromEntries(cell.flags ?? []),
    denied: count(cell, 'denied'),
    blocked: count(cell, 'blocked'),
    received: count(cell, 'received'),
    sent: count(cell, 'sent'),
    tcpOpen: group.open,
    tcpOpened: count(cell, 'opened'),
    tcpFailed: group.tcpFailed,
  };
}

/** How a caller's traffic to one service is split over what stands behind it. */
function withShares(rows: readonly StatsRow[]): StatsRow[] {
  const whole = new Map<string, number>();
  const keyOf = ({ source, service }: StatsRow): string => `${source?.namespace}/${source?.workload} ${service}`;
  const weight = ({ requests, tcpOpened }: StatsRow): number => requests + tcpOpened;
  for (const row of rows) whole.set(keyOf(row), (whole.get(keyOf(row)) ?? 0) + weight(row));
  return rows.map((row) => {
    const all = whole.get(keyOf(row))!;
    return { ...row, share: row.service === '' || all === 0 ? null : weight(row) / all };
  });
}

const count = (cell: Cell, name: (typeof COUNTS)[number]): number => cell.counts[COUNTS.indexOf(name)]!;
const rounded = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 100) / 100);
const nameOf = ({ name, namespace, source, destination, service }: StatsRow): string =>
  [namespace, name, source?.workload, service, destination?.workload].join(' ');
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
