/** What ServiceEntries and WorkloadEntries must keep to beyond their schemas (Istio's ValidateServiceEntry). */
import { fqdn, isIp } from './format.ts';
import { checkExportTo, checkHost, checkUnique } from './host-check.ts';
import type { Report } from './report.ts';
import type { Check } from './schema.ts';
import type { ServiceEntrySpec } from './service-entry.ts';
import { shown } from './shown.ts';
import type { WorkloadEntrySpec, WorkloadGroupSpec } from './workload-entry.ts';

/** Protocols that carry a name (Host or SNI) and so tell several hosts apart. */
const NAMED = ['HTTP', 'HTTPS', 'HTTP2', 'GRPC', 'GRPC-WEB', 'TLS'];
export const PROTOCOLS = [...NAMED, 'TCP', 'UDP', 'MONGO', 'REDIS', 'MYSQL', 'HTTP_PROXY'];

export const checkServiceEntry: Check<ServiceEntrySpec> = (spec, report, meta) => {
  checkExportTo(spec.exportTo, report, meta, true);
  const { hosts, addresses = [], ports = [], resolution = 'NONE', endpoints = [] } = spec;
  for (const [i, host] of hosts.entries()) {
    checkHost(host, report.at('hosts', i));
    if (!host.includes('.'))
      report
        .at('hosts', i)
        .warning('is a short name and is completed to NAME.NAMESPACE.svc.cluster.local; better a full one');
  }
  for (const [i, address] of addresses.entries()) {
    const outside = address.includes('/') && resolution !== 'NONE' && resolution !== 'STATIC';
    if (outside)
      report
        .at('addresses', i)
        .error(`expected an address: ranges need resolution NONE or STATIC, got ${shown(address)}`);
  }
  checkPorts(spec, report.at('ports'));
  const plain = ports.some(({ protocol = 'TCP' }) => !NAMED.includes(protocol.toUpperCase()));
  if (plain && hosts.length > 1 && resolution !== 'NONE')
    report.at('hosts').error('expected one host, or HTTP or TLS ports alone: TCP does not tell hosts apart');
  // Without addresses it warns, too: that is told by analysis, which knows whether names have addresses of their own (IST0134).
  checkResolution(spec, report);
  if (resolution === 'DYNAMIC_DNS') checkDynamic(spec, report);
  for (const [i, endpoint] of endpoints.entries()) checkEndpoint(endpoint, spec, report.at('endpoints', i));
};

function checkPorts({ ports = [], hosts }: ServiceEntrySpec, report: Report): void {
  if (ports.length === 0) report.warning(`is empty, so nothing reaches ${hosts.join(', ')}`);
  for (const [i, { protocol }] of ports.entries()) checkProtocol(protocol, report.at(i, 'protocol'));
  checkUnique(
    ports,
    ({ name }) => name,
    (i, name) => report.at(i, 'name').error(`expected names that differ, got ${shown(name)} again`),
  );
  checkUnique(
    ports,
    ({ number }) => String(number),
    (i, number) => report.at(i, 'number').error(`expected numbers that differ, got ${number} again`),
  );
}

export function checkProtocol(protocol: string | undefined, report: Report): void {
  const known = protocol === undefined || protocol === '' || PROTOCOLS.includes(protocol.toUpperCase());
  if (!known) report.error(`expected one of ${PROTOCOLS.join(', ')}, got ${shown(protocol)}`);
}

function checkResolution(
  { hosts, resolution = 'NONE', endpoints = [], workloadSelector }: ServiceEntrySpec,
  report: Report,
): void {
  if (resolution === 'NONE' && endpoints.length > 0)
    report.at('endpoints').error('expected none with resolution NONE, got some; set resolution STATIC or DNS');
  if (resolution === 'DNS_ROUND_ROBIN' && endpoints.length > 1) {
    report
      .at('endpoints')
      .error(`expected at most one endpoint with resolution DNS_ROUND_ROBIN, got ${endpoints.length}`);
  }
  if (resolution === 'STATIC' && endpoints.length === 0 && workloadSelector === undefined) {
    report.at('endpoints').error('expected endpoints or a workloadSelector with resolution STATIC, got neither');
  }
  if (resolution === 'NONE' && workloadSelector !== undefined)
    report
      .at('workloadSelector')
      .warning('is of little use with resolution NONE: connections go where they were made to');
  const resolves = resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN';
  const wild = hosts.findIndex((host) => host.startsWith('*'));
  if (resolves && endpoints.length === 0 && workloadSelector === undefined && wild >= 0) {
    report.at('hosts', wild).error(`expected a name that DNS can resolve, or endpoints, got ${shown(hosts[wild])}`);
  }
}

