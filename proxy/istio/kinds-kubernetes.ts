/** Kubernetes' own kinds, as `kubectl api-resources` names them, with the columns `kubectl get` users know. */
import { dnsLabel, dnsSubdomain, serviceName } from './format.ts';
import {
  checkEndpointSlice,
  checkJob,
  checkPod,
  checkSecret,
  checkService,
  checkWorkload,
} from './kubernetes-check.ts';
import { AGE, column, computed, type Column, type KindInfo } from './kind-info.ts';
import {
  configMapFields,
  endpointSliceFields,
  eventFields,
  namespaceFields,
  secretFields,
  serviceAccountFields,
  serviceFields,
} from './kubernetes.ts';
import { jobFields } from './kubernetes-job.ts';
import { deploymentFields, podFields, replicaSetFields } from './kubernetes-pod.ts';
import type { ObjectSchema, Typed } from './schema.ts';

type Names = {
  readonly group?: string;
  readonly kind: string;
  readonly plural?: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly namespaced?: boolean;
  readonly columns: readonly Column[];
  readonly subresources?: KindInfo['subresources'];
  readonly nameFormat?: KindInfo['nameFormat'];
};

function kubernetesKind(names: Names, fields: Typed<unknown>, check: KindInfo['check'] = () => {}): KindInfo {
  const { kind } = names;
  return {
    group: names.group ?? '',
    versions: ['v1'],
    kind,
    listKind: `${kind}List`,
    plural: names.plural ?? `${kind.toLowerCase()}s`,
    singular: kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: names.namespaced ?? true,
    schema: fields as Typed<unknown> & ObjectSchema,
    columns: names.columns,
    subresources: names.subresources ?? [],
    nameFormat: names.nameFormat ?? dnsSubdomain,
    check,
  };
}

const PODS_OF = [
  computed('Containers', 'Names of the containers', 1),
  computed('Images', 'Images of the containers', 1),
  computed('Selector', 'Which pods belong to it', 1),
];

export const KUBERNETES_KINDS: readonly KindInfo[] = [
  kubernetesKind(
    {
      kind: 'Service',
      shortNames: ['svc'],
      categories: ['all'],
      subresources: ['status'],
      nameFormat: serviceName,
      columns: [
        column('Type', '.spec.type', 'How the service is reached'),
        column('Cluster-IP', '.spec.clusterIP', 'Its virtual address'),
        computed('External-IP', 'Address from outside'),
        computed('Port(s)', 'Its ports'),
        AGE,
        computed('Selector', 'Which pods belong to it', 1),
      ],
    },
    serviceFields,
    checkService,
  ),
  kubernetesKind(
    {
      kind: 'Pod',
      shortNames: ['po'],
      categories: ['all'],
      subresources: ['status'],
      columns: [
        computed('Ready', 'Containers that are ready, of all'),
        computed('Status', 'What is the case'),
        computed('Restarts', 'How often containers were started again'),
        AGE,
        column('IP', '.status.podIP', 'Its address', 1),
        column('Node', '.spec.nodeName', 'Where it runs', 1),
      ],
    },
    podFields,
    checkPod,
  ),
  kubernetesKind(
    {
      group: 'apps',
      kind: 'Deployment',
      shortNames: ['deploy'],
      categories: ['all'],
      subresources: ['status', 'scale'],
      columns: [
        computed('Ready', 'Pods that are ready, of those wanted'),
        computed('Up-to-date', 'Pods of the newest template', 0, 'integer'),
        computed('Available', 'Pods that can be used', 0, 'integer'),
        AGE,
        ...PODS_OF,
      ],
    },
    deploymentFields,
    checkWorkload,
  ),
  kubernetesKind(
    {
      group: 'apps',
      kind: 'ReplicaSet',
      shortNames: ['rs'],
      categories: ['all'],
      subresources: ['status', 'scale'],
      columns: [
        computed('Desired', 'Pods wanted', 0, 'integer'),
        computed('Current', 'Pods there', 0, 'integer'),
        computed('Ready', 'Pods that are ready', 0, 'integer'),
        AGE,
        ...PODS_OF,
      ],
    },
    replicaSetFields,
    checkWorkload,
  ),
  kubernetesKind(
    {
      group: 'batch',
      kind: 'Job',
      categories: ['all'],
      subresources: ['status'],
      columns: [
        computed('Status', 'Running, Complete, Failed or Suspended'),
        computed('Completions', 'Pods that have succeeded, of those wanted'),
        computed('Duration', 'How long it has run'),
        AGE,
        ...PODS_OF,
      ],
    },
    jobFields,
    checkJob,
  ),
  kubernetesKind(
    {
      group: 'discovery.k8s.io',
      kind: 'EndpointSlice',
      columns: [
        column('AddressType', '.addressType', 'Kind of the addresses'),
        computed('Ports', 'Ports of every endpoint'),
        computed('Endpoints', 'Addresses'),
        AGE,
      ],
    },
    endpointSliceFields,
    checkEndpointSlice,
  ),
  kubernetesKind(
    {
      kind: 'Namespace',
      shortNames: ['ns'],
      namespaced: false,
      subresources: ['status'],
      nameFormat: dnsLabel,
      columns: [computed('Status', 'Active or Terminating'), AGE],
    },
    namespaceFields,
  ),
  kubernetesKind(
    { kind: 'ServiceAccount', shortNames: ['sa'], columns: [computed('Secrets', 'How many', 0, 'integer'), AGE] },
    serviceAccountFields,
  ),
  kubernetesKind(
    {
      kind: 'Secret',
      columns: [column('Type', '.type', 'Kind of secret'), computed('Data', 'How many values', 0, 'integer'), AGE],
    },
    secretFields,
    checkSecret,
  ),
  kubernetesKind(
    { kind: 'ConfigMap', shortNames: ['cm'], columns: [computed('Data', 'How many values', 0, 'integer'), AGE] },
    configMapFields,
  ),
  kubernetesKind(
    {
      kind: 'Event',
      shortNames: ['ev'],
      columns: [
        computed('Last Seen', 'Time since it happened last'),
        column('Type', '.type', 'Normal or Warning'),
        column('Reason', '.reason', 'Why, in one word'),
        computed('Object', 'What it is about'),
        column('Message', '.message', 'What happened'),
      ],
    },
    eventFields,
  ),
];
