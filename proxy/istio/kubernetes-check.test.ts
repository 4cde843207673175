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
      'warning spec.template.spec.initContainers: has no effect',
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
