/** Kubernetes' own kinds besides pods: Service, EndpointSlice, Secret, ConfigMap, Namespace, ServiceAccount, Event (API reference). */
import {
  anything,
  bool,
  described,
  enumeration,
  ignored,
  int32,
  intOrString,
  list,
  map,
  object,
  openObject,
  port,
  required,
  string,
} from './field.ts';
import { labelKey, labelValue } from './format.ts';
import type { Infer } from './schema.ts';

const status = openObject({}, 'What is the case; written by Lateen');
const protocol = enumeration(['TCP', 'UDP', 'SCTP'], 'Protocol', { default: 'TCP' });

const servicePort = openObject(
  {
    name: string('Name; its first part tells the protocol: `http`, `http-web`, `tcp-db`'),
    port: required(port('Port of the service')),
    targetPort: intOrString('Port of the pods, or its name', { default: 'port' }),
    protocol,
    appProtocol: string('What is spoken there: http, https, tcp, kubernetes.io/h2c …'),
    nodePort: ignored(int32('Port of every node', { min: 0, max: 65_535 }), 'the local mesh has no nodes'),
  },
  'A port of the service',
);
export type ServicePort = Infer<typeof servicePort>;

const serviceSpec = openObject(
  {
    selector: map(string('Value of the label', { format: labelValue }), 'Labels of the pods behind the service', {
      key: labelKey,
    }),
    ports: list(servicePort, 'Ports of the service'),
    type: enumeration(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'], 'How the service is reached', {
      default: 'ClusterIP',
    }),
    clusterIP: string('Its virtual address; `None`: it has none'),
    clusterIPs: list(string('An address'), 'Its virtual addresses'),
    externalName: string('DNS name the service stands for'),
    publishNotReadyAddresses: bool('Pods that are not ready count too', { default: false }),
    sessionAffinity: enumeration(['None', 'ClientIP'], 'Same pod for the same caller', {
      default: 'None',
      ignored: { ClientIP: 'the mesh balances every request by itself' },
    }),
  },
  'What the service offers',
);
export type ServiceSpec = Infer<typeof serviceSpec>;

export const serviceFields = openObject({ spec: required(serviceSpec), status }, 'A name and ports for a set of pods');

const reference = openObject(
  {
    kind: string('Kind'),
    namespace: string('Namespace'),
    name: string('Name'),
    uid: string('Uid'),
    apiVersion: string('API version'),
    fieldPath: string('Part of it'),
  },
  'A resource',
);
export type ObjectReference = Infer<typeof reference>;

const endpoint = openObject(
  {
    addresses: required(list(string('IP address'), 'Addresses', { min: 1, max: 100 })),
    conditions: openObject(
      {
        ready: bool('Takes requests', { default: true }),
        serving: bool('Could take requests'),
        terminating: bool('Is about to end'),
      },
      'State of the endpoint',
    ),
    hostname: string('Host name'),
    nodeName: string('Node'),
    zone: string('Zone'),
    targetRef: described(reference, 'The pod'),
  },
  'One address of a service',
);
const endpointPort = openObject(
  {
    name: string("Name of the service's port", { default: '' }),
    port: port('Port'),
    protocol,
    appProtocol: string('What is spoken there'),
  },
  'A port',
);
const endpointSlice = {
  addressType: required(enumeration(['IPv4', 'IPv6', 'FQDN'], 'Kind of the addresses')),
  endpoints: list(endpoint, 'Endpoints', { max: 1000 }),
  ports: list(endpointPort, 'Ports of every endpoint', { max: 100 }),
};
export const endpointSliceFields = openObject(
  endpointSlice,
  'Addresses behind a service; label kubernetes.io/service-name tells which',
);
/** What an EndpointSlice has beside its metadata: at its top, not in a spec. */
export type EndpointSliceFields = Infer<typeof endpointSliceFields>;
export type SliceEndpoint = Infer<typeof endpoint>;

export const secretFields = openObject(
  {
    type: string('Kind of secret', { default: 'Opaque' }),
    data: map(string('Base64', { formatName: 'byte' }), 'Values in base64'),
    stringData: map(string('Text'), 'Values as text; they become data'),
    immutable: bool('Whether it may never change'),
  },
  'Something secret',
);
export type SecretFields = Infer<typeof secretFields>;

export const configMapFields = openObject(
  {
    data: map(string('Text'), 'Values as text'),
    binaryData: map(string('Base64', { formatName: 'byte' }), 'Values in base64'),
    immutable: bool('Whether it may never change'),
  },
  'Settings',
);
export type ConfigMapFields = Infer<typeof configMapFields>;

export const namespaceFields = openObject(
  { spec: anything('Finalizers'), status },
  'A part of the mesh; its label istio-injection tells whether pods get a sidecar',
);

export const serviceAccountFields = openObject(
  {
    automountServiceAccountToken: bool('Whether pods see its token'),
    imagePullSecrets: anything('Secrets to pull images with'),
    secrets: anything('Secrets pods may use'),
  },
  'An identity for pods',
);

export const eventFields = openObject(
  {
    involvedObject: required(described(reference, 'What it is about')),
    type: string('Normal or Warning'),
    reason: string('Why, in one word'),
    message: string('What happened'),
    count: int32('How often'),
    firstTimestamp: string('First time', { formatName: 'date-time' }),
    lastTimestamp: string('Last time', { formatName: 'date-time' }),
    source: openObject({ component: string('Who'), host: string('Where') }, 'Who saw it'),
  },
  'Something that happened',
);
export type EventFields = Infer<typeof eventFields>;

/** Metadata of every resource. */
/** Closed: of a misspelt `namespace`, a policy would end up in another one. */
export const objectMeta = object(
  {
    name: string('Name; unique among its kind in its namespace'),
    generateName: string('Start of a name that the server completes'),
    namespace: string('Namespace', { default: 'default' }),
    labels: map(string('Value of the label', { format: labelValue }), 'Labels, to select by', { key: labelKey }),
    annotations: map(string('Value'), 'Annotations, to note anything', { key: labelKey }),
    uid: string('Unique id; written by the server'),
    resourceVersion: string('Version of this state; written by the server'),
    generation: int32('Counts changes of the spec; written by the server', { min: 0 }),
    creationTimestamp: string('When it was created; written by the server', { formatName: 'date-time' }),
    deletionTimestamp: string('When it was to be deleted; written by the server', { formatName: 'date-time' }),
    deletionGracePeriodSeconds: int32('Seconds it had to end; written by the server', { min: 0 }),
    selfLink: string('Its path; not written any more'),
    ownerReferences: list(
      openObject(
        {
          apiVersion: required(string('API version')),
          kind: required(string('Kind')),
          name: required(string('Name')),
          uid: required(string('Uid')),
          controller: bool('Whether it manages this'),
          blockOwnerDeletion: bool('Whether it waits for this'),
        },
        'A resource this belongs to',
      ),
      'Resources this belongs to, and goes with',
    ),
    finalizers: list(string('Name'), 'Who has to act before it goes'),
    managedFields: anything('Who set which field'),
  },
  'Standard metadata',
);
