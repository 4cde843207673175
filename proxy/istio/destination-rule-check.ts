/** What a DestinationRule must keep to beyond its schema (Istio's ValidateDestinationRule). */
import type { ConnectionPool } from './connection-pool.ts';
import type { DestinationRuleSpec, TrafficPolicy } from './destination-rule.ts';
import { dnsLabel, isIp } from './format.ts';
import { checkExportTo, checkHost, checkUnique } from './host-check.ts';
import { checkLoadBalancer, checkOutlierDetection } from './load-balancer-check.ts';
import type { Report } from './report.ts';
import type { Check } from './schema.ts';
import { shown } from './shown.ts';
import type { ClientTls } from './tls-settings.ts';

export const checkDestinationRule: Check<DestinationRuleSpec> = (spec, report, meta) => {
  if (isIp(spec.host)) report.at('host').error(`expected the name of a service, got the address ${spec.host}`);
  else checkHost(spec.host, report.at('host'));
  checkExportTo(spec.exportTo, report, meta);
  const visible = spec.exportTo ?? [];
  const own = visible.every((entry) => entry === '.' || entry === meta.namespace);
  if (spec.workloadSelector !== undefined && !own) {
    report
      .at('exportTo')
      .error(
        `expected \`.\` beside a workloadSelector, which selects callers of this namespace, got ${visible.join(', ')}`,
      );
  }
  if (spec.trafficPolicy !== undefined) checkTrafficPolicy(spec.trafficPolicy, report.at('trafficPolicy'));
  for (const [i, { name, trafficPolicy }] of (spec.subsets ?? []).entries()) {
    const at = report.at('subsets', i);
    const expected = dnsLabel(name.toLowerCase());
    if (expected !== null) at.at('name').error(`expected letters, digits and \`-\`, at most 63, got ${shown(name)}`);
    if (trafficPolicy !== undefined) checkTrafficPolicy(trafficPolicy, at.at('trafficPolicy'));
  }
  checkUnique(
    spec.subsets ?? [],
    ({ name }) => name,
    (i, name) => report.at('subsets', i, 'name').error(`expected names that differ, got ${shown(name)} again`),
  );
};

function checkTrafficPolicy(policy: TrafficPolicy, report: Report): void {
  if (Object.keys(policy).length === 0) report.error('expected at least one setting, got none');
  if (policy.tunnel !== undefined && policy.proxyProtocol !== undefined)
    report.error('expected tunnel or proxyProtocol, got both');
  checkSettings(policy, report);
  for (const [i, { port, ...settings }] of (policy.portLevelSettings ?? []).entries()) {
    const at = report.at('portLevelSettings', i);
    if (Object.keys(settings).length === 0) at.error(`expected at least one setting for port ${port.number}, got none`);
    checkSettings(settings, at);
  }
  checkUnique(
    policy.portLevelSettings ?? [],
    ({ port }) => String(port.number),
    (i, number) =>
      report
        .at('portLevelSettings', i, 'port')
        .warning(`has no effect: settings for port ${number} stand above already`),
  );
}

type Settings = Pick<TrafficPolicy, 'loadBalancer' | 'connectionPool' | 'outlierDetection' | 'tls'>;

function checkSettings({ loadBalancer, connectionPool, outlierDetection, tls }: Settings, report: Report): void {
  if (loadBalancer !== undefined)
    checkLoadBalancer(loadBalancer, outlierDetection !== undefined, report.at('loadBalancer'));
  if (connectionPool !== undefined) checkConnectionPool(connectionPool, report.at('connectionPool'));
  if (outlierDetection !== undefined) checkOutlierDetection(outlierDetection, report.at('outlierDetection'));
  if (tls !== undefined) checkClientTls(tls, report.at('tls'));
}

export function checkConnectionPool({ tcp, http }: ConnectionPool, report: Report): void {
  if (tcp === undefined && http === undefined) report.error('expected tcp or http, got neither');
  if (http?.useClientProtocol === true && http.h2UpgradePolicy === 'UPGRADE') {
    report.at('http').error('expected useClientProtocol or h2UpgradePolicy UPGRADE, got both');
  }
  const { interval, timeout } = http?.http2KeepAlive ?? {};
  if (http?.http2KeepAlive !== undefined && (interval === undefined || timeout === undefined)) {
    report.at('http', 'http2KeepAlive').error('expected interval and timeout, got one of them or none');
  }
  if ((http?.maxRequestsPerConnection ?? 0) > 2 ** 29) {
    report
      .at('http', 'maxRequestsPerConnection')
      .error(`expected at most ${2 ** 29}, got ${http?.maxRequestsPerConnection}`);
  }
}

function checkClientTls(tls: ClientTls, report: Report): void {
  const { mode = 'DISABLE', clientCertificate, privateKey, caCertificates, subjectAltNames = [], sni } = tls;
  if (mode === 'MUTUAL') {
    if (clientCertificate === undefined)
      report.at('clientCertificate').error('is required with mode MUTUAL: file with the client certificate');
    if (privateKey === undefined)
      report.at('privateKey').error('is required with mode MUTUAL: file with the private key');
  }
  if (mode === 'ISTIO_MUTUAL') {
    const given = Object.entries({ clientCertificate, privateKey, caCertificates, sni }).filter(
      ([name, value]) => name !== 'sni' && value !== undefined,
    );
    for (const [name] of given) report.at(name).error('expected none: mode ISTIO_MUTUAL has certificates of its own');
  }
  if (tls.insecureSkipVerify === true && (caCertificates !== undefined || subjectAltNames.length > 0)) {
    report
      .at('insecureSkipVerify')
      .error('expected false beside caCertificates or subjectAltNames, which it would leave unchecked');
  }
  if (sni !== undefined && isIp(sni)) report.at('sni').error(`expected a server name, got the address ${sni}`);
}
