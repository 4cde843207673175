/** Opaque services without an address: redirected connections to their port can be for nobody else. Istio's analysis has no code for it. */
import type { Findings } from './findings.ts';
import { isAlias, isHeadless, type MeshService } from './mesh-service.ts';

export function analyzeTcpPorts(f: Findings): void {
  const anywhere = new Map<number, MeshService>();
  const http = new Map<number, MeshService>();
  for (const service of f.services)
    for (const { number, protocol } of service.ports)
      if (protocol === 'http' && !http.has(number)) http.set(number, service);
  for (const service of f.services) {
    const known = f.mesh.dnsCapture ? service.given.length : 0;
    if (isHeadless(service) || isAlias(service) || service.addresses.length + service.ranges.length + known > 0)
      continue;
    for (const [i, { number, protocol }] of service.ports.entries()) {
      if (protocol !== 'tcp') continue;
      const tell = (message: string): void =>
        f.problems.add('warning', service.resource, `spec.ports[${i}]`, `${message}; give ${service.host} addresses`);
      const older = anywhere.get(number);
      const beside = http.get(number);
      if (older === undefined) anywhere.set(number, service);
      else if (older.host !== service.host)
        tell(`port ${number} of any address is taken for ${named(older)}, so redirected connections go there`);
      if (beside !== undefined)
        tell(`port ${number} has HTTP, too (${named(beside)}), so connections wait until their client has spoken`);
    }
  }
}

const named = ({ host, resource: { kind, metadata } }: MeshService): string =>
  `${host} of ${kind} ${metadata.namespace}/${metadata.name}`;
