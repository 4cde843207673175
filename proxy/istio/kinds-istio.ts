/** Istio's kinds, Mixer's of Istio 1.0, and our own, as `kubectl api-resources` names them (their CRDs' names, short names and columns). */
import { checkAuthorizationPolicy } from './authorization-policy-check.ts';
import { checkDestinationRule } from './destination-rule-check.ts';
import { checkGateway } from './gateway-check.ts';
import { checkPeerAuthentication, checkTelemetry } from './security-telemetry-check.ts';
import { checkServiceEntry, checkWorkloadEntry, checkWorkloadGroup } from './service-entry-check.ts';
import { checkSidecar } from './sidecar-check.ts';
import { checkVirtualService } from './virtual-service-check.ts';
import { peerAuthenticationSpec, requestAuthenticationSpec } from './authentication.ts';
import { authorizationPolicySpec } from './authorization-policy.ts';
import { customTelemetrySpec } from './custom-telemetry.ts';
import { checkCustomTelemetry } from './custom-telemetry-check.ts';
import { destinationRuleSpec } from './destination-rule.ts';
import { object, openObject, required } from './field.ts';
import { dnsSubdomain } from './format.ts';
import { gatewaySpec } from './gateway.ts';
import { AGE, column, type Column, type KindInfo } from './kind-info.ts';
import { denierSpec, handlerSpec, instanceSpec, listCheckerSpec, looseSpec, mixerRuleSpec } from './mixer.ts';
import { logEntrySpec, metricSpec, prometheusSpec, stdioSpec } from './mixer-telemetry.ts';
import {
  checkHandler,
  checkInstance,
  checkLogEntry,
  checkMetric,
  checkMixerRule,
  checkPrometheus,
  checkStdio,
} from './mixer-telemetry-check.ts';
import type { Check, ObjectSchema, Typed } from './schema.ts';
import { serviceEntrySpec } from './service-entry.ts';
import { sidecarSpec } from './sidecar.ts';
import { proxyConfigSpec, telemetrySpec } from './telemetry.ts';
import { virtualServiceSpec } from './virtual-service.ts';
import { workloadEntrySpec, workloadGroupSpec } from './workload-entry.ts';

type Names = {
  readonly group: string;
  readonly kind: string;
  readonly plural?: string;
  readonly shortNames?: readonly string[];
  readonly versions?: readonly string[];
  readonly columns?: readonly Column[];
};

/** A kind whose meaning is all in its spec. */
function specKind<T>(names: Names, spec: Typed<T, boolean>, check: Check<T> = () => {}): KindInfo {
  const { group, kind } = names;
  const status = openObject({}, 'What the control plane found; not read');
  const schema = object({ spec, status }, spec.description) as Typed<unknown> & ObjectSchema;
  return {
    group,
    versions: names.versions ?? VERSIONS[group] ?? [],
    kind,
    listKind: `${kind}List`,
    plural: names.plural ?? `${kind.toLowerCase()}s`,
    singular: kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: group === MIXER || group === LATEEN ? [] : ['istio-io', `${group.split('.')[0]}-istio-io`],
    namespaced: true,
    schema,
    columns: names.columns ?? [AGE],
    subresources: ['status'],
    nameFormat: dnsSubdomain,
    check: (resource, report) => check(resource.spec as T, report.at('spec'), resource.metadata),
  };
}

const NETWORKING = 'networking.istio.io';
const SECURITY = 'security.istio.io';
const TELEMETRY = 'telemetry.istio.io';
const MIXER = 'config.istio.io';
const LATEEN = 'telemetry.lateen.dev';
const VERSIONS: Readonly<Record<string, readonly string[]>> = {
  [NETWORKING]: ['v1', 'v1beta1', 'v1alpha3'],
  [SECURITY]: ['v1', 'v1beta1'],
  [TELEMETRY]: ['v1', 'v1alpha1'],
  [MIXER]: ['v1alpha2'],
  [LATEEN]: ['v1alpha1'],
};

