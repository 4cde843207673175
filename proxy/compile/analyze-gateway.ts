/** Gateways against the rest: nobody to serve them (IST0101), others that serve the same host and port (IST0145). */
import type { GatewaySpec } from '../istio/gateway.ts';
import type { Resource } from '../istio/resource.ts';
import { fullName, labelText, type Findings } from './findings.ts';
import { hasLabels } from './matches.ts';

export function analyzeGateways(f: Findings): void {
  const all = [...f.gateways.values()];
  for (const gateway of all) {
    checkSelector(f, gateway);
    checkConflicts(f, gateway, all);
  }
}

function checkSelector(f: Findings, gateway: Resource<GatewaySpec>): void {
  const selector = gateway.spec?.selector ?? {};
  if (f.pods.length === 0 || f.pods.some((p) => hasLabels(p.labels, selector))) return;
  const message = `Referenced selector not found: "${labelText(selector)}"`;
  f.problems.add('error', gateway, 'spec.selector', message, 'IST0101');
}

function checkConflicts(f: Findings, gateway: Resource<GatewaySpec>, all: readonly Resource<GatewaySpec>[]): void {
  const selector = gateway.spec?.selector ?? {};
  const alike = all.filter((other) => other !== gateway && sameLabels(selector, other.spec?.selector ?? {}));
  for (const [i, server] of (gateway.spec?.servers ?? []).entries()) {
    const rivals = alike.filter((other) =>
      (other.spec?.servers ?? []).some(
        (s) =>
          s.port.number === server.port.number &&
          (s.bind ?? '') === (server.bind ?? '') &&
          s.hosts.some((host) => server.hosts.includes(host)),
      ),
    );
    if (rivals.length === 0) continue;
    const names = rivals.map(fullName).join(',');
    const message = `Conflict with gateways ${names} (workload selector ${labelText(selector)}, port ${server.port.number}, hosts ${server.hosts.join(',')}).`;
    f.problems.add('error', gateway, `spec.servers[${i}]`, message, 'IST0145');
  }
}

type Labels = Readonly<Record<string, string>>;
const sameLabels = (a: Labels, b: Labels): boolean => hasLabels(a, b) && hasLabels(b, a);
