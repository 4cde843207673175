/** What a Gateway must keep to beyond its schema (Istio's ValidateGateway). */
import { isIp } from './format.ts';
import type { GatewayServer, GatewaySpec } from './gateway.ts';
import { checkUnique } from './host-check.ts';
import type { Report } from './report.ts';
import type { Check } from './schema.ts';
import { shown } from './shown.ts';
import type { ServerTls } from './tls-settings.ts';

export const checkGateway: Check<GatewaySpec> = ({ servers = [] }, report) => {
  if (servers.length === 0) report.at('servers').error('expected at least one server, got none');
  for (const [i, server] of servers.entries()) checkServer(server, report.at('servers', i));
  checkUnique(
    servers,
    ({ port }) => port.name,
    (i, name) => report.at('servers', i, 'port', 'name').error(`expected names that differ, got ${shown(name)} again`),
  );
  checkUnique(
    servers,
    ({ name }) => name,
    (i, name) => report.at('servers', i, 'name').error(`expected names that differ, got ${shown(name)} again`),
  );
};

const NO_TLS = "Lateen's gateways do not terminate or pass TLS so far; serve HTTP";
const HTTP_1 = "Lateen's gateways speak HTTP/1.1 so far";
const UNSUPPORTED: Readonly<Record<string, string>> = {
  HTTPS: NO_TLS,
  TLS: NO_TLS,
  GRPC: HTTP_1,
  'GRPC-WEB': HTTP_1,
  MONGO: HTTP_1,
  TCP: HTTP_1,
};
const PROTOCOLS = ['HTTP', 'HTTP2', ...Object.keys(UNSUPPORTED)];

function checkServer({ port, bind, tls }: GatewayServer, report: Report): void {
  const protocol = port.protocol.toUpperCase();
  const at = report.at('port', 'protocol');
  if (Object.hasOwn(UNSUPPORTED, protocol)) at.error(`${protocol} is not supported: ${UNSUPPORTED[protocol]}`);
  else if (!PROTOCOLS.includes(protocol))
    at.error(`expected one of ${PROTOCOLS.join(', ')}, got ${shown(port.protocol)}`);
  if (protocol === 'HTTP2') at.warning(`is served as HTTP: ${HTTP_1}`);
  if (bind !== undefined && !isIp(bind)) report.at('bind').error(`expected an IP address, got ${shown(bind)}`);
  checkTls(protocol, tls, report.at('tls'));
}

function checkTls(protocol: string, tls: ServerTls | undefined, report: Report): void {
  if (protocol === 'HTTPS' || protocol === 'TLS') {
    if (tls === undefined) report.error(`is required with protocol ${protocol}`);
    return;
  }
  const others = Object.keys(tls ?? {}).filter((name) => name !== 'httpsRedirect');
  for (const name of others)
    report.at(name).error('expected none: an HTTP server has no TLS settings but httpsRedirect');
}
