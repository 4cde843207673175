/**
 * Counts who calls whom, how it goes and how long it takes, for operators who have no Prometheus. In bounded memory, and told once a second.
 * An edge is found by identity: on the live endpoint (or, for what comes in, the live cluster) hang those it was of lately.
 */
import { latencyBucket } from '../core/latency-buckets.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import type { ProxyNode, Workload } from '../snapshot/node.ts';
import type { Route } from '../snapshot/route.ts';
import { countFlags, keyOf, NOBODY, partyOf, zeroRow, type EdgeName, type EdgeRow } from './edge-stats-row.ts';

/** Edges a worker tells apart; what is on top counts in one row for each reporter. */
const MAX_EDGES = 500;
/** Edges that hang on one endpoint or cluster; others are found by name. */
const MAX_MEMOS = 8;
/** Of gRPC's codes, those that are the server's fault (OpenTelemetry: RPC semantic conventions, gRPC). */
const GRPC_FAULTS: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);
/** An edge without traffic for so many looks is let go. */
const FORGET_AFTER = 600;
/** So many looks apart, what is open is told again: who listens may have been started anew. */
const OPEN_EVERY = 10;

/** One edge, as long as it is in use: its row is emptied whenever it is told. */
class Edge {
  readonly name: EdgeName;
  row: EdgeRow;
  /** Something was counted since it was told last. */
  touched = false;
  idle = 0;
  /** Not counted in any more: who holds it has to look for another. */
  gone = false;

  constructor(name: EdgeName) {
    this.name = name;
    this.row = zeroRow(name);
  }
}

/** The edge of what had just these parts, and the next that hangs on the same. */
type Memo = {
  readonly other: Workload | null;
  readonly route: Route | null;
  readonly settings: Cluster | null;
  readonly grpc: boolean;
  readonly edge: Edge;
  next: Memo | null;
};

type Open = { readonly edge: Edge; received: number; sent: number };

type InboundCluster = (port: number) => Cluster | null;

export class EdgeStats {
  readonly #node: ProxyNode;
  readonly #inboundCluster: InboundCluster;
  readonly #limit: number;
  readonly #edges = new Map<string, Edge>();
  /** TCP connections and tunnels, with how much of each has been counted. */
  readonly #open = new Map<Exchange, Open>();
  #looks = 0;

  /** `inboundCluster`: of a local port, for what was refused before a cluster was chosen; null: not known. */
  constructor(node: ProxyNode, inboundCluster: InboundCluster = () => null, limit = MAX_EDGES) {
    this.#node = node;
    this.#inboundCluster = inboundCluster;
    this.#limit = limit;
  }

  get size(): number {
    return this.#edges.size;
  }

  /** Call for every request at its end. Never throws. */
  record(x: Exchange): void {
    if (x.method === 'CONNECT') return this.#closed(x);
    const edge = this.#edgeOf(x);
    const { row } = edge;
    const { status } = x;
    edge.touched = true;
    row.requests += 1;
    row.classes[status < 600 ? (status / 100) | 0 : 5]! += 1;
    // What becomes a tunnel is answered with its head.
    row.latency[latencyBucket((status === 101 ? x.headMs : x.endMs) - x.startMs)]! += 1;
    row.received += x.requestHeadBytes + x.bytesReceived;
    row.sent += x.responseHeadBytes + x.bytesSent;
    if (status >= 500 || status === 0 || x.flags !== '' || x.decidedBy !== null || x.grpc || x.endpoint === null)
      this.#trouble(x, row);
  }

  /** Call when the far end of a TCP connection or tunnel is reached. */
  reached(x: Exchange): void {
    const edge = this.#edgeOf(x);
    edge.touched = true;
    edge.row.opened += 1;
    edge.row.open += 1;
    this.#open.set(x, { edge, received: 0, sent: 0 });
  }

  /** Call for every TCP connection at its end. */
  recordTcp(x: Exchange): void {
    this.#closed(x);
  }

  /** What was counted since the last time, and what is open; nothing when nothing was. */
  drain(): EdgeRow[] {
    const tellOpen = ++this.#looks % OPEN_EVERY === 0;
    for (const [x, open] of this.#open) passed(x, open);
    const rows: EdgeRow[] = [];
    for (const [key, edge] of this.#edges) {
      const { row } = edge;
      if (edge.touched || (tellOpen && row.open > 0)) {
        rows.push(row);
        edge.row = zeroRow(edge.name);
        edge.row.open = row.open;
        edge.touched = false;
        edge.idle = 0;
      } else if (++edge.idle >= FORGET_AFTER && row.open === 0) {
        edge.gone = true;
        this.#edges.delete(key);
      }
    }
    return rows;
  }

  #closed(x: Exchange): void {
    const open = this.#open.get(x);
    const edge = open?.edge ?? this.#edgeOf(x);
    const { row } = edge;
    edge.touched = true;
    if (open !== undefined) {
      passed(x, open);
      this.#open.delete(x);
      row.open -= 1;
    } else {
      row.opened += 1;
    }
    row.closed += 1;
    this.#trouble(x, row);
  }

