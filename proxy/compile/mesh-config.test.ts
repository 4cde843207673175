/** The mesh's own settings, as Istio's ConfigMap has them. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { parseText } from '../istio/parse.ts';
import { ResourceSet } from '../istio/resource.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import { compile } from './compile.ts';
import { DEFAULT_MESH } from './defaults.ts';

const node: ProxyNode = {
  role: 'gateway',
  name: 'gw-0',
  namespace: 'istio-system',
  workload: 'gw',
  serviceAccount: 'default',
  labels: {},
  ip: '127.0.0.1',
  canonicalService: 'gw',
  canonicalRevision: 'latest',
  cluster: 'Kubernetes',
  trustDomain: 'cluster.local',
  rootNamespace: 'istio-system',
  portMap: {},
  interception: 'NONE',
  appPorts: {},
};

const map = (mesh: string, name = 'istio', namespace = 'istio-system'): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { mesh } });

const compiled = (text: string, flags: Partial<typeof DEFAULT_MESH> = {}) =>
  compile(new ResourceSet(parseText(text, { defaultNamespace: 'default' }).resources), node, {
    ...DEFAULT_MESH,
    ...flags,
  });

const normalization = (mode: string): string =>
  `accessLogFile: /dev/stdout\npathNormalization: { normalization: ${mode} }\n`;

describe('the path normalization', () => {
  for (const mode of ['NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES'])
    test(`is ${mode} when the ConfigMap says so`, () => {
      const { snapshot, problems } = compiled(map(normalization(mode)));
      assert.deepEqual([snapshot.pathNormalization, problems], [mode, []]);
    });

  test('is that of the flag when the ConfigMap says nothing, or DEFAULT, or is another', () => {
    for (const text of [
      '',
      map(''),
      map('trustDomain: a'),
      map(normalization('DEFAULT')),
      map(normalization('NONE'), 'istio', 'default'),
      map(normalization('NONE'), 'other'),
    ])
      assert.equal(compiled(text, { pathNormalization: 'MERGE_SLASHES' }).snapshot.pathNormalization, 'MERGE_SLASHES');
  });

  test('changes the version, and nothing else of the snapshot', () => {
    const [before, after] = [compiled('').snapshot, compiled(map(normalization('NONE'))).snapshot];
    assert.notEqual(before.version, after.version);
    assert.deepEqual(
      { ...before, version: '', pathNormalization: '' },
      { ...after, version: '', pathNormalization: '' },
    );
  });

  for (const [what, mesh, message] of [
    [
      'a mode that is none',
      normalization('base'),
      'expected one of DEFAULT, NONE, BASE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES, got "base"',
    ],
    [
      'no word at all',
      normalization('[1]'),
      'expected one of DEFAULT, NONE, BASE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES, got [1]',
    ],
  ] as const)
    test(`stays as it was when there is ${what}`, () => {
      const { snapshot, problems } = compiled(map(mesh));
      assert.equal(snapshot.pathNormalization, 'BASE');
      assert.deepEqual(
        problems.map((p) => [p.severity, p.path, p.message, p.resource?.name]),
        [['error', 'data.mesh.pathNormalization.normalization', message, 'istio']],
      );
    });

  test('stays as it was when the text is no YAML', () => {
    const { snapshot, problems } = compiled(map('a: [b'));
    assert.equal(snapshot.pathNormalization, 'BASE');
    assert.equal(problems[0]?.path, 'data.mesh');
  });
});
