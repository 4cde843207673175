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

const HTTP_1 = "Lateen's gateways speak HTTP/1.1 so far";
const NO_TLS = "Lateen's gateways do not terminate TLS so far; serve HTTP, or pass TLS through (mode PASSTHROUGH)";
const UNSUPPORTED: Readonly<Record<string, string>> = { GRPC: HTTP_1, 'GRPC-WEB': HTTP_1 };
const PROTOCOLS = ['HTTP', 'HTTPS', 'HTTP2', 'GRPC', 'GRPC-WEB', 'TLS', 'TCP', 'MONGO', 'MYSQL', 'REDIS'];

function checkServer({ port, bind, tls }: GatewayServer, report: Report): void {
  const protocol = port.protocol.toUpperCase();
  const at = report.at('port', 'protocol');
  if (Object.hasOwn(UNSUPPORTED, protocol)) at.error(`${protocol} is not supported: ${UNSUPPORTED[protocol]}`);
  else if (!PROTOCOLS.includes(protocol))
    at.error(`expected one of ${PROTOCOLS.join(', ')}, got ${shown(port.protocol)}`);
  if (protocol === 'HTTP2') at.warning(`is served as HTTP: ${HTTP_1}`);
  if (bind !== undefined && !isIp(bind)) report.at('bind').error(`expected an IP address, got ${shown(bind)}`);
  if (protocol === 'HTTPS' || protocol === 'TLS') checkPassthrough(protocol, tls, report);
  else checkPlain(protocol, tls, report.at('tls'));
}

function checkPassthrough(protocol: string, tls: ServerTls | undefined, report: Report): void {
  if (tls === undefined) return report.at('tls').error(`is required with protocol ${protocol}`);
  const { mode = 'PASSTHROUGH', httpsRedirect, ...others } = tls;
  if (mode === 'AUTO_PASSTHROUGH') {
    report.at('tls', 'mode').error('AUTO_PASSTHROUGH is not supported: it is for gateways between clusters');
  } else if (mode !== 'PASSTHROUGH') {
    report.at('port', 'protocol').error(`${protocol} is not supported: ${NO_TLS}`);
  } else {
    for (const name of Object.keys(others))
      report.at('tls', name).warning('has no effect: with mode PASSTHROUGH the server behind the gateway does TLS');
  }
  if (httpsRedirect === true) report.at('tls', 'httpsRedirect').warning('has no effect: only plain HTTP is redirected');
}

function checkPlain(protocol: string, tls: ServerTls | undefined, report: Report): void {
  const http = protocol === 'HTTP' || protocol === 'HTTP2';
  for (const name of Object.keys(tls ?? {})) {
    if (http && name !== 'httpsRedirect')
      report.at(name).error('expected none: an HTTP server has no TLS settings but httpsRedirect');
    if (!http) report.at(name).error(`expected none: TLS settings need protocol HTTPS or TLS, got ${protocol}`);
  }
}
