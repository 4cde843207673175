/** Pods and what makes them: Pod, ReplicaSet, Deployment, with the fields Lateen uses (Kubernetes API reference, core/v1 and apps/v1). */
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
  openObject,
  port,
  required,
  string,
} from './field.ts';
import { dnsLabel, labelKey, labelValue, variableName } from './format.ts';
import type { Infer } from './schema.ts';

const LOCAL = 'the local mesh runs plain processes on this machine';

const probe = openObject(
  {
    httpGet: openObject(
      {
        path: string('Path', { default: '/' }),
        port: required(intOrString('Port, or its name')),
        scheme: string('HTTP or HTTPS', { default: 'HTTP' }),
      },
      'Healthy when this request is answered with 200 to 399',
    ),
    tcpSocket: openObject(
      { port: required(intOrString('Port, or its name')) },
      'Healthy when this port takes connections',
    ),
    initialDelaySeconds: int32('Seconds before the first probe', { min: 0, default: 0 }),
    timeoutSeconds: int32('Time limit of a probe, in seconds', { min: 1, default: 1 }),
    periodSeconds: int32('Seconds between probes', { min: 1, default: 10 }),
    successThreshold: int32('Successes that make it healthy', { min: 1, default: 1 }),
    failureThreshold: int32('Failures that make it unhealthy', { min: 1, default: 3 }),
  },
  'How health is found out',
);
export type Probe = Infer<typeof probe>;

const optional = bool('Whether it may be missing', { default: false });
const keyOf = (kind: string) =>
  openObject(
    { name: required(string(`Name of the ${kind}`)), key: required(string('Its key')), optional },
    `A value of a ${kind}`,
  );
const wholeOf = (kind: string) =>
  openObject({ name: required(string(`Name of the ${kind}`)), optional }, `A whole ${kind}`);

const envVar = openObject(
  {
    name: required(string('Name of the variable', { minLength: 1, format: variableName })),
    value: string('Its value', { default: '' }),
    valueFrom: openObject(
      {
        secretKeyRef: keyOf('Secret'),
        configMapKeyRef: keyOf('ConfigMap'),
        fieldRef: openObject({ fieldPath: required(string('Path, such as status.podIP')) }, 'A field of the pod'),
        resourceFieldRef: ignored(anything('A limit of the container'), LOCAL),
      },
      'Where the value comes from',
    ),
  },
  'An environment variable',
);

const container = openObject(
  {
    restartPolicy: enumeration(['Always'], 'Of an init container: it runs beside the others until they have ended'),
    name: required(string('Name of the container', { format: dnsLabel })),
    image: string('Image; config/images.yaml says which command stands for it'),
    imagePullPolicy: anything('When the image is pulled'),
    command: list(string('A word'), "Command, in place of the image's"),
    args: list(string('A word'), "Arguments, in place of the image's"),
    workingDir: string('Directory the command runs in'),
    env: list(envVar, 'Environment variables'),
    envFrom: list(
      openObject(
        { prefix: string('Put before each name'), secretRef: wholeOf('Secret'), configMapRef: wholeOf('ConfigMap') },
        'A ConfigMap or Secret',
      ),
      'ConfigMaps and Secrets whose keys become variables',
    ),
    ports: list(
      openObject(
        {
          name: string('Name of the port'),
          containerPort: required(port('Port the container listens on')),
          protocol: enumeration(['TCP', 'UDP', 'SCTP'], 'Protocol', { default: 'TCP' }),
          hostPort: ignored(port('Port of the node'), LOCAL),
        },
        'A port',
      ),
      'Ports the container listens on',
    ),
    livenessProbe: described(probe, 'Restarts the container when it fails'),
    readinessProbe: described(probe, 'Takes the pod out of its services while it fails'),
    startupProbe: described(probe, 'Holds the other probes back until it succeeds'),
    lifecycle: ignored(anything('Hooks'), LOCAL),
    resources: anything('CPU and memory'),
    securityContext: anything('User and rights'),
    volumeMounts: anything('Where volumes are seen'),
  },
  'A container',
);
export type Container = Infer<typeof container>;

