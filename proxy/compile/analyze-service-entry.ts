/** ServiceEntries whose TCP ports can only be told apart by an address they do not give (IST0134). */
import type { ServiceEntrySpec } from '../istio/service-entry.ts';
import type { Findings } from './findings.ts';

const BY_NAME = new Set(['HTTP', 'HTTPS', 'HTTP2', 'GRPC', 'GRPC-WEB', 'TLS']);

export function analyzeServiceEntries(f: Findings): void {
  for (const entry of f.resources.list<ServiceEntrySpec>('ServiceEntry')) {
    if ((entry.spec.addresses?.length ?? 0) > 0) continue;
    for (const [i, port] of (entry.spec.ports ?? []).entries()) {
      if (BY_NAME.has((port.protocol ?? '').toUpperCase())) continue;
      const message = 'ServiceEntry addresses are required for this protocol.';
      f.problems.add('warning', entry, `spec.ports[${i}].protocol`, message, 'IST0134');
    }
  }
}
