/** Says when replacing a VirtualService takes rules away that its last version had: the surprise of applying two files of one name. */
import { isDeepStrictEqual } from 'node:util';
import type { Resource } from '#proxy/istio/resource.ts';

type HttpRule = { readonly match?: readonly object[] };
type Spec = { readonly http?: readonly HttpRule[] };

/** One sentence for each match that `before` had and `after` has not. */
export function droppedRules(before: Resource | null, after: Resource): string[] {
  if (before === null || after.kind !== 'VirtualService') return [];
  const matchesOf = ({ spec }: Resource): readonly object[] =>
    ((spec as Spec | undefined)?.http ?? []).flatMap((rule) => rule.match ?? []);
  const left = matchesOf(after);
  const dropped = matchesOf(before).filter((match) => !left.some((other) => isDeepStrictEqual(other, match)));
  return dropped.map(
    (match) =>
      `this replaces VirtualService ${after.metadata.namespace}/${after.metadata.name}, which had a rule of its own for ` +
      `requests with ${describe(match)}; they now follow the other rules`,
  );
}

/** `headers end-user exact "jason", uri prefix "/api"` */
function describe(match: object): string {
  const parts = Object.entries(match).flatMap(([field, value]) => {
    if (['name', 'ignoreUriCase'].includes(field)) return [];
    if (typeof value !== 'object' || value === null) return [`${field} ${JSON.stringify(value)}`];
    if (['headers', 'withoutHeaders', 'queryParams', 'sourceLabels'].includes(field)) {
      return Object.entries(value).map(([name, test]) => `${LABEL[field] ?? field} ${name} ${testText(test)}`);
    }
    return [`${field} ${testText(value)}`];
  });
  return parts.length === 0 ? 'any content' : parts.join(', ');
}

const LABEL: Readonly<Record<string, string>> = {
  headers: 'header',
  withoutHeaders: 'no header',
  queryParams: 'query parameter',
  sourceLabels: 'source label',
};

/** `exact "jason"` */
function testText(test: unknown): string {
  if (typeof test !== 'object' || test === null || Array.isArray(test)) return JSON.stringify(test);
  const entries = Object.entries(test).map(([kind, value]) => `${kind} ${JSON.stringify(value)}`);
  return entries.length === 0 ? 'present' : entries.join(' ');
}
