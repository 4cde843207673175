/** Where a TCP connection to a service goes: a VirtualService's tcp rules, else all of it to the service. */
import type { ClusterName } from '../core/brand.ts';
import type { VirtualServiceSpec } from '../istio/virtual-service.ts';
import { outboundName } from './clusters.ts';
import { clusterFor, type Context } from './context.ts';
import { appliesHere } from './matches.ts';
import type { MeshService } from './services.ts';

export type TcpShare = { readonly cluster: ClusterName; readonly weight: number };

/** Of the first rule that applies; the heaviest share first. */
export function tcpSplit(c: Context, service: MeshService, port: number): readonly TcpShare[] {
  const plain = [{ cluster: outboundName(port, '', service.host), weight: 100 }];
  const bound = c.meshRules.find(service.host);
  if (bound === undefined) return plain;
  const { metadata, spec } = bound.resource;
  const place = { gateways: ['mesh'], port, namespace: c.node.namespace, labels: c.node.labels };
  const rule = spec.tcp?.find(
    (r) => !r.match?.length || r.match.some((m) => appliesHere(m, place, metadata.namespace)),
  );
  const split = shares(rule, (destination) => clusterFor(c, destination, metadata.namespace, port));
  return split.length === 0 ? plain : split;
}

type TcpRule = NonNullable<VirtualServiceSpec['tcp']>[number] | undefined;

function shares(rule: TcpRule, cluster: (d: { readonly host: string }) => ClusterName): TcpShare[] {
  const targets = rule?.route ?? [];
  if (targets.length === 1) return [{ cluster: cluster(targets[0]!.destination), weight: 100 }];
  return targets
    .filter(({ weight }) => (weight ?? 0) > 0)
    .map(({ destination, weight }) => ({ cluster: cluster(destination), weight: weight! }))
    .sort((a, b) => b.weight - a.weight);
}
