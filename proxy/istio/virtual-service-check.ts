/** What a VirtualService must keep to beyond its schema (Istio's ValidateVirtualService). */
import { checkExportTo, checkHost, overlap } from './host-check.ts';
import type { HttpMatchRequest } from './http-match.ts';
import { checkTcpRoute, checkTlsRoute } from './connection-route-check.ts';
import { checkHttpRoute } from './http-route-check.ts';
import type { Report } from './report.ts';
import type { Check } from './schema.ts';
import { shown } from './shown.ts';
import type { HttpRoute, VirtualServiceSpec } from './virtual-service.ts';

export const checkVirtualService: Check<VirtualServiceSpec> = (spec, report, meta) => {
  checkHosts(spec, report.at('hosts'));
  checkExportTo(spec.exportTo, report, meta);
  const { http = [], tls = [], tcp = [] } = spec;
  if (http.length + tls.length + tcp.length === 0) report.error('expected http, tls or tcp rules, got none');
  for (const [i, route] of http.entries()) checkHttpRoute(route, report.at('http', i));
  for (const [i, route] of tls.entries()) checkTlsRoute(route, spec.hosts ?? [], report.at('tls', i));
  for (const [i, route] of tcp.entries()) checkTcpRoute(route, report.at('tcp', i));
  warnUnreachable(http, report.at('http'));
};

function checkHosts({ hosts = [], gateways = ['mesh'] }: VirtualServiceSpec, report: Report): void {
  if (hosts.length === 0)
    report.error('expected at least one host; VirtualServices without hosts (delegates) are not supported so far');
  const onMesh = gateways.length === 0 || gateways.includes('mesh');
  for (const [i, host] of hosts.entries()) {
    checkHost(host, report.at(i), true);
    if (host === '*' && onMesh)
      report.at(i).error('expected a narrower host: `*` is not allowed for sidecars (gateway `mesh`)');
    const other = hosts.slice(0, i).find((earlier) => overlap(earlier, host));
    if (other !== undefined)
      report.at(i).error(`expected hosts that do not overlap, got ${shown(host)} beside ${shown(other)}`);
  }
}

/** Routes that no request can come to (Istio's IST0130 and IST0131). */
function warnUnreachable(routes: readonly HttpRoute[], report: Report): void {
  let everything: number | null = null;
  const before = new Map<string, string>();
  for (const [i, route] of routes.entries()) {
    if (everything !== null) {
      report
        .at(i)
        .warning(`is never used: rule ${nameOf(routes[everything]!, everything)} before it matches everything`);
      continue;
    }
    const matches = route.match ?? [];
    for (const [j, match] of matches.entries()) {
      const key = JSON.stringify({ ...match, name: undefined });
      const earlier = before.get(key);
      if (earlier !== undefined)
        report.at(i, 'match', j).warning(`is never used: rule ${earlier} before it has the same match`);
      else before.set(key, nameOf(route, i));
    }
    if (matches.length === 0 || matches.some(isCatchAll)) everything = i;
  }
}

const nameOf = (route: HttpRoute, index: number): string =>
  route.name === undefined ? `http[${index}]` : shown(route.name);

/** Only a uri that every path fits, or nothing at all. */
function isCatchAll({ name: _name, uri, ...others }: HttpMatchRequest): boolean {
  const every = uri === undefined || uri.prefix === '/' || uri.prefix === '' || uri.regex === '.*';
  return every && Object.keys(others).length === 0;
}
