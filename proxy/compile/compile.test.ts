import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { assert as check, boolean, constantFrom, infiniteStream, nat, oneof, property, string } from 'fast-check';
import { describe, test } from 'vitest';
import { parseText } from '../istio/parse.ts';
import { type Resource, ResourceSet } from '../istio/resource.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import { analyze } from './analyze.ts';
import { compile } from './compile.ts';
import { DEFAULT_MESH } from './defaults.ts';
import { canonicalOf } from './workloads.ts';

const read = (text: string): Resource[] => parseText(text, { defaultNamespace: 'default' }).resources;
const BOOKINFO = read(readFileSync('test/golden/bookinfo.base.yaml', 'utf8'));

const node = (changes: Partial<ProxyNode> = {}): ProxyNode => {
  const labels = { app: 'productpage', version: 'v1' };
  return {
    name: 'productpage-v1-0',
    namespace: 'default',
    workload: 'productpage-v1',
    serviceAccount: 'bookinfo-productpage',
    labels,
    ip: '127.1.0.7',
    ...canonicalOf(labels, 'productpage-v1'),
    cluster: 'Kubernetes',
    role: 'sidecar',
    trustDomain: 'cluster.local',
    rootNamespace: 'istio-system',
    portMap: {},
    interception: 'NONE',
    appPorts: { '9080': { host: '127.0.0.1', port: 41234 } },
    ...changes,
  };
};

const compiled = (resources: Iterable<Resource>, changes: Partial<ProxyNode> = {}) =>
  compile(new ResourceSet(resources), node(changes), DEFAULT_MESH);

const toV3 = read(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews, subset: v3 } }] }] }
`);

describe('compile', () => {
  test('gives the same version for the same meaning, whatever order the resources came in', () => {
    const one = compiled([...BOOKINFO, ...toV3]);
    const other = compiled([...BOOKINFO, ...toV3].reverse());
    assert.equal(one.snapshot.version, other.snapshot.version);
    assert.deepEqual(one.snapshot, other.snapshot);
  });

  test('gives another version when the meaning changes', () => {
    assert.notEqual(compiled(BOOKINFO).snapshot.version, compiled([...BOOKINFO, ...toV3]).snapshot.version);
  });

  test('keeps the version when something changes that this proxy does not see', () => {
    const hidden = read(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: other }
spec: { hosts: [reviews.default.svc.cluster.local], exportTo: ['.'], http: [{ directResponse: { status: 500 } }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ratings }
spec: { selector: { matchLabels: { app: ratings } }, rules: [] }
`);
    assert.equal(compiled(BOOKINFO).snapshot.version, compiled([...BOOKINFO, ...hidden]).snapshot.version);
  });

  test('keeps the version when endpoints change: they are discovery, not snapshot', () => {
    const fewer = BOOKINFO.filter((r) => r.kind !== 'EndpointSlice');
    const [all, none] = [compiled(BOOKINFO), compiled(fewer)];
    const name = 'outbound|9080||reviews.default.svc.cluster.local';
    assert.equal(all.snapshot.version, none.snapshot.version);
    assert.equal(all.discovery.endpoints[name]?.length, 3);
    assert.equal(none.discovery.endpoints[name]?.length, 0);
  });

  test('takes a resource that is there twice for one', () => {
    assert.equal(compiled([...BOOKINFO, ...BOOKINFO]).snapshot.version, compiled(BOOKINFO).snapshot.version);
  });

  test('freezes what it returns and leaves what it was given alone', () => {
    const own = node();
    const { snapshot, discovery } = compile(new ResourceSet(BOOKINFO), own, DEFAULT_MESH);
    for (const part of [
      snapshot,
      snapshot.listeners[0],
      snapshot.tables['9080']?.virtualHosts[0]?.routes,
      discovery.workloads,
    ]) {
      assert.ok(Object.isFrozen(part));
    }
    assert.ok(!Object.isFrozen(own) && !Object.isFrozen(own.labels));
  });

  test('is plain data: what a worker is sent is what was compiled', () => {
    const { snapshot } = compiled([...BOOKINFO, ...toV3]);
    assert.deepEqual(structuredClone(snapshot), snapshot);
    assert.deepEqual(JSON.parse(JSON.stringify(snapshot)), snapshot);
  });
});

