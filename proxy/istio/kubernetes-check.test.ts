import { describe, expect, test } from 'vitest';
import { parseObject } from './parse.ts';

function said(apiVersion: string, kind: string, fields: object): string[] {
  const resource = { apiVersion, kind, metadata: { name: 'a' }, ...fields };
  return parseObject(resource, { defaultNamespace: 'default' }).problems.map(
    (p) => `${p.severity} ${p.path}: ${p.message}`,
  );
}

const port = { port: 9080, name: 'http' };
const container = {
  name: 'reviews',
  image: 'docker.io/istio/examples-bookinfo-reviews-v1:1.20.3',
  imagePullPolicy: 'IfNotPresent',
  ports: [{ containerPort: 9080 }],
};
const deployment = (labels: object, spec: object) => ({
  spec: { selector: { matchLabels: { app: 'a' } }, template: { metadata: { labels }, spec } },
});
const pod = (spec: object) => deployment({ app: 'a' }, spec);

const env = (...variables: object[]) => pod({ containers: [{ ...container, env: variables }] });
const job = (spec: object) => ({
  spec: { template: { spec: { restartPolicy: 'Never', containers: [container] } }, ...spec },
});
const JOB_POLICY =
  'error spec.template.spec.restartPolicy: expected OnFailure or Never, as pods of a job are to end, got Always (the default)';
const intercepted = (name: string, value: string) => ({
  metadata: { name: 'a', annotations: { [`traffic.sidecar.istio.io/${name}`]: value } },
  spec: { containers: [container] },
});
const deploymentWith = (annotations: object) => ({
  spec: {
    selector: { matchLabels: { app: 'a' } },
    template: { metadata: { labels: { app: 'a' }, annotations }, spec: { containers: [container] } },
  },
});

