/** What tls and tcp routes of a VirtualService must keep to beyond their schema (Istio's validateTLSRoute, validateTCPRoute). */
import { dnsLabel, gatewayRef, isIp } from './format.ts';
import { checkDestination, checkHost } from './host-check.ts';
import { checkWeights } from './http-route-check.ts';
import type { Report } from './report.ts';
import { shown } from './shown.ts';
import type { RouteDestination, TcpRoute, TlsRoute } from './virtual-service.ts';

export function checkTlsRoute(route: TlsRoute, hosts: readonly string[], report: Report): void {
  checkDestinations(route.route, report);
  for (const [i, match] of route.match.entries()) {
    checkScope(match, report.at('match', i));
    for (const [j, name] of match.sniHosts.entries())
      checkServerName(name, hosts, report.at('match', i, 'sniHosts', j));
  }
}

export function checkTcpRoute(route: TcpRoute, report: Report): void {
  checkDestinations(route.route, report);
  for (const [i, match] of (route.match ?? []).entries()) checkScope(match, report.at('match', i));
}

function checkDestinations(destinations: readonly RouteDestination[] | undefined, report: Report): void {
  if (destinations === undefined || destinations.length === 0)
    report.at('route').error('is required: where connections go');
  for (const [i, { destination }] of (destinations ?? []).entries())
    checkDestination(destination, report.at('route', i, 'destination'));
  checkWeights(destinations ?? [], report.at('route'));
}

type Scope = { readonly sourceNamespace?: string; readonly gateways?: readonly string[] };

function checkScope({ sourceNamespace = '', gateways = [] }: Scope, report: Report): void {
  const expected = sourceNamespace === '' ? null : dnsLabel(sourceNamespace);
  if (expected !== null) report.at('sourceNamespace').error(`expected ${expected}, got ${shown(sourceNamespace)}`);
  for (const [i, name] of gateways.entries()) {
    const wrong = gatewayRef(name);
    if (wrong !== null) report.at('gateways', i).error(`expected ${wrong}, got ${shown(name)}`);
  }
}

function checkServerName(written: string, hosts: readonly string[], report: Report): void {
  checkHost(written, report, true);
  if (isIp(written)) return report.warning('is an address: a TLS hello carries names only');
  const name = written.toLowerCase();
  const within = hosts.some((given) => {
    const host = given.toLowerCase();
    return host === '*' || host === name || (host.startsWith('*') && name.endsWith(host.slice(1)));
  });
  if (!within) report.error(`expected a name within the hosts of the VirtualService, got ${shown(written)}`);
}
