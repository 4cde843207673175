/** Stored resources as a client asked to see them: in the version of its path, as objects, as a table, or metadata only. */
import type { Resource } from '#proxy/istio/resource.ts';
import type { Call } from './call.ts';
import { apiVersionOf, type Target } from './catalogue.ts';
import { notAcceptable } from './status-error.ts';
import { tableOf } from './table.ts';

export type Form = 'object' | 'table' | 'metadata';

/** Of the Accept header, the first form we can give. Throws NotAcceptable. */
export function formOf(accept: string): Form {
  const ranges = accept === '' ? ['*/*'] : accept.split(',').map((range) => range.trim());
  for (const range of ranges) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    if (!['application/json', 'application/*', '*/*'].includes(type)) continue;
    const as = parameters.find((p) => p.startsWith('as='))?.slice(3);
    if (as === undefined) return 'object';
    if (!parameters.includes('g=meta.k8s.io')) continue;
    if (as === 'Table') return 'table';
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return 'metadata';
  }
  throw notAcceptable('only application/json (also as=Table, as=PartialObjectMetadata) is served');
}

/** The object as the wire has it: the version of the path, no namespace when it is cluster-scoped. */
export function wireOf(resource: Resource, target: Pick<Target, 'group' | 'version' | 'info'>): Resource {
  const { apiVersion: _, kind, metadata, ...rest } = resource;
  const { namespace, ...meta } = metadata;
  const { name, ...others } = meta;
  return {
    apiVersion: apiVersionOf(target),
    kind,
    metadata: { name, ...(target.info.namespaced ? { namespace } : {}), ...others },
    ...rest,
  } as Resource;
}

export function represent(call: Pick<Call, 'accept' | 'query' | 'target'>, resource: Resource): object {
  const wire = wireOf(resource, call.target);
  switch (formOf(call.accept)) {
    case 'object':
      return wire;
    case 'metadata':
      return partial(wire);
    case 'table':
      return tableOf(call.target.info, [wire], {
        resourceVersion: wire.metadata.resourceVersion ?? '',
        include: call.query.get('includeObject'),
      });
  }
}

export type ListMeta = {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
};

export function representList(
  call: Pick<Call, 'accept' | 'query' | 'target'>,
  resources: readonly Resource[],
  metadata: ListMeta,
): object {
  const { info } = call.target;
  const wires = resources.map((resource) => wireOf(resource, call.target));
  switch (formOf(call.accept)) {
    case 'object':
      return { kind: info.listKind, apiVersion: apiVersionOf(call.target), metadata, items: wires };
    case 'metadata':
      return {
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        items: wires.map(partial),
      };
    case 'table':
      return tableOf(info, wires, { ...metadata, include: call.query.get('includeObject') });
  }
}

const partial = ({ metadata }: Resource): object => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata,
});
