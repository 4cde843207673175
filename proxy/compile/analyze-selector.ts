/** Selectors that select nobody (IST0127), and Sidecars that select the same workloads (IST0110, IST0111). */
import type { Resource } from '../istio/resource.ts';
import type { SidecarSpec } from '../istio/sidecar.ts';
import type { WorkloadSelector } from '../istio/selector.ts';
import { fullName, labelText, type Findings } from './findings.ts';
import { hasLabels } from './matches.ts';

const KINDS = ['AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication', 'Telemetry', 'CustomTelemetry'];

export function analyzeSelectors(f: Findings): void {
  if (f.instances.length === 0) return;
  for (const kind of KINDS) {
    for (const policy of f.resources.list<{ readonly selector?: WorkloadSelector }>(kind)) {
      const wanted = policy.spec?.selector?.matchLabels ?? {};
      if (Object.keys(wanted).length === 0) continue;
      const { namespace } = policy.metadata;
      const scope =
        namespace === f.mesh.rootNamespace ? f.instances : f.instances.filter((i) => i.namespace === namespace);
      if (scope.some((i) => hasLabels(i.labels, wanted))) continue;
      const message = `No matching workloads for this resource with the following labels: ${labelText(wanted)}`;
      f.problems.add('warning', policy, 'spec.selector', message, 'IST0127');
    }
  }
}

type Sidecar = Resource<SidecarSpec>;

export function analyzeSidecars(f: Findings): void {
  const byNamespace = Map.groupBy(f.resources.list<SidecarSpec>('Sidecar'), (s) => s.metadata.namespace);
  for (const [namespace, sidecars] of byNamespace) {
    const general = sidecars.filter((s) => labelsOf(s) === null);
    if (general.length > 1) {
      const message = `The Sidecars [${general.map(fullName).join(' ')}] in namespace "${namespace}" have no workload selector, which can lead to undefined behavior.`;
      for (const sidecar of general) f.problems.add('error', sidecar, '', message, 'IST0111');
    }
    const selecting = sidecars.filter((s) => labelsOf(s) !== null);
    // Each set of rivals once, with the first pod it shows in.
    const told = new Set<string>();
    for (const pod of f.instances.filter((i) => i.namespace === namespace)) {
      const rivals = selecting.filter((s) => hasLabels(pod.labels, labelsOf(s) ?? {}));
      const names = rivals.map(fullName).join(' ');
      if (rivals.length < 2 || told.has(names)) continue;
      told.add(names);
      const message = `The Sidecars [${names}] in namespace "${namespace}" select the same workload pod "${pod.name}.${namespace}", which can lead to undefined behavior.`;
      for (const sidecar of rivals) f.problems.add('error', sidecar, 'spec.workloadSelector', message, 'IST0110');
    }
  }
}

function labelsOf({ spec }: Sidecar): Readonly<Record<string, string>> | null {
  const labels = spec?.workloadSelector?.labels ?? {};
  return Object.keys(labels).length === 0 ? null : labels;
}
