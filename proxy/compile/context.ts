/** What every pass is given: the resources, the proxy they are read for, and what was found out about both. */
import type { ResourceSet, Resource } from '../istio/resource.ts';
import type { Destination } from '../istio/selector.ts';
import type { SidecarSpec } from '../istio/sidecar.ts';
import type { ClusterName } from '../core/brand.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import type { Listener } from '../snapshot/listener.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { RouteTable } from '../snapshot/route.ts';
import { outboundName } from './clusters.ts';
import type { MeshSettings } from './defaults.ts';
import { DestinationRules } from './destination-rules.ts';
import { indexSlices, type SliceIndex } from './endpoints.ts';
import { resolveHost } from './hosts.ts';
import { withMeshConfig } from './mesh-config.ts';
import { meshRules, type MeshRules, visibleRules, type Bound } from './precedence.ts';
import { Problems } from './problems.ts';
import { destinationPort, registryFor, type Registry } from './registry.ts';
import type { MeshService } from './mesh-service.ts';
import { readServices } from './services.ts';
import { importsOf, sidecarFor, type Imports } from './visibility.ts';
import { readWorkloads, type AddressBook } from './workloads.ts';

export type Context = {
  readonly resources: ResourceSet;
  readonly node: ProxyNode;
  readonly mesh: MeshSettings;
  readonly problems: Problems;
  /** The Sidecar resource that applies. */
  readonly sidecar: Resource<SidecarSpec> | null;
  readonly imports: Imports;
  /** Every service of the mesh; `registry` has those this proxy knows. */
  readonly services: readonly MeshService[];
  readonly registry: Registry;
  readonly destinationRules: DestinationRules;
  readonly virtualServices: readonly Bound[];
  readonly meshRules: MeshRules;
  readonly book: AddressBook;
  readonly slices: SliceIndex;
};

/** What a pass adds to the snapshot. */
export type Part = {
  readonly listeners: readonly Listener[];
  readonly tables: readonly RouteTable[];
  readonly clusters: readonly Cluster[];
};

export function readContext(resources: ResourceSet, node: ProxyNode, settings: MeshSettings): Context {
  const problems = new Problems();
  const mesh = withMeshConfig(resources, settings, problems);
  const sidecar = sidecarFor(resources, node);
  const imports = importsOf(sidecar, node, mesh.domainSuffix);
  const services = readServices(resources, mesh);
  const virtualServices = visibleRules(resources, node, mesh.domainSuffix);
  return {
    resources,
    node,
    mesh,
    problems,
    sidecar,
    imports,
    services,
    registry: registryFor(services, node, imports),
    destinationRules: new DestinationRules(resources, node, mesh.domainSuffix),
    virtualServices,
    meshRules: meshRules(virtualServices, imports),
    book: readWorkloads(resources),
    slices: indexSlices(resources),
  };
}

/** The cluster of a destination written in `namespace`, where requests come to `port`. It may not exist: that answers 503 NC. */
export function clusterFor(c: Context, destination: Destination, namespace: string, port: number): ClusterName {
  const host = resolveHost(destination.host, namespace, c.mesh.domainSuffix);
  const number = destinationPort(c.registry.find(host), destination.port?.number, port);
  return outboundName(number, destination.subset ?? '', host);
}
