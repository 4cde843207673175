/** One call of the Kubernetes API, and its answer; what verbs are given and give back. */
import type { Resource } from '#proxy/istio/resource.ts';
import type { PodRuntime } from '../pod-runtime.ts';
import type { Author, Store } from '../store.ts';
import type { JsonObject } from './json.ts';
import type { Target } from './catalogue.ts';

export type Call = {
  readonly method: string;
  readonly target: Target;
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly contentType: string | undefined;
  readonly body: Buffer;
  readonly author: Author;
};

export type Answer = {
  readonly status: number;
  readonly body: object;
  /** Sent as `Warning:` headers, which kubectl prints. */
  readonly warnings?: readonly string[];
};

/**
 * Decides whether an object may be stored, and as what. Throws a StatusError with every problem when it may not;
 * `warnings` concern only this object.
 */
export type Admit = (
  candidate: JsonObject,
  before: Resource | null,
  options: { readonly fieldValidation: FieldValidation },
) => { readonly resource: Resource; readonly warnings: readonly string[] };

/** What to do with unknown fields: https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation */
export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export type KubeContext = {
  readonly store: Store;
  readonly admit: Admit;
  readonly runtime: PodRuntime | null;
};