  /** What is not quite as it should be; most requests never come here. */
  #trouble(x: Exchange, row: EdgeRow): void {
    if (x.flags !== '') countFlags(row, x.flags, 1);
    if (x.decidedBy?.kind === 'AuthorizationPolicy') row.denied += 1;
    if (isBlocked(x)) row.blocked += 1;
    if (hasFailed(x)) row.failed += 1;
  }

  #edgeOf(x: Exchange): Edge {
    const { cluster } = x;
    const settings = cluster === null ? null : cluster.settings;
    // Each way reads `edges` of one kind of object alone, which is faster.
    if (x.direction === 'inbound') {
      const { peer } = x.connection;
      if (cluster === null) return this.#named(x, peer, settings);
      const memo = cluster.edges as Memo | null;
      return memo !== null && fits(memo, x, peer, settings) ? memo.edge : this.#search(cluster, x, peer, settings);
    }
    const { endpoint } = x;
    if (endpoint === null) return this.#named(x, null, settings);
    const { workload } = endpoint;
    const memo = endpoint.edges as Memo | null;
    return memo !== null && fits(memo, x, workload, settings)
      ? memo.edge
      : this.#search(endpoint, x, workload, settings);
  }

  /** The one that is found comes to the front; with too many of them, those at the end are let go. */
  #search(on: LiveCluster | LiveEndpoint, x: Exchange, other: Workload | null, settings: Cluster | null): Edge {
    const first = on.edges as Memo | null;
    let before: Memo | null = null;
    let length = 0;
    for (let memo = first; memo !== null; before = memo, memo = memo.next) {
      if (fits(memo, x, other, settings)) {
        if (before !== null) before.next = memo.next;
        memo.next = first;
        on.edges = memo;
        return memo.edge;
      }
      if (++length === MAX_MEMOS - 1) memo.next = null;
    }
    const edge = this.#named(x, other, settings);
    on.edges = { other, route: x.route, settings, grpc: x.grpc, edge, next: first } satisfies Memo;
    return edge;
  }

  #named(x: Exchange, other: Workload | null, chosen: Cluster | null): Edge {
    const inbound = x.direction === 'inbound';
    const settings = chosen === null && inbound ? this.#inboundCluster(x.connection.localPort) : chosen;
    const own = partyOf(this.#node);
    const name: EdgeName = {
      reporter: inbound ? 'destination' : 'source',
      gateway: x.direction === 'gateway',
      source: inbound ? partyOf(other) : own,
      destination: inbound ? own : partyOf(other),
      pod: inbound ? this.#node.name : (other?.name ?? ''),
      service: settings?.service?.host ?? (isBlocked(x) ? 'BlackHoleCluster' : wellKnown(settings)),
      protocol: x.opaque || x.method === 'CONNECT' ? 'tcp' : x.grpc ? 'grpc' : 'http',
      route: x.route?.name ?? '',
    };
    return this.#get(keyOf(name), name);
  }

  #get(key: string, name: EdgeName): Edge {
    const known = this.#edges.get(key);
    if (known !== undefined) return known;
    if (this.#edges.size >= this.#limit && name.protocol !== 'other') {
      const rest: EdgeName = { ...OTHER, reporter: name.reporter, gateway: name.gateway };
      return this.#get(keyOf(rest), rest);
    }
    const made = new Edge(name);
    this.#edges.set(key, made);
    return made;
  }
}

const OTHER: EdgeName = {
  reporter: 'source',
  gateway: false,
  source: NOBODY,
  destination: NOBODY,
  pod: '',
  service: '',
  protocol: 'other',
  route: '',
};

const fits = (memo: Memo, x: Exchange, other: Workload | null, settings: Cluster | null): boolean =>
  memo.other === other &&
  memo.route === x.route &&
  memo.settings === settings &&
  memo.grpc === x.grpc &&
  !memo.edge.gone;

function passed(x: Exchange, open: Open): void {
  const { row } = open.edge;
  if (x.bytesReceived === open.received && x.bytesSent === open.sent) return;
  open.edge.touched = true;
  row.received += x.bytesReceived - open.received;
  row.sent += x.bytesSent - open.sent;
  open.received = x.bytesReceived;
  open.sent = x.bytesSent;
}

/** Kept inside by REGISTRY_ONLY; a CONNECT has no route that would say so. */
const isBlocked = ({ direction, route, cluster, details }: Exchange): boolean =>
  direction !== 'inbound' &&
  (cluster === null
    ? route?.name === 'block_all' || (route === null && details === 'direct_response')
    : cluster.settings.name === 'BlackHoleCluster');

/** A client that went away (DC) is nobody's fault; a connection fails when it cannot be made. */
function hasFailed(x: Exchange): boolean {
  if (x.opaque || x.method === 'CONNECT') return x.upstreamLocal === '' && x.flags !== 'DC';
  if (x.status === 0) return x.flags !== 'DC';
  return x.status >= 500 || (x.grpc && GRPC_FAULTS.has(x.grpcStatus));
}

const wellKnown = (settings: Cluster | null): string =>
  settings?.discovery.kind !== 'passthrough'
    ? ''
    : settings.direction === 'inbound'
      ? 'InboundPassthroughCluster'
      : 'PassthroughCluster';
