/** What the analyzers look at, and where they put what they find. */
import type { DeploymentSpec } from '../istio/kubernetes-pod.ts';
import type { DestinationRuleSpec } from '../istio/destination-rule.ts';
import type { GatewaySpec } from '../istio/gateway.ts';
import type { Resource, ResourceSet } from '../istio/resource.ts';
import type { VirtualServiceSpec } from '../istio/virtual-service.ts';
import type { MeshSettings } from './defaults.ts';
import { HostMap, resolveHost } from './hosts.ts';
import { hasLabels, resolveGateway } from './matches.ts';
import { Problems } from './problems.ts';
import type { MeshService } from './mesh-service.ts';
import { readServices } from './services.ts';
import { readWorkloads } from './workloads.ts';

export type Labels = Readonly<Record<string, string>>;
/** Labels under which instances run, or are to run. */
export type Instances = { readonly namespace: string; readonly name: string; readonly labels: Labels };

export type VirtualServiceView = {
  readonly resource: Resource<VirtualServiceSpec>;
  readonly hosts: readonly string[];
  readonly gateways: readonly string[];
};
export type DestinationRuleView = { readonly resource: Resource<DestinationRuleSpec>; readonly host: string };

export type Findings = {
  readonly resources: ResourceSet;
  readonly mesh: MeshSettings;
  readonly problems: Problems;
  readonly services: readonly MeshService[];
  readonly byHost: HostMap<MeshService>;
  readonly virtualServices: readonly VirtualServiceView[];
  readonly destinationRules: readonly DestinationRuleView[];
  /** By `namespace/name`. */
  readonly gateways: ReadonlyMap<string, Resource<GatewaySpec>>;
  /** Pods and WorkloadEntries that are there. */
  readonly pods: readonly Instances[];
  /** The same, and what Deployments are to make. */
  readonly instances: readonly Instances[];
};

export function readFindings(resources: ResourceSet, mesh: MeshSettings): Findings {
  const full = (host: string, { metadata }: Resource): string =>
    resolveHost(host, metadata.namespace, mesh.domainSuffix);
  const book = readWorkloads(resources);
  const pods = [...resources.list('Pod'), ...resources.list('WorkloadEntry')]
    .map((r) => r.metadata.namespace)
    .filter((namespace, i, all) => all.indexOf(namespace) === i)
    .flatMap((namespace) => book.inNamespace(namespace));
  const planned = resources.list<DeploymentSpec>('Deployment').map(({ metadata, spec }) => ({
    namespace: metadata.namespace,
    name: metadata.name,
    labels: spec.template.metadata?.labels ?? {},
  }));
  const services = readServices(resources, mesh);
  const byHost = new HostMap<MeshService>();
  for (const service of services) byHost.add(service.host, service);
  return {
    resources,
    mesh,
    problems: new Problems(),
    services,
    byHost,
    virtualServices: resources.list<VirtualServiceSpec>('VirtualService').map((resource) => ({
      resource,
      hosts: (resource.spec?.hosts ?? []).map((host) => full(host, resource)),
      gateways: (resource.spec?.gateways?.length ? resource.spec.gateways : ['mesh']).map((name) =>
        resolveGateway(name, resource.metadata.namespace),
      ),
    })),
    destinationRules: resources
      .list<DestinationRuleSpec>('DestinationRule')
      .map((resource) => ({ resource, host: full(resource.spec.host, resource) })),
    gateways: new Map(
      resources
        .list<GatewaySpec>('Gateway')
        .map((gateway) => [`${gateway.metadata.namespace}/${gateway.metadata.name}`, gateway]),
    ),
    pods,
    instances: [...pods, ...planned],
  };
}

/** The service of a host: itself, else a wildcard one that covers it. */
export const serviceOf = ({ byHost }: Findings, host: string): MeshService | undefined => byHost.find(host);

/** Labels of the endpoints of a service: of the workloads it selects, or of those it lists. Null: it cannot be told. */
export function endpointLabels({ instances }: Findings, service: MeshService): readonly Labels[] | null {
  if (service.backing.kind === 'listed') return service.backing.endpoints.map((e) => e.labels ?? {});
  const { selector } = service;
  if (selector === null || instances.length === 0) return null;
  return instances
    .filter((i) => i.namespace === service.namespace && hasLabels(i.labels, selector))
    .map((i) => i.labels);
}

/** `app=reviews,version=v1` */
export const labelText = (labels: Labels): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');

export const fullName = ({ metadata }: Resource): string => `${metadata.namespace}/${metadata.name}`;
