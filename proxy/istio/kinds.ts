/** Every kind Lateen serves. */
import type { KindInfo } from './kind-info.ts';
import { ISTIO_KINDS } from './kinds-istio.ts';
import { KUBERNETES_KINDS } from './kinds-kubernetes.ts';

export type { Column, KindInfo } from './kind-info.ts';

export const KINDS: readonly KindInfo[] = [...KUBERNETES_KINDS, ...ISTIO_KINDS];

const byKind = new Map<string, KindInfo>();
const byPlural = new Map<string, KindInfo>();
for (const info of KINDS) {
  for (const version of info.versions) byKind.set(`${groupVersion(info.group, version)} ${info.kind}`, info);
  byPlural.set(`${info.group} ${info.plural}`, info);
}

/** `kindFor('networking.istio.io/v1', 'VirtualService')`; undefined when it is not served. */
export const kindFor = (apiVersion: string, kind: string): KindInfo | undefined => byKind.get(`${apiVersion} ${kind}`);

/** `kindByPlural('', 'pods')`; undefined when it is not served. */
export const kindByPlural = (group: string, plural: string): KindInfo | undefined => byPlural.get(`${group} ${plural}`);

/** `v1` of the core group, `apps/v1` else. */
export function groupVersion(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`;
}
