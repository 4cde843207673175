import { describe, expect, test } from 'vitest';
import { parseText } from '../istio/parse.ts';
import { ResourceSet } from '../istio/resource.ts';
import type { NameTable } from '../snapshot/name-table.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import { compile } from './compile.ts';
import { DEFAULT_MESH } from './defaults.ts';

function namesOf(text: string, changes: Partial<ProxyNode> = {}): NameTable {
  const node: ProxyNode = {
    role: 'sidecar',
    name: 'reviews-0',
    namespace: 'default',
    workload: 'reviews',
    serviceAccount: 'default',
    labels: { app: 'reviews' },
    ip: '10.1.0.1',
    canonicalService: 'reviews',
    canonicalRevision: 'v1',
    cluster: 'Kubernetes',
    trustDomain: 'cluster.local',
    rootNamespace: 'istio-system',
    portMap: {},
    interception: 'REDIRECT',
    appPorts: {},
    ...changes,
  };
  const { resources, problems } = parseText(text, { defaultNamespace: 'default' });
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  return compile(new ResourceSet(resources), node, DEFAULT_MESH).names;
}

const service = (name: string, spec: string, namespace = 'default'): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ports: [{ name: http, port: 80 }], ${spec} }
---`;

const entry = (name: string, spec: string, labels = ''): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, labels: { ${labels} } }
spec: { ports: [{ number: 443, name: tls, protocol: TLS }], ${spec} }
---`;

const slice = (service: string, endpoints: string): string => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${service}-1, namespace: default, labels: { kubernetes.io/service-name: ${service} } }
addressType: IPv4
ports: [{ name: http, port: 80 }]
endpoints: [${endpoints}]
---`;

describe('the names a sidecar answers for', () => {
  test('a Service, in the forms a resolver of its namespace completes', () => {
    expect(namesOf(service('ratings', 'clusterIPs: [10.96.0.1, "fd00::1"], clusterIP: 10.96.0.1'))).toEqual({
      'ratings.default.svc.cluster.local': {
        addresses: ['10.96.0.1', 'fd00::1'],
        alternates: ['ratings', 'ratings.default', 'ratings.default.svc'],
      },
    });
  });

  test('a Service of another namespace has no name of one word', () => {
    const names = namesOf(service('db', 'clusterIP: 10.96.0.2', 'data'));
    expect(names['db.data.svc.cluster.local']!.alternates).toEqual(['db.data', 'db.data.svc']);
  });

  test('a headless Service by its ready endpoints, and those of its pods that have a name', () => {
    const endpoints =
      '{ addresses: [10.1.0.5], hostname: mysql-0, conditions: { ready: true } },' +
      '{ addresses: [10.1.0.6] }, { addresses: [10.1.0.7], hostname: mysql-2, conditions: { ready: false } }';
    expect(namesOf(service('mysql', 'clusterIP: None') + slice('mysql', endpoints))).toEqual({
      'mysql-0.mysql.default.svc.cluster.local': {
        addresses: ['10.1.0.5'],
        alternates: ['mysql-0.mysql', 'mysql-0.mysql.default', 'mysql-0.mysql.default.svc'],
      },
      'mysql.default.svc.cluster.local': {
        addresses: ['10.1.0.5', '10.1.0.6'],
        alternates: ['mysql', 'mysql.default', 'mysql.default.svc'],
      },
    });
  });

  test.each([
    [
      'has addresses, ranges aside',
      'hosts: [db.example], addresses: [10.9.0.1, 10.8.0.0/16], resolution: STATIC, endpoints: [{ address: 10.7.0.1 }]',
      ['10.9.0.1'],
    ],
    ['has a range alone', 'hosts: [db.example], addresses: [10.8.0.0/16], resolution: NONE', null],
    ['has no address, and NONE', 'hosts: [db.example], resolution: NONE', null],
    ['has no address', 'hosts: [db.example], resolution: DNS', [expect.stringMatching(/^240\.240\./)]],
  ])('a ServiceEntry that %s', (_, spec, addresses) => {
    const names = namesOf(entry('db', spec));
    expect(names['db.example']?.addresses ?? null).toEqual(addresses);
    expect(names['db.example']?.alternates ?? []).toEqual([]);
  });

  test('a ServiceEntry of workloads that are connected to themselves, by their addresses', () => {
    const workload = (name: string, address: string, app: string): string => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name} }
spec: { address: ${address}, labels: { app: ${app} } }
---`;
    const spec =
      'hosts: [vms.example], location: MESH_INTERNAL, resolution: NONE, workloadSelector: { labels: { app: vm } }';
    const text = entry('vms', spec) + workload('a', '10.5.0.1', 'vm') + workload('b', '10.5.0.2', 'other');
    expect(namesOf(text)['vms.example']!.addresses).toEqual(['10.5.0.1']);
  });

  test('addresses that were made up are of the family that the pod has', () => {
    const names = namesOf(entry('db', 'hosts: [db.example], resolution: DNS'), { ip: 'fd00::7' });
    expect(names['db.example']!.addresses).toEqual([expect.stringMatching(/^2001:2::f0f0:/)]);
  });

  test('a ServiceEntry that wants none made up is left to the resolvers of the system', () => {
    const label = 'networking.istio.io/enable-autoallocate-ip: "false"';
    expect(namesOf(entry('db', 'hosts: [db.example], resolution: DNS', label))).toEqual({});
  });

  test('a wildcard when it has addresses', () => {
    const names = namesOf(
      entry('a', 'hosts: ["*.a.example"], addresses: [10.9.0.2], resolution: NONE') +
        entry('b', 'hosts: ["*.b.example"], resolution: NONE'),
    );
    expect(Object.keys(names)).toEqual(['*.a.example']);
  });

  test('what is not exported to it, or not imported by its Sidecar, it does not name', () => {
    const text =
      entry('hidden', 'hosts: [hidden.example], resolution: DNS, exportTo: [other]') +
      entry('seen', 'hosts: [seen.example], resolution: DNS') +
      entry('left-out', 'hosts: [left-out.example], resolution: DNS');
    const sidecar = `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec: { egress: [{ hosts: ["*/seen.example"] }] }`;
    expect(Object.keys(namesOf(text))).toEqual(['left-out.example', 'seen.example']);
    expect(Object.keys(namesOf(text + sidecar))).toEqual(['seen.example']);
  });

  test('a host of a Service and a ServiceEntry is the Service’s', () => {
    const names = namesOf(
      entry('x', 'hosts: [ratings.default.svc.cluster.local], addresses: [10.9.0.3], resolution: NONE') +
        service('ratings', 'clusterIP: 10.96.0.1'),
    );
    expect(names['ratings.default.svc.cluster.local']!.addresses).toEqual(['10.96.0.1']);
  });

  test('an alias of another host is for others to resolve', () => {
    expect(namesOf(service('alias', 'type: ExternalName, externalName: out.example'))).toEqual({});
  });

  test('a gateway has no application to answer', () => {
    expect(namesOf(service('ratings', 'clusterIP: 10.96.0.1'), { role: 'gateway' })).toEqual({});
  });
});
