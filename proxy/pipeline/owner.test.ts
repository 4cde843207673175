import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { Connection } from '../live/connection.ts';
import type { ProxyNode, Workload } from '../snapshot/node.ts';
import { mayUseOutbound } from './owner.ts';

const workload = (name: string, ip: string): Workload => ({
  name,
  namespace: 'default',
  workload: name,
  serviceAccount: 'default',
  labels: {},
  ip,
  canonicalService: name,
  canonicalRevision: 'latest',
  cluster: 'Kubernetes',
});

const node = (ip: string): ProxyNode => ({
  ...workload('reviews-v1', ip),
  role: 'sidecar',
  trustDomain: 'cluster.local',
  rootNamespace: 'istio-system',
  portMap: {},
  interception: 'NONE',
  appPorts: {},
});

const from = (remoteAddress: string, peer: Workload | null = null): Connection => ({
  id: 1,
  remoteAddress,
  remotePort: 1,
  localAddress: '',
  localPort: 15001,
  redirected: false,
  peer,
  serverName: '',
});

describe('the outbound port of reviews-v1', () => {
  const own = node('127.1.0.5');
  for (const [who, connection, may] of [
    ['its application, through loopback', from('127.0.0.1'), true],
    ['its application, from its own address', from('127.1.0.5', workload('reviews-v1', '127.1.0.5')), true],
    ['reviews-v3, from the address it has in the mesh', from('127.1.0.6', workload('reviews-v3', '127.1.0.6')), false],
    ['a machine of the network', from('10.0.0.9'), false],
    ['a machine of the network that the mesh knows', from('10.0.0.9', workload('x', '10.0.0.9')), false],
  ] as const) {
    test(`${may ? 'serves' : 'refuses'} ${who}`, () => assert.equal(mayUseOutbound(own, connection), may));
  }

  test('in a pod of its own network serves loopback and the pod’s address', () => {
    const pod = node('10.0.0.5');
    assert.equal(mayUseOutbound(pod, from('::1')), true);
    assert.equal(mayUseOutbound(pod, from('10.0.0.5')), true);
    assert.equal(mayUseOutbound(pod, from('10.0.0.6')), false);
  });
});
