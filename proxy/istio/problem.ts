/** What is wrong with something people wrote, and where, in words its author can act on. */

export type Problem = {
  readonly severity: 'error' | 'warning';
  /** Field path inside the resource: `spec.http[0].route[1].weight`; "" for the whole. */
  readonly path: string;
  /** What was expected and what came. */
  readonly message: string;
  /** Istio's message code, where it has one: `IST0101`. */
  readonly code?: string;
  /** Of the resource; absent when it could not be told. */
  readonly resource?: { readonly kind: string; readonly namespace: string; readonly name: string };
  /** Where it stands in its file, 1-based. */
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
};
