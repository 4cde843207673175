/** The difference of two states of a resource, as people read it: YAML, without what the server keeps for itself, no secrets. */
import { isDeepStrictEqual } from 'node:util';
import type { Resource } from '#proxy/istio/resource.ts';
import { unifiedDiff } from './line-diff.ts';
import { LAST_APPLIED } from './merge-patch.ts';
import { structured } from './output.ts';
import { paint } from './paint.ts';

/** "" when there is none; null stands for a resource that is not there. `names`: of the two states. */
export function resourceDiff(
  before: Resource | null,
  after: Resource | null,
  names: readonly [string, string],
): string {
  const [was, is] = masked(before, after);
  return coloured(unifiedDiff(shown(was), shown(is), names));
}

function shown(resource: Resource | null): string {
  if (resource === null) return '';
  const { metadata, status: _, ...rest } = resource;
  const {
    managedFields: _m,
    resourceVersion: _r,
    uid: _u,
    creationTimestamp: _c,
    generation: _g,
    annotations,
    ...meta
  } = metadata;
  const { [LAST_APPLIED]: _l, ...own } = annotations ?? {};
  const { apiVersion, kind, ...body } = rest;
  return structured(
    { apiVersion, kind, metadata: { ...meta, ...(Object.keys(own).length > 0 ? { annotations: own } : {}) }, ...body },
    'yaml',
  );
}

/** As kubectl diff has it: values of a Secret are stars, and that one differs is still to be seen. */
function masked(before: Resource | null, after: Resource | null): readonly [Resource | null, Resource | null] {
  if ((before ?? after)?.kind !== 'Secret') return [before, after];
  const [was, is] = [dataOf(before), dataOf(after)];
  const stars = (of: Readonly<Record<string, unknown>>, mark: string): object =>
    Object.fromEntries(
      Object.keys(of).map((key) => [
        key,
        key in was && key in is && !isDeepStrictEqual(was[key], is[key]) ? `*** (${mark})` : '***',
      ]),
    );
  return [
    before === null ? null : { ...before, data: stars(was, 'before') },
    after === null ? null : { ...after, data: stars(is, 'after') },
  ];
}

const dataOf = (resource: Resource | null): Readonly<Record<string, unknown>> =>
  (resource?.['data'] as Readonly<Record<string, unknown>> | undefined) ?? {};

function coloured(text: string): string {
  const colours = { '-': 'red', '+': 'green', '@': 'cyan' } as const;
  return text.replace(/^[-+@].*$/gm, (line) => paint(colours[line[0] as keyof typeof colours], line));
}
