/** Spans of one trace in the order they are read in: each before what it led to, by their begin. */
import type { Span } from '#control-api/trace-store.ts';

export type Branch = {
  readonly depth: number;
  readonly span: Span;
  /** After the begin of the trace, ms. */
  readonly began: number;
};

/** Anybody may post spans: parents that are missing, or go round in a circle, lose nothing. */
export function treeOf(spans: readonly Span[]): Branch[] {
  const children = Map.groupBy(spans, (span) => span.parentId ?? '');
  // Client and server may share one id, as in B3's older form: then the server's is below the client's.
  const begin = Math.min(...spans.map(({ timestamp = Infinity }) => timestamp));
  const seen = new Set<Span>();
  const branches: Branch[] = [];
  const left: { readonly span: Span; readonly depth: number }[] = [];
  const ids = new Set(spans.map(({ id }) => id));
  const roots = spans.filter(({ id, parentId }) => parentId === undefined || parentId === id || !ids.has(parentId));
  for (const root of [...roots.toSorted(byTime), ...spans.toSorted(byTime)]) {
    left.push({ span: root, depth: 0 });
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { span, depth } = next;
      if (seen.has(span)) continue;
      seen.add(span);
      branches.push({ depth, span, began: ((span.timestamp ?? begin) - begin) / 1000 });
      for (const child of (children.get(span.id) ?? []).toSorted(byTime).reverse())
        left.push({ span: child, depth: depth + 1 });
    }
  }
  return branches;
}

const byTime = (a: Span, b: Span): number => (a.timestamp ?? 0) - (b.timestamp ?? 0);
