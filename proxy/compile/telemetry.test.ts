/** Telemetry resources that came past validation: what cannot be read never silences a log, and is told. */
import assert from 'node:assert/strict';
import { test } from 'vitest';
import { ResourceSet, type Resource } from '../istio/resource.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import { compile } from './compile.ts';
import { DEFAULT_MESH } from './defaults.ts';

const node: ProxyNode = {
  role: 'sidecar',
  name: 'a-0',
  namespace: 'default',
  workload: 'a',
  serviceAccount: 'default',
  labels: { app: 'a' },
  ip: '127.61.0.9',
  canonicalService: 'a',
  canonicalRevision: 'latest',
  cluster: 'Kubernetes',
  trustDomain: 'cluster.local',
  rootNamespace: 'istio-system',
  portMap: {},
  interception: 'NONE',
  appPorts: {},
};

const compiled = (spec: unknown) => {
  const resource: Resource = {
    apiVersion: 'telemetry.istio.io/v1',
    kind: 'Telemetry',
    metadata: { name: 't', namespace: 'default' },
    spec,
  };
  const { snapshot, problems } = compile(new ResourceSet([resource]), node, DEFAULT_MESH);
  return { ...snapshot.telemetry, told: problems.map((p) => `${p.severity} ${p.path}: ${p.message}`) };
};

test('a condition that cannot be read logs everything', () => {
  const { logs, told } = compiled({ accessLogging: [{ filter: { expression: 'response.cod >= 400' } }] });
  assert.deepEqual(
    logs.server.map(({ filter }) => filter),
    [null],
  );
  assert.deepEqual(told, [
    'error spec.accessLogging[0].filter.expression: expected a CEL expression; at character 1: unknown attribute ' +
      '`response.cod`; did you mean `response.code`?; everything is logged',
  ]);
});

test('a label that cannot be read stays as it is, and the others change', () => {
  const tagOverrides = { a: { value: '((' }, b: { value: 'request.host' } };
  const { metrics, told } = compiled({
    metrics: [{ overrides: [{ match: { metric: 'REQUEST_COUNT' }, tagOverrides }] }],
  });
  assert.deepEqual(Object.keys(metrics.client.REQUEST_COUNT?.tags ?? {}), ['b']);
  assert.match(told.join(), /tagOverrides\[a\]\.value: expected a CEL expression.*the label stays as it is/);
});

test('entries of shapes nobody foresaw change nothing, and are told', () => {
  for (const spec of [{ accessLogging: 5 }, { tracing: [null] }, { metrics: [{ overrides: [null] }] }]) {
    const { logs, tracing, told } = compiled(spec);
    assert.equal(logs.server.length, 1, JSON.stringify(spec));
    assert.equal(tracing.server.percent, 1);
    assert.ok(told.length > 0, JSON.stringify(spec));
  }
});
