/** Field numbers of the messages that kubectl's own generators fill in (k8s.io/api and apimachinery, generated.proto). */

export type Field = {
  readonly name: string;
  readonly type: 'string' | 'bytes' | 'int' | 'bool' | 'map' | 'message' | 'time' | 'int-or-string';
  readonly repeated?: boolean;
  /** Of maps. */
  readonly value?: 'string' | 'bytes';
  /** Of messages; a function, since messages may contain each other. */
  readonly fields?: () => Fields;
  /** Means something even when it is empty. */
  readonly keepEmpty?: boolean;
};
export type Fields = Readonly<Record<number, Field>>;

const text = (name: string): Field => ({ name, type: 'string' });
const texts = (name: string): Field => ({ name, type: 'string', repeated: true });
const int = (name: string): Field => ({ name, type: 'int' });
const bool = (name: string): Field => ({ name, type: 'bool' });
/** Pointers in Go: sent only when they are set, so zero is a value. */
const intSet = (name: string): Field => ({ ...int(name), keepEmpty: true });
const boolSet = (name: string): Field => ({ ...bool(name), keepEmpty: true });
const map = (name: string): Field => ({ name, type: 'map' });
const bytesMap = (name: string): Field => ({ name, type: 'map', value: 'bytes' });
const message = (name: string, fields: Fields): Field => ({ name, type: 'message', fields: () => fields });
const messages = (name: string, fields: Fields): Field => ({ ...message(name, fields), repeated: true });

export const ENVELOPE: Fields = {
  1: message('typeMeta', { 1: text('apiVersion'), 2: text('kind') }),
  2: { name: 'raw', type: 'bytes' },
  3: text('contentEncoding'),
  4: text('contentType'),
};

const OBJECT_META: Fields = {
  1: text('name'),
  2: text('generateName'),
  3: text('namespace'),
  4: text('selfLink'),
  5: text('uid'),
  6: text('resourceVersion'),
  7: int('generation'),
  8: { name: 'creationTimestamp', type: 'time' },
  9: { name: 'deletionTimestamp', type: 'time' },
  10: intSet('deletionGracePeriodSeconds'),
  11: map('labels'),
  12: map('annotations'),
  14: texts('finalizers'),
};
const metadata = message('metadata', OBJECT_META);

const CONTAINER: Fields = {
  1: text('name'),
  2: text('image'),
  3: texts('command'),
  4: texts('args'),
  5: text('workingDir'),
  6: messages('ports', {
    1: text('name'),
    2: int('hostPort'),
    3: int('containerPort'),
    4: text('protocol'),
    5: text('hostIP'),
  }),
  7: messages('env', { 1: text('name'), 2: text('value') }),
  8: message('resources', {}),
  13: text('terminationMessagePath'),
  14: text('imagePullPolicy'),
  16: bool('stdin'),
  17: bool('stdinOnce'),
  18: bool('tty'),
  20: text('terminationMessagePolicy'),
};

const POD_SPEC: Fields = {
  2: messages('containers', CONTAINER),
  3: text('restartPolicy'),
  4: intSet('terminationGracePeriodSeconds'),
  6: text('dnsPolicy'),
  8: text('serviceAccountName'),
  9: text('serviceAccount'),
  10: text('nodeName'),
  11: bool('hostNetwork'),
  12: bool('hostPID'),
  13: bool('hostIPC'),
  14: message('securityContext', {}),
  16: text('hostname'),
  17: text('subdomain'),
  19: text('schedulerName'),
};

const SELECTOR: Fields = {
  1: map('matchLabels'),
  2: messages('matchExpressions', { 1: text('key'), 2: text('operator'), 3: texts('values') }),
};

const DEPLOYMENT_SPEC: Fields = {
  1: intSet('replicas'),
  2: message('selector', SELECTOR),
  3: message('template', { 1: metadata, 2: message('spec', POD_SPEC) }),
  4: message('strategy', {
    1: text('type'),
    2: message('rollingUpdate', {
      1: { name: 'maxUnavailable', type: 'int-or-string' },
      2: { name: 'maxSurge', type: 'int-or-string' },
    }),
  }),
  5: int('minReadySeconds'),
  6: intSet('revisionHistoryLimit'),
  7: bool('paused'),
  9: intSet('progressDeadlineSeconds'),
};

const JOB_SPEC: Fields = {
  1: intSet('parallelism'),
  2: intSet('completions'),
  3: intSet('activeDeadlineSeconds'),
  4: message('selector', SELECTOR),
  5: boolSet('manualSelector'),
  6: message('template', { 1: metadata, 2: message('spec', POD_SPEC) }),
  7: intSet('backoffLimit'),
  8: intSet('ttlSecondsAfterFinished'),
  9: text('completionMode'),
  10: boolSet('suspend'),
};

const SERVICE_SPEC: Fields = {
  1: messages('ports', {
    1: text('name'),
    2: text('protocol'),
    3: int('port'),
    4: { name: 'targetPort', type: 'int-or-string' },
    5: int('nodePort'),
    6: text('appProtocol'),
  }),
  2: map('selector'),
  3: text('clusterIP'),
  4: text('type'),
  5: texts('externalIPs'),
  7: text('sessionAffinity'),
  8: text('loadBalancerIP'),
  10: text('externalName'),
  11: text('externalTrafficPolicy'),
  12: int('healthCheckNodePort'),
  13: bool('publishNotReadyAddresses'),
};

/** Written by the server, so what a client says of it does not count; its zero values are sent all the same. */
const DEPLOYMENT_STATUS: Fields = Object.fromEntries(
  ['observedGeneration', 'replicas', 'updatedReplicas', 'availableReplicas', 'unavailableReplicas'].map((name, i) => [
    i + 1,
    int(name),
  ]),
);

export const KIND_MESSAGES: Readonly<Record<string, Fields>> = {
  Namespace: {
    1: metadata,
    2: message('spec', { 1: texts('finalizers') }),
    3: message('status', { 1: text('phase') }),
  },
  ConfigMap: { 1: metadata, 2: map('data'), 3: bytesMap('binaryData'), 4: boolSet('immutable') },
  Secret: { 1: metadata, 2: bytesMap('data'), 3: text('type'), 4: map('stringData'), 5: boolSet('immutable') },
  ServiceAccount: { 1: metadata, 4: boolSet('automountServiceAccountToken') },
  Deployment: {
    1: metadata,
    2: message('spec', DEPLOYMENT_SPEC),
    3: message('status', { ...DEPLOYMENT_STATUS, 7: int('readyReplicas') }),
  },
  Job: { 1: metadata, 2: message('spec', JOB_SPEC), 3: message('status', {}) },
  Service: { 1: metadata, 2: message('spec', SERVICE_SPEC), 3: message('status', { 1: message('loadBalancer', {}) }) },
  DeleteOptions: {
    1: intSet('gracePeriodSeconds'),
    2: message('preconditions', { 1: text('uid'), 2: text('resourceVersion') }),
    3: boolSet('orphanDependents'),
    4: text('propagationPolicy'),
    5: texts('dryRun'),
  },
};
