/**
 * What is valid alone but wrong together: Istio's analyzer messages with their codes (istio.io/latest/docs/reference/config/analysis).
 * Pure and total. What cannot be told, because the kind that would tell is not among the resources at all, is not reported.
 */
import type { Problem } from '../istio/problem.ts';
import type { ResourceSet } from '../istio/resource.ts';
import { analyzeDestinationRules } from './analyze-destination-rule.ts';
import { analyzeGateways } from './analyze-gateway.ts';
import { analyzeMixer } from './analyze-mixer.ts';
import { analyzeSelectors, analyzeSidecars } from './analyze-selector.ts';
import { analyzeReach } from './analyze-reach.ts';
import { analyzeVirtualServices } from './analyze-virtual-service.ts';
import { analyzeServiceEntries } from './analyze-service-entry.ts';
import { analyzeTcpPorts } from './analyze-tcp-port.ts';
import { analyzeTelemetries } from './analyze-telemetry.ts';
import type { MeshSettings } from './defaults.ts';
import { readFindings } from './findings.ts';
import { separate } from './separate.ts';

const ANALYZERS = [
  analyzeVirtualServices,
  analyzeReach,
  analyzeDestinationRules,
  analyzeGateways,
  analyzeServiceEntries,
  analyzeTcpPorts,
  analyzeSidecars,
  analyzeSelectors,
  analyzeMixer,
  analyzeTelemetries,
] as const;

export function analyze(resources: ResourceSet, mesh: MeshSettings): readonly Problem[] {
  try {
    return run(resources, mesh);
  } catch {
    // Something came past validation; what is wrong with it is told, and the rest is looked at without it.
    const { sound, problems } = separate(resources);
    return [...problems, ...run(sound, mesh)];
  }
}

function run(resources: ResourceSet, mesh: MeshSettings): readonly Problem[] {
  const findings = readFindings(resources, mesh);
  for (const analyzer of ANALYZERS) analyzer(findings);
  return findings.problems.list;
}
