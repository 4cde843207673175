/** VirtualServices against the rest: hosts, subsets and gateways they refer to (IST0101), ports left open (IST0112), rivals (IST0109). */
import type { Destination } from '../istio/selector.ts';
import type { Resource } from '../istio/resource.ts';
import type { VirtualServiceSpec } from '../istio/virtual-service.ts';
import { fullName, serviceOf, type Findings, type VirtualServiceView } from './findings.ts';
import { hostMatches, isWildcard, resolveHost } from './hosts.ts';

export function analyzeVirtualServices(f: Findings): void {
  const subsets = subsetsByHost(f);
  for (const view of f.virtualServices) {
    for (const target of destinationsOf(view.resource)) checkDestination(f, view, target, subsets);
    checkGateways(f, view);
  }
  checkRivals(f);
}

export type Target = { readonly destination: Destination; readonly path: string };

/** Every destination a VirtualService names, and where. */
export function destinationsOf({ spec }: Resource<VirtualServiceSpec>): readonly Target[] {
  const found: Target[] = [];
  for (const kind of ['http', 'tls', 'tcp'] as const) {
    for (const [i, rule] of (spec?.[kind] ?? []).entries()) {
      for (const [j, route] of (rule.route ?? []).entries()) {
        found.push({ destination: route.destination, path: `spec.${kind}[${i}].route[${j}].destination` });
      }
    }
  }
  for (const [i, rule] of (spec?.http ?? []).entries()) {
    if (rule.mirror !== undefined) found.push({ destination: rule.mirror, path: `spec.http[${i}].mirror` });
    for (const [j, mirror] of (rule.mirrors ?? []).entries()) {
      found.push({ destination: mirror.destination, path: `spec.http[${i}].mirrors[${j}].destination` });
    }
  }
  return found;
}

/** Whether some DestinationRule for the host has the subset. */
type Subsets = (host: string, subset: string) => boolean;

function subsetsByHost(f: Findings): Subsets {
  const names = new Map<string, Set<string>>();
  for (const { host, resource } of f.destinationRules) {
    const known = names.get(host) ?? new Set();
    names.set(host, known);
    for (const { name } of resource.spec.subsets ?? []) known.add(name);
  }
  const wild = [...names].filter(([host]) => isWildcard(host));
  return (host, subset) =>
    names.get(host)?.has(subset) === true || wild.some(([w, known]) => hostMatches(w, host) && known.has(subset));
}

function checkDestination(
  f: Findings,
  view: VirtualServiceView,
  { destination, path }: Target,
  subsets: Subsets,
): void {
  const { resource } = view;
  const { host: written, subset = '' } = destination;
  const host = resolveHost(written, resource.metadata.namespace, f.mesh.domainSuffix);
  const service = serviceOf(f, host);
  if (service === undefined && f.services.length > 0) {
    f.problems.add('error', resource, `${path}.host`, `Referenced host not found: "${written}"`, 'IST0101');
    return;
  }
  if (subset !== '' && !subsets(host, subset)) {
    const message = `Referenced host+subset in destinationrule not found: "${written}+${subset}"`;
    f.problems.add('error', resource, `${path}.subset`, message, 'IST0101');
  }
  const ports = service?.ports ?? [];
  if (ports.length < 2 || destination.port !== undefined) return;
  const numbers = ports.map((p) => p.number).join(', ');
  const message = `This VirtualService routes to a service "${written}" that exposes multiple ports [${numbers}]. Specifying a port in the destination is required to disambiguate.`;
  f.problems.add('error', resource, path, message, 'IST0112');
}

function checkGateways(f: Findings, { resource, gateways, hosts }: VirtualServiceView): void {
  for (const [i, name] of gateways.entries()) {
    if (name === 'mesh') continue;
    const gateway = f.gateways.get(name);
    if (gateway === undefined) {
      const written = resource.spec.gateways?.[i] ?? name;
      f.problems.add('error', resource, `spec.gateways[${i}]`, `Referenced gateway not found: "${written}"`, 'IST0101');
      continue;
    }
    const served = (gateway.spec?.servers ?? []).flatMap((s) => s.hosts.map((h) => h.slice(h.indexOf('/') + 1)));
    const missing = hosts.filter((h) => !served.some((s) => hostMatches(s, h) || hostMatches(h, s)));
    if (missing.length === 0) continue;
    const message = `one or more host [${missing.join(', ')}] defined in VirtualService ${fullName(resource)} not found in Gateway ${name}.`;
    f.problems.add('warning', resource, 'spec.hosts', message, 'IST0132');
  }
}

/** Two for the same host of the mesh, where some namespace sees both: the older wins, and the other does nothing. */
function checkRivals(f: Findings): void {
  const byHost = new Map<string, VirtualServiceView[]>();
  for (const view of f.virtualServices) {
    if (!view.gateways.includes('mesh')) continue;
    for (const host of new Set(view.hosts)) byHost.set(host, [...(byHost.get(host) ?? []), view]);
  }
  for (const [host, views] of byHost) {
    for (const view of views) {
      const rivals = views.filter((other) => other === view || meet(view, other));
      if (rivals.length < 2) continue;
      const names = rivals.map((r) => fullName(r.resource)).join(',');
      const message = `The VirtualServices ${names} associated with mesh gateway define the same host ${host} which can lead to undefined behavior. This can be fixed by merging the conflicting VirtualServices into a single resource.`;
      f.problems.add('error', view.resource, 'spec.hosts', message, 'IST0109');
    }
  }
}

function meet(a: VirtualServiceView, b: VirtualServiceView): boolean {
  const [one, other] = [reach(a), reach(b)];
  return one.has('*') || other.has('*') || !one.isDisjointFrom(other);
}

const reach = ({ resource }: VirtualServiceView): ReadonlySet<string> => {
  const exportTo = resource.spec.exportTo ?? [];
  return new Set(exportTo.length === 0 ? ['*'] : exportTo.map((to) => (to === '.' ? resource.metadata.namespace : to)));
};
