/** What a Sidecar must keep to beyond its schema (Istio's ValidateSidecar). */
import { checkConnectionPool } from './destination-rule-check.ts';
import { dnsLabel, isIp, wildcardHost } from './format.ts';
import { checkDestination, checkUnique } from './host-check.ts';
import type { Report } from './report.ts';
import type { Check } from './schema.ts';
import { checkProtocol } from './service-entry-check.ts';
import { shown } from './shown.ts';
import type { SidecarEgress, SidecarIngress, SidecarSpec } from './sidecar.ts';

export const checkSidecar: Check<SidecarSpec> = (spec, report) => {
  const { ingress = [], egress = [], outboundTrafficPolicy, inboundConnectionPool } = spec;
  const says =
    ingress.length > 0 || egress.length > 0 || (outboundTrafficPolicy ?? inboundConnectionPool) !== undefined;
  if (!says) report.error('expected ingress, egress, outboundTrafficPolicy or inboundConnectionPool, got none of them');
  for (const [i, listener] of ingress.entries()) checkIngress(listener, report.at('ingress', i));
  checkUnique(
    ingress,
    ({ bind = '', port }) => `${bind}:${port.number}`,
    (i) => report.at('ingress', i, 'port').error(`expected ports that differ, got ${ingress[i]!.port.number} again`),
  );
  checkEgressOrder(egress, report.at('egress'));
  for (const [i, listener] of egress.entries()) checkEgress(listener, report.at('egress', i));
  checkOutboundPolicy(outboundTrafficPolicy, report.at('outboundTrafficPolicy'));
  if (inboundConnectionPool !== undefined)
    checkConnectionPool(inboundConnectionPool, report.at('inboundConnectionPool'));
};

function checkOutboundPolicy(policy: SidecarSpec['outboundTrafficPolicy'], report: Report): void {
  if (policy?.egressProxy === undefined) return;
  const { mode = 'REGISTRY_ONLY', egressProxy } = policy;
  const at = report.at('egressProxy');
  if (mode !== 'ALLOW_ANY') at.error(`expected none with mode ${mode}: unknown traffic goes nowhere then`);
  if (egressProxy.port === undefined) at.at('port').error('is required: the port of the egress proxy');
  checkDestination(egressProxy, at);
}

function checkIngress({ port, bind, defaultEndpoint, connectionPool }: SidecarIngress, report: Report): void {
  checkProtocol(port.protocol, report.at('port', 'protocol'));
  if (connectionPool !== undefined) checkConnectionPool(connectionPool, report.at('connectionPool'));
  if (bind?.startsWith('unix:') === true)
    report.at('bind').error('expected an IP address: what comes in cannot come by a unix socket');
  if (defaultEndpoint === undefined || defaultEndpoint === '') return;
  const local = /^(?:127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\[::\]):([1-9]\d{0,4})$/.exec(defaultEndpoint);
  const fits = local === null ? /^unix:\/\/[/@]./.test(defaultEndpoint) : Number(local[1]) <= 65_535;
  if (!fits)
    report
      .at('defaultEndpoint')
      .error(
        `expected 127.0.0.1:PORT, 0.0.0.0:PORT, [::1]:PORT, [::]:PORT or unix:///path, got ${shown(defaultEndpoint)}`,
      );
}

/** The listener without a port is for all that the others leave, so there is one, at the end. */
function checkEgressOrder(egress: readonly SidecarEgress[], report: Report): void {
  for (const [i, { port, bind }] of egress.entries()) {
    if (port === undefined && i < egress.length - 1)
      report.at(i, 'port').error('is required: only the last listener may be without a port');
    if (port === undefined && bind !== undefined && bind !== '') report.at(i, 'port').error('is required beside bind');
  }
  checkUnique(
    egress,
    ({ port, bind = '' }) =>
      port === undefined ? undefined : bind.startsWith('unix:') ? bind : `${bind}:${port.number}`,
    (i) => report.at(i, 'port').error(`expected ports that differ, got ${egress[i]!.port?.number} again`),
  );
}

function checkEgress({ port, bind = '', captureMode, hosts }: SidecarEgress, report: Report): void {
  checkProtocol(port?.protocol, report.at('port', 'protocol'));
  const unix = bind.startsWith('unix://');
  if (bind !== '' && !unix && !isIp(bind))
    report.at('bind').error(`expected an IP address or unix:///path, got ${shown(bind)}`);
  if (unix && captureMode !== undefined && captureMode !== 'NONE')
    report.at('captureMode').error(`expected NONE with a unix socket, got ${captureMode}`);
  if (hosts.length === 0) report.at('hosts').error('expected at least one host such as `./*`, got none');
  for (const [i, host] of hosts.entries()) checkEgressHost(host, report.at('hosts', i));
  checkUnique(
    hosts,
    (host) => host,
    (i, host) => report.at('hosts', i).warning(`has no effect: ${shown(host)} stands above already`),
  );
  if (hosts.length > 1 && hosts.includes('*/*'))
    report.at('hosts').warning('has a host `*/*`, which includes all others');
}

function checkEgressHost(host: string, report: Report): void {
  const [namespace = '', name, ...rest] = host.split('/');
  // `~ns/host` takes hosts away again.
  const bare = namespace.startsWith('~') && namespace.length > 1 ? namespace.slice(1) : namespace;
  const scoped = ['*', '.', '~'].includes(bare) || dnsLabel(bare) === null;
  if (name === undefined || rest.length > 0 || !scoped || wildcardHost(name) !== null) {
    report.error(
      `expected \`namespace/dnsName\` such as \`./*\` or \`*/reviews.default.svc.cluster.local\`, got ${shown(host)}`,
    );
  }
}
