/** Which subsets of which hosts VirtualServices send traffic to. */
import { destinationsOf } from './analyze-virtual-service.ts';
import type { Findings } from './findings.ts';
import { resolveHost } from './hosts.ts';

/** `host|subset`, with the full host. */
export function analyzeTargets(f: Findings): ReadonlySet<string> {
  const used = new Set<string>();
  for (const { resource } of f.virtualServices) {
    for (const { destination } of destinationsOf(resource)) {
      const host = resolveHost(destination.host, resource.metadata.namespace, f.mesh.domainSuffix);
      if (destination.subset !== undefined) used.add(`${host}|${destination.subset}`);
    }
  }
  return used;
}