export const ISTIO_KINDS: readonly KindInfo[] = [
  specKind(
    {
      group: NETWORKING,
      kind: 'VirtualService',
      shortNames: ['vs'],
      columns: [
        column('Gateways', '.spec.gateways', 'Gateways and sidecars that apply these rules'),
        column('Hosts', '.spec.hosts', 'Hosts whose traffic these rules govern'),
        AGE,
      ],
    },
    virtualServiceSpec,
    checkVirtualService,
  ),
  specKind(
    {
      group: NETWORKING,
      kind: 'DestinationRule',
      shortNames: ['dr'],
      columns: [column('Host', '.spec.host', 'Service these settings are for'), AGE],
    },
    destinationRuleSpec,
    checkDestinationRule,
  ),
  specKind({ group: NETWORKING, kind: 'Gateway', shortNames: ['gw'] }, gatewaySpec, checkGateway),
  specKind(
    {
      group: NETWORKING,
      kind: 'ServiceEntry',
      plural: 'serviceentries',
      shortNames: ['se'],
      columns: [
        column('Hosts', '.spec.hosts', 'Names of the service'),
        column('Location', '.spec.location', 'Whether the service is part of the mesh'),
        column('Resolution', '.spec.resolution', 'How addresses of endpoints are found'),
        AGE,
      ],
    },
    required(serviceEntrySpec),
    checkServiceEntry,
  ),
  specKind(
    {
      group: NETWORKING,
      kind: 'WorkloadEntry',
      plural: 'workloadentries',
      shortNames: ['we'],
      columns: [AGE, column('Address', '.spec.address', 'Address of the workload')],
    },
    required(workloadEntrySpec),
    checkWorkloadEntry,
  ),
  specKind({ group: NETWORKING, kind: 'WorkloadGroup', shortNames: ['wg'] }, workloadGroupSpec, checkWorkloadGroup),
  specKind({ group: NETWORKING, kind: 'Sidecar' }, sidecarSpec, checkSidecar),
  specKind({ group: NETWORKING, kind: 'ProxyConfig', versions: ['v1beta1'] }, proxyConfigSpec),
  specKind(
    {
      group: SECURITY,
      kind: 'AuthorizationPolicy',
      plural: 'authorizationpolicies',
      shortNames: ['ap'],
      columns: [column('Action', '.spec.action', 'What happens to a request that a rule matches'), AGE],
    },
    authorizationPolicySpec,
    checkAuthorizationPolicy,
  ),
  specKind(
    {
      group: SECURITY,
      kind: 'PeerAuthentication',
      shortNames: ['pa'],
      columns: [column('Mode', '.spec.mtls.mode', 'Whether callers may, or have to, use mutual TLS'), AGE],
    },
    peerAuthenticationSpec,
    checkPeerAuthentication,
  ),
  specKind({ group: SECURITY, kind: 'RequestAuthentication', shortNames: ['ra'] }, requestAuthenticationSpec),
  specKind(
    { group: TELEMETRY, kind: 'Telemetry', plural: 'telemetries', shortNames: ['telemetry'] },
    telemetrySpec,
    checkTelemetry,
  ),
  specKind(
    {
      group: LATEEN,
      kind: 'CustomTelemetry',
      plural: 'customtelemetries',
      shortNames: ['ct'],
      columns: [
        column('Mode', '.spec.mode', 'Who tells'),
        column('Metrics', '.spec.metrics[*].name', 'Metrics it defines'),
        column('Logs', '.spec.logs[*].name', 'Logs it defines'),
        AGE,
      ],
    },
    customTelemetrySpec,
    checkCustomTelemetry,
  ),
  specKind({ group: MIXER, kind: 'rule' }, mixerRuleSpec, checkMixerRule),
  specKind({ group: MIXER, kind: 'handler' }, handlerSpec, checkHandler),
  specKind({ group: MIXER, kind: 'instance' }, instanceSpec, checkInstance),
  specKind({ group: MIXER, kind: 'denier' }, denierSpec),
  specKind({ group: MIXER, kind: 'checknothing' }, looseSpec),
  specKind({ group: MIXER, kind: 'listchecker' }, listCheckerSpec),
  specKind({ group: MIXER, kind: 'listentry', plural: 'listentries' }, looseSpec),
  specKind({ group: MIXER, kind: 'metric' }, required(metricSpec), checkMetric),
  specKind({ group: MIXER, kind: 'logentry', plural: 'logentries' }, logEntrySpec, checkLogEntry),
  specKind({ group: MIXER, kind: 'prometheus', plural: 'prometheuses' }, prometheusSpec, checkPrometheus),
  specKind({ group: MIXER, kind: 'stdio' }, stdioSpec, checkStdio),
];
