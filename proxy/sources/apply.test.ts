import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'vitest';
import { DEFAULT_MESH } from '../compile/defaults.ts';
import type { Resource } from '../istio/resource.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { Applier, type Applied } from './apply.ts';

const NODE: ProxyNode = {
  role: 'sidecar',
  name: 'test-0',
  namespace: 'default',
  workload: 'test',
  serviceAccount: 'default',
  labels: { app: 'test' },
  ip: '127.0.0.1',
  canonicalService: 'test',
  canonicalRevision: 'latest',
  cluster: 'Kubernetes',
  trustDomain: 'cluster.local',
  rootNamespace: 'istio-system',
  portMap: {},
  interception: 'NONE',
  appPorts: {},
};

const service: Resource = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'reviews', namespace: 'default' },
  spec: { selector: { app: 'reviews' }, ports: [{ name: 'http', port: 9080 }] },
};

const slice = (address: string): Resource => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'reviews-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'reviews' } },
  spec: undefined,
  addressType: 'IPv4',
  endpoints: [{ addresses: [address], conditions: { ready: true } }],
  ports: [{ name: 'http', port: 9080, protocol: 'TCP' }],
});

type Published = { applied: Applied; snapshot: Snapshot | null };

describe('applying updates', () => {
  let dir: string;
  let published: Published[];
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'lateen-apply-'));
    published = [];
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const applier = (stateDir: string | null = null): Applier =>
    new Applier(
      NODE,
      DEFAULT_MESH,
      stateDir,
      (applied, snapshot) => void published.push({ applied, snapshot }),
      () => undefined,
    );
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

  test('makes one change of those that come in one turn', async () => {
    const it = applier();
    it.onUpdate({ resources: [], problems: [], revision: 1 });
    it.onUpdate({ resources: [service], problems: [], revision: 2 });
    await turn();
    assert.equal(published.length, 1);
    assert.equal(published[0]!.applied.revision, 2);
  });

  test('sends endpoints alone when nothing else changed', async () => {
    const it = applier();
    it.onUpdate({ resources: [service, slice('127.0.0.2')], problems: [], revision: 1 });
    await turn();
    it.onUpdate({ resources: [service, slice('127.0.0.3')], problems: [], revision: 2 });
    await turn();
    const [first, second] = published;
    assert.notEqual(first!.snapshot, null);
    assert.equal(second!.snapshot, null);
    const addresses = (p: Published): unknown =>
      Object.values(p.applied.discovery.endpoints)
        .flat()
        .map((e) => e.address);
    assert.deepEqual(addresses(second!), ['127.0.0.3']);
  });

  test('keeps the last good configuration on disk, for a start without a source', async () => {
    const it = applier(dir);
    it.onUpdate({ resources: [service], problems: [], revision: 9 });
    await turn();
    await it.saved();
    const again = applier(dir);
    assert.equal(again.restore(), true);
    assert.equal(again.current!.revision, 9);
    assert.equal(again.current!.snapshot.version, it.current!.snapshot.version);
  });

  test('does not start on what another proxy left there', async () => {
    const it = applier(dir);
    it.onUpdate({ resources: [service], problems: [], revision: 9 });
    await turn();
    await it.saved();
    const other = new Applier(
      { ...NODE, ip: '127.0.0.9' },
      DEFAULT_MESH,
      dir,
      () => undefined,
      () => undefined,
    );
    assert.equal(other.restore(), false);
  });
});
