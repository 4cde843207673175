/** Compiled authorization: AuthorizationPolicies and Mixer-era deny rules, as trees of predicates (Envoy's RBAC shape). */
import type { StringMatch } from './match.ts';
import type { SourceRef } from './route.ts';

export type Authz = {
  /** Evaluated in this order: CUSTOM, DENY, ALLOW (Istio). A DENY that matches refuses; with an ALLOW policy one must match. */
  readonly deny: readonly Policy[];
  readonly allow: readonly Policy[];
  readonly audit: readonly Policy[];
};

export type Policy = {
  readonly namespace: string;
  readonly name: string;
  /** Any rule suffices. A policy without rules never matches. */
  readonly rules: readonly Rule[];
  /** What a matching DENY answers. */
  readonly reply: { readonly status: number; readonly body: string };
  readonly source: SourceRef;
};

export type Rule = { readonly when: Predicate };

export type Predicate =
  | { readonly kind: 'always' }
  | { readonly kind: 'never' }
  | { readonly kind: 'all'; readonly of: readonly Predicate[] }
  | { readonly kind: 'any'; readonly of: readonly Predicate[] }
  | { readonly kind: 'not'; readonly of: Predicate }
  | { readonly kind: 'string'; readonly attribute: Attribute; readonly match: StringMatch }
  /** Segments with `{*}` (one) and `{**}` (rest) as AuthorizationPolicy paths have them. */
  | { readonly kind: 'path-template'; readonly template: string }
  | {
      readonly kind: 'cidr';
      readonly attribute: 'source.ip' | 'remote.ip' | 'destination.ip';
      readonly ranges: readonly string[];
    }
  /** The port the client connected to. */
  | { readonly kind: 'port'; readonly port: number };

/** What a predicate may ask. A missing value is not "" (presence fails), except where Mixer's expressions say so. */
export type Attribute =
  | { readonly of: 'request.method' }
  | { readonly of: 'request.path' }
  | { readonly of: 'request.host' }
  | { readonly of: 'request.header'; readonly name: string }
  /** `cluster.local/ns/default/sa/bookinfo-reviews`, without `spiffe://`. */
  | { readonly of: 'source.principal' }
  | { readonly of: 'source.namespace' }
  /** `default/bookinfo-reviews`: namespace and name. */
  | { readonly of: 'source.serviceAccount' }
  | { readonly of: 'source.label'; readonly name: string }
  | { readonly of: 'destination.label'; readonly name: string }
  | { readonly of: 'connection.sni' };
