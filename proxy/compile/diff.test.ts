import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'vitest';
import { parseText } from '../istio/parse.ts';
import { ResourceSet } from '../istio/resource.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { compile } from './compile.ts';
import { DEFAULT_MESH } from './defaults.ts';
import { describeDiff, diffSnapshots } from './diff.ts';

const base = readFileSync('test/golden/bookinfo.base.yaml', 'utf8');
const node: ProxyNode = {
  name: 'ratings-v1-0',
  namespace: 'default',
  workload: 'ratings-v1',
  serviceAccount: 'bookinfo-ratings',
  labels: { app: 'ratings', version: 'v1' },
  ip: '127.1.0.7',
  canonicalService: 'ratings',
  canonicalRevision: 'v1',
  cluster: 'Kubernetes',
  role: 'sidecar',
  trustDomain: 'cluster.local',
  rootNamespace: 'istio-system',
  portMap: {},
  interception: 'NONE',
  appPorts: {},
};

const snapshotOf = (more: string): Snapshot =>
  compile(
    new ResourceSet(parseText(`${base}\n---\n${more}`, { defaultNamespace: 'default' }).resources),
    node,
    DEFAULT_MESH,
  ).snapshot;

const DENY = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny }
spec: { action: DENY, rules: [{ when: [{ key: 'source.labels[version]', values: [v3] }] }] }`;
const SUBSETS = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec: { host: reviews, subsets: [{ name: v1, labels: { version: v1 } }] }`;
const TO_V1 = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews, subset: v1 } }] }] }`;

describe('what changed between two snapshots', () => {
  test('is nothing between equals', () => {
    assert.equal(describeDiff(diffSnapshots(snapshotOf(SUBSETS), snapshotOf(SUBSETS))), 'nothing');
  });

  test('is named: the cluster of a new subset, the table of a new route', () => {
    const text = describeDiff(diffSnapshots(snapshotOf(''), snapshotOf(`${SUBSETS}\n---\n${TO_V1}`)));
    assert.equal(text, '1 table changed (9080), 1 cluster added (outbound|9080|v1|reviews.default.svc.cluster.local)');
  });

  test('tells a policy by its action and name, not by the listeners it is on', () => {
    assert.equal(describeDiff(diffSnapshots(snapshotOf(''), snapshotOf(DENY))), '1 policy added (DENY default/deny)');
    assert.equal(
      describeDiff(diffSnapshots(snapshotOf(DENY), snapshotOf(DENY.replace('v3', 'v2')))),
      '1 policy changed (DENY default/deny)',
    );
    assert.equal(describeDiff(diffSnapshots(snapshotOf(DENY), snapshotOf(''))), '1 policy removed (DENY default/deny)');
  });

  test('tells how paths are normalized from now on', () => {
    const before = snapshotOf('');
    assert.equal(
      describeDiff(diffSnapshots(before, { ...before, pathNormalization: 'NONE' })),
      'path normalization is now NONE',
    );
  });

  test('is everything when there was nothing before', () => {
    const diff = diffSnapshots(null, snapshotOf(''));
    assert.deepEqual(diff.listeners.added, ['outbound_15001', 'inbound_15006']);
    assert.match(describeDiff(diff), /8 clusters added .* and 3 more/);
  });
});
