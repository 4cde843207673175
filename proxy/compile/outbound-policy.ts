/** What a sidecar does with what nobody has told it of: outboundTrafficPolicy of its Sidecar, else of the mesh. */
import type { ClusterName } from '../core/brand.ts';
import type { SourceRef } from '../snapshot/route.ts';
import { clusterFor, type Context } from './context.ts';
import { sourceOf } from './problems.ts';

export type OutboundPolicy = {
  readonly mode: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  /** Of the service that all of it is sent to (`egressProxy`); null: it goes where it wants. */
  readonly proxy: ClusterName | null;
  readonly source: SourceRef | null;
};

/** An object without a mode is REGISTRY_ONLY (proto default). */
export function outboundPolicy(c: Context): OutboundPolicy {
  const own = c.sidecar?.spec?.outboundTrafficPolicy;
  if (c.sidecar === null || own === undefined) return { mode: c.mesh.outboundTrafficPolicy, proxy: null, source: null };
  const mode = own.mode ?? 'REGISTRY_ONLY';
  if (mode === 'REGISTRY_ONLY' || own.egressProxy === undefined) return { mode, proxy: null, source: null };
  const proxy = clusterFor(c, own.egressProxy, c.sidecar.metadata.namespace, own.egressProxy.port?.number ?? 0);
  return { mode, proxy, source: sourceOf(c.sidecar, 'spec.outboundTrafficPolicy.egressProxy') };
}