describe("Kubernetes' kinds", () => {
  test.each<[string, string, object]>([
    ['v1', 'Service', { spec: { ports: [port], selector: { app: 'a' } } }],
    ['v1', 'Service', { spec: { clusterIP: 'None' } }],
    ['v1', 'Service', { spec: { type: 'ExternalName', externalName: 'a.com' } }],
    ['v1', 'Service', { spec: { ports: [port], ipFamilies: ['IPv4'], internalTrafficPolicy: 'Cluster' } }],
    [
      'apps/v1',
      'Deployment',
      pod({
        serviceAccountName: 'a',
        containers: [{ ...container, resources: {}, volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }] }],
        volumes: [{ name: 'tmp', emptyDir: {} }],
      }),
    ],
    [
      'apps/v1',
      'Deployment',
      pod({
        initContainers: [{ ...container, name: 'helper', restartPolicy: 'Always' }],
        containers: [
          {
            ...container,
            envFrom: [{ prefix: 'A_', secretRef: { name: 'db', optional: true } }, { configMapRef: { name: 'c' } }],
            env: [
              { name: 'my.name', value: 'x' },
              { name: 'B', valueFrom: { configMapKeyRef: { name: 'c', key: 'k', optional: true } } },
            ],
          },
        ],
      }),
    ],
    ['batch/v1', 'Job', job({ completions: 3, parallelism: 2, backoffLimit: 0, ttlSecondsAfterFinished: 0 })],
    ['v1', 'Pod', intercepted('includeOutboundIPRanges', '')],
    ['v1', 'Pod', intercepted('includeOutboundIPRanges', '*')],
    ['v1', 'Pod', intercepted('includeOutboundIPRanges', ' 172.30.0.0/16, 172.20.0.0/16,fd00::/8')],
    [
      'discovery.k8s.io/v1',
      'EndpointSlice',
      {
        addressType: 'IPv4',
        endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
        ports: [{ port: 80 }],
      },
    ],
    ['v1', 'Secret', { data: { a: 'YQ==' }, stringData: { b: 'c' } }],
  ])('%s %s %j passes without a word', (apiVersion, kind, fields) => {
    expect(said(apiVersion, kind, fields)).toEqual([]);
  });

  test.each<[string, string, object, string]>([
    ['v1', 'Service', { spec: {} }, 'error spec.ports: expected at least one port, got none'],
    [
      'v1',
      'Service',
      { spec: { type: 'ExternalName' } },
      'error spec.externalName: is required with type ExternalName',
    ],
    [
      'v1',
      'Service',
      { spec: { ports: [{ port: 1 }, { port: 2 }] } },
      'error spec.ports[0].name: is required: a service with several ports names them',
    ],
    [
      'v1',
      'Service',
      { spec: { ports: [port, { ...port, port: 1 }] } },
      'error spec.ports[1].name: expected names that differ, got "http" again',
    ],
    [
      'v1',
      'Service',
      { spec: { ports: [port, { ...port, name: 'b' }] } },
      'error spec.ports[1]: expected ports that differ, got 9080 again',
    ],
    [
      'v1',
      'Service',
      { spec: { ports: [{ ...port, nodePort: 30_000 }] } },
      'warning spec.ports[0].nodePort: has no effect',
    ],
    [
      'v1',
      'Service',
      { spec: { Ports: [port], ports: [port] } },
      'warning spec.Ports: unknown field; did you mean `ports`?',
    ],
    [
      'apps/v1',
      'Deployment',
      deployment({}, { containers: [container] }),
      'error spec.template.metadata.labels.app: expected "a", which the selector wants, got none',
    ],
    ['apps/v1', 'Deployment', pod({}), 'error spec.template.spec.containers: is required'],
    [
      'apps/v1',
      'Deployment',
      pod({ containers: [] }),
      'error spec.template.spec.containers: expected at least 1 item, got none',
    ],
    [
      'apps/v1',
      'Deployment',
      pod({ containers: [{ name: 'a' }] }),
      'error spec.template.spec.containers[0].image: is required',
    ],
    [
      'apps/v1',
      'Deployment',
      pod({ containers: [container, container] }),
      'error spec.template.spec.containers[1].name: expected names that differ, got "reviews" again',
    ],
    [
      'apps/v1',
      'Deployment',
      pod({ containers: [container], affinity: {} }),
      'warning spec.template.spec.affinity: has no effect',
    ],
    [
      'apps/v1',
      'Deployment',
      pod({ containers: [container], initContainers: [container] }),
      'error spec.template.spec.containers[0].name: expected names that differ, got "reviews" again',
    ],
    [
      'apps/v1',
      'Deployment',
      env({ name: 'A', valueFrom: { secretKeyRef: { name: 'db' } } }),
      'error spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.key: is required',
    ],
    [
      'apps/v1',
      'Deployment',
      env({ name: 'A', valueFrom: {} }),
      'error spec.template.spec.containers[0].env[0].valueFrom: expected one source, got none',
    ],
    [
      'apps/v1',
      'Deployment',
      env({ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }),
      'error spec.template.spec.containers[0].env[0].valueFrom: expected value or valueFrom, got both',
    ],
    [
      'apps/v1',
      'Deployment',
      env({ name: 'A=B', value: 'x' }),
      'error spec.template.spec.containers[0].env[0].name: expected the name of an environment variable',
    ],
    [
      'apps/v1',
      'Deployment',
      pod({ containers: [{ ...container, envFrom: [{ prefix: 'A_' }] }] }),
      'error spec.template.spec.containers[0].envFrom[0]: expected secretRef or configMapRef',
    ],
    [
      'apps/v1',
      'Deployment',
      pod({ containers: [container], initContainers: [{ ...container, name: 'a', restartPolicy: 'Never' }] }),
      'error spec.template.spec.initContainers[0].restartPolicy: expected',
    ],
    ['batch/v1', 'Job', { spec: { template: { spec: { containers: [container] } } } }, JOB_POLICY],
    ['batch/v1', 'Job', { spec: {} }, 'error spec.template: is required'],
    [
      'batch/v1',
      'Job',
      job({ completionMode: 'Indexed' }),
      'error spec.completionMode: Indexed is not supported: pods of a job have no numbers here',
    ],
    ['batch/v1', 'Job', job({ completions: -1 }), 'error spec.completions: expected'],
    [
      'v1',
      'Pod',
      intercepted('includeOutboundIPRanges', '10.0.0.0/8,300.0.0.0/8'),
      'error metadata.annotations[traffic.sidecar.istio.io/includeOutboundIPRanges]: expected *, or IP ranges such as 10.0.0.0/8 with commas between, got "300.0.0.0/8"',
    ],
    [
      'v1',
      'Pod',
      intercepted('includeOutboundIPRanges', '10.0.0.0/8,*'),
      'error metadata.annotations[traffic.sidecar.istio.io/includeOutboundIPRanges]: expected *, or IP ranges such as 10.0.0.0/8 with commas between, got "*"; * stands alone',
    ],
    [
      'v1',
      'Pod',
      intercepted('excludeOutboundIPRanges', '*'),
      'error metadata.annotations[traffic.sidecar.istio.io/excludeOutboundIPRanges]: expected IP ranges such as 10.0.0.0/8 with commas between, got "*"',
    ],
    [
      'v1',
      'Pod',
      intercepted('excludeOutboundPorts', '3306,70000'),
      'error metadata.annotations[traffic.sidecar.istio.io/excludeOutboundPorts]: expected ports from 1 to 65535 with commas between, got "70000"',
    ],
    [
      'apps/v1',
      'Deployment',
      deploymentWith(intercepted('includeOutboundPorts', 'mysql').metadata.annotations),
      'error spec.template.metadata.annotations[traffic.sidecar.istio.io/includeOutboundPorts]: expected ports',
    ],
    [
      'v1',
      'Pod',
      intercepted('includeOutboundIPRanges', Array.from({ length: 60 }, (_, i) => `fd00:${i + 1}::1`).join()),
      'error metadata.annotations: expected fewer IP ranges',
    ],
    [
      'apps/v1',
      'Deployment',
      pod({ containers: [container], volumes: [{ name: 'c', configMap: {} }] }),
      'warning spec.template.spec.volumes[0].configMap: has no effect',
    ],
    [
      'discovery.k8s.io/v1',
      'EndpointSlice',
      { addressType: 'IPv4', endpoints: [{ addresses: ['::1'] }] },
      'error endpoints[0].addresses[0]: expected an IPv4 address, got "::1"',
    ],
    ['v1', 'Secret', { data: { a: 'ä' } }, 'error data.a: expected base64'],
  ])('says of a %s %s %j: %s', (apiVersion, kind, fields, message) => {
    expect(said(apiVersion, kind, fields)).toContainEqual(expect.stringContaining(message));
  });
});
