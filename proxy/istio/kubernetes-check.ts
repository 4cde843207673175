/** What Kubernetes' own kinds must keep to beyond their schemas, as the API server checks it. */
import { dnsLabel, isIp } from './format.ts';
import { isBase64 } from './http-action-check.ts';
import { checkInterception } from './interception.ts';
import { checkUnique } from './host-check.ts';
import type { EndpointSliceFields, SecretFields, ServiceSpec } from './kubernetes.ts';
import type { JobSpec } from './kubernetes-job.ts';
import type { Container, DeploymentSpec, PodSelector, PodSpec, PodTemplate, ReplicaSetSpec } from './kubernetes-pod.ts';
import type { Report } from './report.ts';
import type { Resource } from './resource.ts';
import { shown } from './shown.ts';
import { isRecord } from './validate.ts';

export function checkService(resource: Resource, report: Report): void {
  const { type = 'ClusterIP', clusterIP = '', externalName = '', ports = [] } = resource.spec as ServiceSpec;
  const at = report.at('spec');
  if (type === 'ExternalName' && externalName === '') at.at('externalName').error('is required with type ExternalName');
  if (type !== 'ExternalName' && clusterIP !== 'None' && ports.length === 0)
    at.at('ports').error('expected at least one port, got none');
  if (clusterIP !== '' && clusterIP !== 'None' && !isIp(clusterIP))
    at.at('clusterIP').error(`expected an IP address or None, got ${shown(clusterIP)}`);
  for (const [i, { name = '' }] of ports.entries()) {
    if (name === '' && ports.length > 1)
      at.at('ports', i, 'name').error('is required: a service with several ports names them');
    const expected = name === '' ? null : dnsLabel(name);
    if (expected !== null) at.at('ports', i, 'name').error(`expected ${expected}, got ${shown(name)}`);
  }
  checkUnique(
    ports,
    ({ name }) => name,
    (i, name) => at.at('ports', i, 'name').error(`expected names that differ, got ${shown(name)} again`),
  );
  checkUnique(
    ports,
    ({ port, protocol = 'TCP' }) => `${protocol} ${port}`,
    (i) => at.at('ports', i).error(`expected ports that differ, got ${ports[i]!.port} again`),
  );
}

export function checkPod(resource: Resource, report: Report): void {
  checkPodSpec(resource.spec as PodSpec, report.at('spec'));
  checkInterception(resource.metadata.annotations, report.at('metadata', 'annotations'));
}

/** Its selector is written by the control plane (batch/v1 validation). */
export function checkJob(resource: Resource, report: Report): void {
  const { template } = resource.spec as JobSpec;
  const at = report.at('spec', 'template');
  checkTemplate(template, at);
  const { restartPolicy = 'Always' } = template.spec ?? {};
  if (restartPolicy === 'Always')
    at.at('spec', 'restartPolicy').error(
      'expected OnFailure or Never, as pods of a job are to end, got Always (the default)',
    );
}

export function checkWorkload(resource: Resource, report: Report): void {
  const { selector, template } = resource.spec as DeploymentSpec | ReplicaSetSpec;
  const at = report.at('spec');
  checkSelector(selector, template?.metadata?.labels ?? {}, at);
  checkTemplate(template, at.at('template'));
}

function checkSelector(selector: PodSelector, labels: Readonly<Record<string, string>>, report: Report): void {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  if (Object.keys(matchLabels).length + matchExpressions.length === 0)
    report.at('selector').error('expected matchLabels or matchExpressions, got neither');
  for (const [key, value] of Object.entries(matchLabels)) {
    const label = Object.hasOwn(labels, key) ? labels[key] : undefined;
    if (label !== value)
      report
        .at('template', 'metadata', 'labels', key)
        .error(
          `expected ${shown(value)}, which the selector wants, got ${label === undefined ? 'none' : shown(label)}`,
        );
  }
}

function checkTemplate(template: PodTemplate | undefined, report: Report): void {
  if (template?.spec === undefined) report.at('spec').error('is required: what a pod runs');
  else checkPodSpec(template.spec, report.at('spec'));
  checkInterception(template?.metadata?.annotations, report.at('metadata', 'annotations'));
}

function checkPodSpec({ containers, initContainers = [], volumes }: PodSpec, report: Report): void {
  for (const [i, container] of initContainers.entries()) checkContainer(container, report.at('initContainers', i));
  for (const [i, container] of containers.entries()) checkContainer(container, report.at('containers', i));
  checkUnique(
    [...initContainers, ...containers],
    ({ name }) => name,
    (i, name) =>
      (i < initContainers.length
        ? report.at('initContainers', i, 'name')
        : report.at('containers', i - initContainers.length, 'name')
      ).error(`expected names that differ, got ${shown(name)} again`),
  );
  for (const [i, volume] of (Array.isArray(volumes) ? volumes : []).entries()) {
    const kinds = isRecord(volume) ? Object.keys(volume).filter((key) => key !== 'name' && key !== 'emptyDir') : [];
    for (const kind of kinds)
      report
        .at('volumes', i, kind)
        .warning('has no effect: the local mesh runs plain processes, which see the files of this machine');
  }
}

function checkContainer({ image = '', env = [], envFrom = [] }: Container, report: Report): void {
  if (image === '') report.at('image').error('is required');
  for (const [i, { value = '', valueFrom }] of env.entries()) {
    const sources = Object.keys(valueFrom ?? {});
    if (valueFrom !== undefined && sources.length !== 1)
      report
        .at('env', i, 'valueFrom')
        .error(`expected one source, got ${sources.length === 0 ? 'none' : sources.join(' and ')}`);
    if (valueFrom !== undefined && value !== '')
      report.at('env', i, 'valueFrom').error('expected value or valueFrom, got both');
  }
  for (const [i, { secretRef, configMapRef }] of envFrom.entries()) {
    if ((secretRef === undefined) === (configMapRef === undefined))
      report.at('envFrom', i).error('expected secretRef or configMapRef, and one of them');
  }
}

export function checkEndpointSlice(resource: Resource, report: Report): void {
  const { addressType, endpoints = [] } = resource as unknown as EndpointSliceFields;
  for (const [i, { addresses }] of endpoints.entries()) {
    for (const [j, address] of addresses.entries()) {
      const fits = addressType === 'FQDN' || (isIp(address) && address.includes(':') === (addressType === 'IPv6'));
      if (!fits)
        report.at('endpoints', i, 'addresses', j).error(`expected an ${addressType} address, got ${shown(address)}`);
    }
  }
}

export function checkSecret(resource: Resource, report: Report): void {
  const { data = {} } = resource as unknown as SecretFields;
  for (const [key, value] of Object.entries(data)) {
    if (!isBase64(value.replace(/\s/g, '')))
      report.at('data', key).error('expected base64 (stringData takes plain text)');
  }
}