describe('a resource that is broken', () => {
  const GROUPS: Readonly<Record<string, string>> = {
    VirtualService: 'networking.istio.io/v1',
    AuthorizationPolicy: 'security.istio.io/v1',
    rule: 'config.istio.io/v1alpha2',
  };
  const broken = (kind: string, spec: unknown, name = 'broken'): Resource => ({
    apiVersion: GROUPS[kind]!,
    kind,
    metadata: { name, namespace: 'default' },
    spec,
  });

  test('takes no other resource down with it, and is told', () => {
    const { snapshot, problems } = compiled([...BOOKINFO, ...toV3, broken('VirtualService', { hosts: 5, http: 'x' })]);
    assert.equal(snapshot.tables['9080']?.virtualHosts.length, 5);
    assert.ok(problems.some((p) => p.severity === 'error' && p.resource?.name === 'broken'));
  });

  test('denies everything when it is a DENY policy, and allows nothing when it is an ALLOW policy', () => {
    const { snapshot } = compiled([
      ...BOOKINFO,
      broken('AuthorizationPolicy', { action: 'DENY', rules: 5 }, 'deny'),
      broken('AuthorizationPolicy', { rules: [{ from: [null] }] }, 'allow'),
    ]);
    const authz = snapshot.listeners.find((l) => l.name === 'inbound_9080')?.authz;
    assert.deepEqual(
      authz?.deny.map((p) => p.rules),
      [[{ when: { kind: 'always' } }]],
    );
    assert.deepEqual(
      authz.allow.map((p) => p.rules),
      [[]],
    );
  });

  test('denies everything of its namespace when it is a Mixer rule', () => {
    const rule = (spec: unknown): Resource => broken('rule', spec);
    for (const spec of [
      { match: '((', actions: [{ handler: 'h.denier' }] },
      { match: 5, actions: [{ handler: 'h.denier' }] },
      { actions: 5 },
    ]) {
      const { snapshot, problems } = compiled([...BOOKINFO, rule(spec)]);
      const deny = snapshot.listeners.find((l) => l.name === 'inbound_9080')?.authz?.deny ?? [];
      assert.deepEqual(
        deny.map((p) => p.rules),
        [[{ when: { kind: 'always' } }]],
        JSON.stringify(spec),
      );
      assert.ok(problems.some((p) => p.severity === 'error'));
    }
  });

  const goldens = globSync('test/golden/*/*.golden').map((file) =>
    read(readFileSync(file, 'utf8').split('\n----------\n')[0] ?? ''),
  );
  const junk = oneof(constantFrom(null, undefined, 5, '', 'x', true, [], [null], {}, { a: 1 }), string());

  test('never makes compile or analyze throw, wherever in it the damage is', () => {
    check(
      property(constantFrom(...goldens), infiniteStream(nat()), junk, boolean(), (resources, dice, value, gateway) => {
        const damaged = structuredClone([...BOOKINFO.slice(0, 9), ...resources]) as unknown[];
        damage(damaged, () => dice.next().value, value);
        const set = new ResourceSet(damaged as Resource[]);
        const who = gateway ? node({ role: 'gateway', labels: { istio: 'ingressgateway' } }) : node();
        const { snapshot, problems } = compile(set, who, DEFAULT_MESH);
        assert.match(snapshot.version, /^[0-9a-f]{16}$/);
        // The last resort, an empty snapshot, is for faults of ours.
        assert.deepEqual(
          problems.filter((p) => p.resource === undefined),
          [],
        );
        analyze(set, DEFAULT_MESH);
      }),
      { numRuns: 1500, seed: 20_260_101 },
    );
  });
});

/** Puts `value` somewhere below, outside apiVersion, kind and metadata (which every source guarantees). */
function damage(resources: unknown[], dice: () => number, value: unknown): void {
  let at = resources[dice() % resources.length] as Record<string, unknown>;
  let keys = Object.keys(at).filter((key) => !['apiVersion', 'kind', 'metadata'].includes(key));
  while (keys.length > 0) {
    const key = keys[dice() % keys.length]!;
    const inner = at[key];
    if (typeof inner !== 'object' || inner === null || dice() % 4 === 0) {
      at[key] = value;
      return;
    }
    at = inner as Record<string, unknown>;
    keys = Object.keys(at);
  }
}
