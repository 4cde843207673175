/** What the data path runs: the snapshot, linked to live clusters. Replaced whole, never changed. */
import type { HeaderList } from '../core/header-list.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { ConnectionDenial } from '../authz/policy.ts';
import type { Connection } from '../live/connection.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Filter } from '../live/verdict.ts';
import type { HttpListener, TcpListener } from '../snapshot/listener.ts';
import type { Route, SourceRef } from '../snapshot/route.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

export type Plan = {
  readonly snapshot: Snapshot;
  /** By listener name. */
  readonly listeners: ReadonlyMap<string, ListenerPlan>;
  /** The normal form of a path with its query; null: 400. */
  readonly normalizePath: (raw: string) => string | null;
};

export type ListenerPlan = HttpListenerPlan | TcpListenerPlan;

export type HttpListenerPlan = {
  readonly kind: 'http';
  readonly settings: HttpListener;
  /** Null: everything is permitted. */
  readonly authorize: Filter | null;
  /** Null: no route. */
  match(x: Exchange): RoutePlan | null;
  /** CONNECT: the cluster for a `host:port`, or a refusal. Null: CONNECT is not served here. */
  readonly connect: ((host: string, port: number) => ConnectTarget) | null;
  /** Of redirected connections. Null: none are expected. */
  readonly captured: CapturedPlan | null;
};

/** `cluster` null: the configuration names one that does not exist. */
export type ConnectTarget = { readonly cluster: LiveCluster | null } | { readonly blocked: true };

export type CapturedPlan = {
  /** `port`: the one the connection was made to. Null: nobody knows it, and `unknown` is for it. */
  readonly of: (port: number) => PortPlan | null;
  readonly unknown: PortPlan;
};

/** What becomes of the connections to one port. */
export type PortPlan = {
  /** In the order they are tried. */
  readonly rules: readonly TcpRulePlan[];
  /** Who serves what speaks HTTP; null: nothing is expected to. */
  readonly http: HttpListenerPlan | null;
  /** For opaque connections. Null: everything is permitted. */
  readonly authorize: ((connection: Connection) => ConnectionDenial | null) | null;
};

export type TcpRulePlan = {
  /** Null: any address. */
  readonly covers: ((address: string) => boolean) | null;
  /** Null: TLS or not. */
  readonly named: ((serverName: string) => boolean) | null;
  readonly source: SourceRef | null;
  /** Null: the configuration names a cluster that does not exist. */
  readonly pick: () => LiveCluster | null;
};

export type TcpListenerPlan = PortPlan & {
  readonly kind: 'tcp';
  readonly settings: TcpListener;
};

export type RoutePlan = {
  readonly route: Route;
  /** In order; only what this route uses: a plain route has none. */
  readonly filters: readonly Filter[];
  /** Null: the filters answer always. */
  readonly pick: (() => ForwardPlan) | null;
  /** Path and authority, and the route's request headers; null: untouched. */
  readonly rewrite: ((x: Exchange) => void) | null;
  readonly responseHeaders: ((x: Exchange, headers: HeaderList) => void) | null;
};

/** One destination of a route. */
export type ForwardPlan = {
  /** Null: the configuration names a cluster that does not exist. */
  readonly cluster: LiveCluster | null;
  readonly name: string;
  readonly requestHeaders: ((x: Exchange) => void) | null;
  readonly responseHeaders: ((x: Exchange, headers: HeaderList) => void) | null;
};

/** Holds the plan in force. A request reads `current` once, at its start, and keeps what it read. */
export class Plans {
  #current: Plan;

  constructor(first: Plan) {
    this.#current = first;
  }

  get current(): Plan {
    return this.#current;
  }

  /** Returns the plan that was in force. */
  swap(next: Plan): Plan {
    const previous = this.#current;
    this.#current = next;
    return previous;
  }
}
