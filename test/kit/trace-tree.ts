/** The spans of one page with ratings, as a tree: who called whom. */

export type Span = {
  readonly id: string;
  readonly parentId?: string;
  readonly traceId: string;
  readonly kind: string;
  readonly localEndpoint: { readonly serviceName: string };
  readonly tags: Readonly<Record<string, string>>;
};

/** gateway, productpage, twice to details and reviews, and from there to ratings. */
export const PAGE_TREE = [
  '  SERVER istio-ingressgateway.istio-system',
  '    SERVER productpage.default',
  '      CLIENT productpage.default',
  '        SERVER details.default',
  '      CLIENT productpage.default',
  '        SERVER reviews.default',
  '          CLIENT reviews.default',
  '            SERVER ratings.default',
];

export const named = ({ id, parentId, kind, localEndpoint }: Span): Named => ({
  id,
  parentId: parentId ?? '',
  name: `${kind} ${localEndpoint.serviceName}`,
});

export type Named = { readonly id: string; readonly parentId: string; readonly name: string };

/** One line a span, under the span it belongs to; those of one parent in the order of what is below them. `root`: the parent of all. */
export function treeOf(spans: readonly Named[], root = ''): string[] {
  const under = (parent: string, indent: string): string[][] =>
    spans
      .filter(({ parentId }) => parentId === parent)
      .map(({ id, name }) => [`${indent}${name}`, ...under(id, `${indent}  `).flat()])
      .sort((a, b) => a.join().localeCompare(b.join()));
  return under(root, '  ').flat();
}