/** Any name under a wildcard, resolved when it is asked for: what is spoken has to say the name. */
const SAYS_NAME = ['HTTP', 'HTTP2', 'GRPC', 'TLS', 'HTTPS'];

function checkDynamic({ hosts, addresses = [], endpoints = [], ports = [] }: ServiceEntrySpec, report: Report): void {
  for (const [i, host] of hosts.entries()) {
    if (!host.startsWith('*'))
      report.at('hosts', i).error(`expected a wildcard with resolution DYNAMIC_DNS, got ${shown(host)}; use DNS`);
  }
  if (addresses.length > 0)
    report.at('addresses').error('expected none with resolution DYNAMIC_DNS: the name that is asked for tells');
  if (endpoints.length > 0)
    report.at('endpoints').error('expected none with resolution DYNAMIC_DNS: the name that is asked for tells');
  for (const [i, { protocol = 'TCP' }] of ports.entries()) {
    if (SAYS_NAME.includes(protocol.toUpperCase())) continue;
    const expected = SAYS_NAME.join(', ');
    report.at('ports', i, 'protocol').error(`expected one of ${expected} with DYNAMIC_DNS, got ${shown(protocol)}`);
  }
}

function checkEndpoint(
  endpoint: WorkloadEntrySpec,
  { resolution = 'NONE', ports = [] }: ServiceEntrySpec,
  report: Report,
): void {
  const { address = '' } = endpoint;
  checkWorkload(endpoint, report);
  if (resolution === 'STATIC' && address !== '' && !isIp(address) && !address.startsWith('unix://')) {
    report.at('address').error(`expected an IP address with resolution STATIC, got ${shown(address)}`);
  }
  if (resolution !== 'STATIC' && address.startsWith('unix://'))
    report.at('address').error('expected a DNS name or an IP address; unix sockets need resolution STATIC');
  if (address.startsWith('unix://') && ports.length !== 1)
    report.at('address').error(`expected exactly one port of a service on a unix socket, got ${ports.length}`);
  for (const name of Object.keys(endpoint.ports ?? {})) {
    const known = ports.some((port) => port.name === name);
    if (!known)
      report
        .at('ports', name)
        .error(
          `expected one of the service's ports (${ports.map((port) => port.name).join(', ')}), got ${shown(name)}`,
          true,
        );
  }
}

export const checkWorkloadEntry: Check<WorkloadEntrySpec> = (spec, report) => checkWorkload(spec, report);

export const checkWorkloadGroup: Check<WorkloadGroupSpec> = ({ template }, report) => {
  if (template.address !== undefined)
    report.at('template', 'address').error('expected none: every entry of the group has its own');
};

function checkWorkload({ address = '', network = '', ports = {} }: WorkloadEntrySpec, report: Report): void {
  if (address === '' && network === '')
    report.at('address').error('is required: an IP address, a DNS name or `unix:///path`');
  if (address === '') return;
  if (address.startsWith('unix://')) {
    const path = address.slice('unix://'.length);
    if (!/^[/@]./.test(path) || path.endsWith('/'))
      report.at('address').error(`expected \`unix:///path\` or \`unix://@name\`, got ${shown(address)}`);
    if (Object.keys(ports).length > 0) report.at('ports').error('expected none with a unix socket, got some');
    report.at('address').warning('has no effect: Lateen reaches endpoints by IP address or DNS name so far');
  } else if (!isIp(address) && fqdn(address) !== null) {
    report.at('address').error(`expected an IP address or a DNS name, got ${shown(address)}`);
  }
}