const podSpec = openObject(
  {
    containers: required(list(container, 'Containers of the pod', { min: 1 })),
    initContainers: list(container, 'Containers that run first, one after the other'),
    serviceAccountName: string('Identity of the pod', { default: 'default' }),
    serviceAccount: string('Older spelling of serviceAccountName'),
    restartPolicy: enumeration(['Always', 'OnFailure', 'Never'], 'When a container that ended is started again', {
      default: 'Always',
    }),
    terminationGracePeriodSeconds: int32('Seconds between SIGTERM and SIGKILL', { min: 0, default: 30 }),
    nodeName: string('Node the pod runs on'),
    volumes: anything('Volumes of the pod'),
    affinity: ignored(anything('Where the pod may run'), LOCAL),
    nodeSelector: ignored(anything('Nodes the pod may run on'), LOCAL),
    topologySpreadConstraints: ignored(anything('How pods are spread'), LOCAL),
    hostNetwork: ignored(bool('The network of the node'), LOCAL),
    hostAliases: ignored(anything('Names for addresses'), LOCAL),
    dnsConfig: ignored(anything('Name resolution'), LOCAL),
    imagePullSecrets: anything('Secrets to pull images with'),
    securityContext: anything('User and rights'),
    tolerations: anything('Taints the pod bears'),
  },
  'What a pod runs',
);
export type PodSpec = Infer<typeof podSpec>;

const stringMap = (description: string) => map(string('Value'), description);

export const podTemplate = openObject(
  {
    metadata: openObject(
      {
        labels: map(string('Value of the label', { format: labelValue }), 'Labels of the pods', { key: labelKey }),
        annotations: stringMap('Annotations of the pods'),
      },
      'Metadata of the pods',
    ),
    spec: podSpec,
  },
  'What each pod looks like',
);
export type PodTemplate = Infer<typeof podTemplate>;

export const podSelector = openObject(
  {
    matchLabels: map(string('Value of the label', { format: labelValue }), 'Labels the pods must all have', {
      key: labelKey,
    }),
    matchExpressions: list(
      openObject(
        {
          key: required(string('Label')),
          operator: required(enumeration(['In', 'NotIn', 'Exists', 'DoesNotExist'], 'How it is compared')),
          values: list(string('A value'), 'Values'),
        },
        'A condition on a label',
      ),
      'Further conditions',
    ),
  },
  'Which pods belong to this',
);
export type PodSelector = Infer<typeof podSelector>;

const status = openObject({}, 'What is the case; written by Lateen');

export const podFields = openObject(
  { spec: required(podSpec), status },
  'A pod: one instance of a workload, with its sidecar',
);

const replicas = int32('How many pods there are to be', { min: 0, default: 1 });

const deploymentSpec = openObject(
  {
    replicas,
    selector: required(podSelector),
    template: required(podTemplate),
    strategy: openObject(
      {
        type: enumeration(['RollingUpdate', 'Recreate'], 'New pods first, or old pods first', {
          default: 'RollingUpdate',
        }),
        rollingUpdate: openObject(
          { maxSurge: intOrString('Pods above replicas'), maxUnavailable: intOrString('Pods below replicas') },
          'How far the number may stray',
        ),
      },
      'How pods are replaced',
    ),
    minReadySeconds: int32('Seconds a pod must be ready to count', { min: 0, default: 0 }),
    paused: bool('Whether changes wait', { default: false }),
  },
  'What is to run, and how many of it',
);
export type DeploymentSpec = Infer<typeof deploymentSpec>;

export const deploymentFields = openObject(
  { spec: required(deploymentSpec), status },
  'Keeps a number of equal pods running',
);

const replicaSetSpec = openObject(
  {
    replicas,
    selector: required(podSelector),
    template: podTemplate,
    minReadySeconds: int32('Seconds a pod must be ready to count', { min: 0, default: 0 }),
  },
  'What is to run, and how many of it',
);
export type ReplicaSetSpec = Infer<typeof replicaSetSpec>;

export const replicaSetFields = openObject({ spec: required(replicaSetSpec), status }, 'One version of a Deployment');
