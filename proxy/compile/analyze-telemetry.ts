/** Telemetry resources that are for the same workloads (IST0159), or for the same namespace (IST0160): of the latter the oldest counts alone. */
import type { Resource } from '../istio/resource.ts';
import type { TelemetrySpec } from '../istio/telemetry.ts';
import { fullName, type Findings } from './findings.ts';
import { hasLabels } from './matches.ts';

type Telemetry = Resource<TelemetrySpec>;

export function analyzeTelemetries(f: Findings): void {
  const byNamespace = Map.groupBy(f.resources.list<TelemetrySpec>('Telemetry'), (t) => t.metadata.namespace);
  for (const [namespace, telemetries] of byNamespace) {
    const general = telemetries.filter((t) => !selects(t));
    if (general.length > 1) {
      const message = `The Telemetries [${general.map(fullName).join(' ')}] in namespace "${namespace}" have no workload selector, which can lead to undefined behavior.`;
      for (const telemetry of general) f.problems.add('error', telemetry, '', message, 'IST0160');
    }
    // Each set of rivals once, with the first pod it shows in.
    const told = new Set<string>();
    for (const pod of f.instances.filter((i) => i.namespace === namespace)) {
      const rivals = telemetries.filter((t) => selects(t) && hasLabels(pod.labels, t.spec?.selector?.matchLabels));
      const names = rivals.map(fullName).join(' ');
      if (rivals.length < 2 || told.has(names)) continue;
      told.add(names);
      const message = `The Telemetries [${names}] in namespace "${namespace}" select the same workload pod "${pod.name}", which can lead to undefined behavior.`;
      for (const telemetry of rivals) f.problems.add('error', telemetry, 'spec.selector', message, 'IST0159');
    }
  }
}

const selects = ({ spec }: Telemetry): boolean => Object.keys(spec?.selector?.matchLabels ?? {}).length > 0;
