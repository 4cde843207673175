/** Compiled routes: what VirtualServices mean, defaults filled in, nothing left to look up. */
import type { ClusterName, Ms, RouteName, TableName } from '../core/brand.ts';
import type { StringMatch } from './match.ts';

/** The resource and the place in it that made something, for logs and for `explain`. */
export type SourceRef = {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** `spec.http[0].match[1]` */
  readonly path: string;
};

/** Envoy's RouteConfiguration. */
export type RouteTable = {
  readonly name: TableName;
  readonly virtualHosts: readonly VirtualHost[];
};

export type VirtualHost = {
  /** `reviews.default.svc.cluster.local:9080`, `allow_any`, `block_all`, `inbound|http|9080`. */
  readonly name: string;
  /** Lower case, no port: exact, `*.suffix` or `*`. Looked up exact > longest suffix > `*`. */
  readonly domains: readonly string[];
  /** In the order they are tried; the first that matches wins. */
  readonly routes: readonly Route[];
};

export type Route = {
  readonly name: RouteName;
  readonly match: RouteMatch;
  readonly action: RouteAction;
  /** For the whole request, retries included. Null: none. */
  readonly timeout: Ms | null;
  readonly retry: RetryPolicy | null;
  readonly fault: Fault | null;
  readonly cors: Cors | null;
  readonly mirrors: readonly Mirror[];
  readonly requestHeaders: HeaderOps | null;
  readonly responseHeaders: HeaderOps | null;
  /** Span name (Envoy's decorator operation): `reviews.default.svc.cluster.local:9080/*`. */
  readonly operation: string;
  /** Null: a default route, made by no resource. */
  readonly source: SourceRef | null;
};

/** All that is given must hold. Config-time matches (port, gateways, sourceLabels, sourceNamespace) are gone by now. */
export type RouteMatch = {
  /** On the path without its query. Null: any. */
  readonly path: StringMatch | null;
  readonly method: StringMatch | null;
  /** On Host as it came, port included. */
  readonly authority: StringMatch | null;
  readonly scheme: StringMatch | null;
  readonly headers: readonly HeaderMatch[];
  readonly query: readonly QueryMatch[];
};

export type HeaderMatch = {
  /** Lower case. */
  readonly name: string;
  readonly match: StringMatch;
  /** `withoutHeaders`: must not match; an absent header counts as "" then. */
  readonly invert: boolean;
};

export type QueryMatch = { readonly name: string; readonly match: StringMatch };

export type RouteAction =
  | { readonly kind: 'forward'; readonly split: readonly WeightedCluster[]; readonly rewrite: Rewrite | null }
  | {
      readonly kind: 'redirect';
      readonly status: number;
      readonly scheme: string | null;
      readonly authority: string | null;
      readonly port: number | null;
      /** Replaces the whole path (and the query when it has a `?`). */
      readonly path: string | null;
      /** Replaces the matched prefix. */
      readonly prefix: { readonly matched: string; readonly by: string } | null;
    }
  | { readonly kind: 'direct'; readonly status: number; readonly body: string; readonly bodyIsBase64: boolean };

export type WeightedCluster = {
  readonly cluster: ClusterName;
  /** Relative share, > 0. */
  readonly weight: number;
  readonly requestHeaders: HeaderOps | null;
  readonly responseHeaders: HeaderOps | null;
};

export type Rewrite = {
  readonly path:
    | { readonly kind: 'prefix'; readonly matched: string; readonly by: string; readonly ignoreCase: boolean }
    | { readonly kind: 'whole'; readonly by: string }
    | { readonly kind: 'regex'; readonly match: string; readonly by: string }
    | null;
  readonly authority: string | null;
};

export type HeaderOps = {
  /** [name, value template (`%VAR%` as Envoy's formatter, `%%` = %)] */
  readonly set: readonly (readonly [string, string])[];
  readonly add: readonly (readonly [string, string])[];
  /** Lower case. */
  readonly remove: readonly string[];
};

export type RetryPolicy = {
  /** Number of retries: requests ≤ 1 + attempts. */
  readonly attempts: number;
  readonly perTryTimeout: Ms | null;
  /** Envoy's retry-on words. */
  readonly on: readonly string[];
  readonly statusCodes: readonly number[];
  readonly backoff: Ms;
};

export type Fault = {
  readonly delay: { readonly ms: Ms; readonly percent: number } | null;
  readonly abort: { readonly status: number; readonly grpcStatus: number | null; readonly percent: number } | null;
};

export type Cors = {
  readonly allowOrigins: readonly StringMatch[];
  readonly allowMethods: string | null;
  readonly allowHeaders: string | null;
  readonly exposeHeaders: string | null;
  readonly maxAge: string | null;
  readonly allowCredentials: boolean;
  readonly forwardUnmatchedPreflights: boolean;
};

export type Mirror = { readonly cluster: ClusterName; readonly percent: number };
