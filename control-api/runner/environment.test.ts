import { describe, expect, test } from 'vitest';
import type { Resource } from '#proxy/istio/resource.ts';
import { openStore } from '../open-store.ts';
import { containerEnv, expand, inheritedEnv, MissingConfigError } from './environment.ts';
import type { ContainerSpec, Pod } from './object.ts';

const store = openStore({ dir: null });
for (const [kind, data] of [
  ['Secret', { user: Buffer.from('ann').toString('base64') }],
  ['ConfigMap', { mode: 'fast' }],
] as const) {
  store.put({ apiVersion: 'v1', kind, metadata: { name: 'it', namespace: 'default' }, data } as unknown as Resource, {
    via: 'test',
    user: '',
  });
}
const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'default', labels: { app: 'a' } },
  spec: { containers: [], nodeName: 'n' },
  status: { phase: 'Pending', podIP: '127.1.0.9' },
};
const env = (container: Partial<ContainerSpec>, base = {}): Record<string, string> =>
  containerEnv(store, pod, { name: 'c', ...container }, base);

describe('the environment of a container', () => {
  test('has values, keys of Secrets and ConfigMaps, and fields of the Pod, over what the image has', () => {
    const variables = [
      { name: 'A', value: '1' },
      { name: 'B', value: '$(A)2' },
      { name: 'USER_NAME', valueFrom: { secretKeyRef: { name: 'it', key: 'user' } } },
      { name: 'MODE', valueFrom: { configMapKeyRef: { name: 'it', key: 'mode' } } },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      { name: 'NONE', valueFrom: { secretKeyRef: { name: 'none', key: 'k', optional: true } } },
    ];
    expect(env({ env: variables }, { A: 'image', KEPT: 'image' })).toEqual({
      A: '1',
      B: '12',
      USER_NAME: 'ann',
      MODE: 'fast',
      IP: '127.1.0.9',
      APP: 'a',
      KEPT: 'image',
    });
  });

  test('takes whole Secrets and ConfigMaps, with a prefix', () => {
    expect(env({ envFrom: [{ secretRef: { name: 'it' } }, { prefix: 'C_', configMapRef: { name: 'it' } }] })).toEqual({
      user: 'ann',
      C_mode: 'fast',
    });
  });

  for (const [what, container, problem] of [
    ['a Secret', { envFrom: [{ secretRef: { name: 'x' } }] }, 'secret "x" not found'],
    [
      'a key',
      { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'it', key: 'x' } } }] },
      "couldn't find key x in Secret default/it",
    ],
    [
      'a field',
      { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.x' } } }] },
      'fieldRef spec.x is not known',
    ],
  ] as const) {
    test(`lacks ${what}: that is told`, () => {
      expect(() => env(container)).toThrow(MissingConfigError);
      expect(() => env(container)).toThrow(problem);
    });
  }

  test('may not hold a NUL byte; the message names the variable and not its value', () => {
    expect(() => env({ env: [{ name: 'A', value: 'secret\0' }] })).toThrow(
      new MissingConfigError('the value of "A" contains a NUL byte, which no environment variable can hold'),
    );
  });

  test('does not have the proxies and secrets of the one who started the mesh', () => {
    expect(
      inheritedEnv({ PATH: '/bin', http_proxy: 'http://corp', AWS_SECRET_ACCESS_KEY: 'x', NODE_OPTIONS: '--inspect' }),
    ).toEqual({ PATH: '/bin' });
  });
});

test.each([
  ['$(A)', 'x'],
  ['$$(A)', '$(A)'],
  ['$(B)', '$(B)'],
  ['a$b', 'a$b'],
  ['$$', '$'],
])('%s expands to %s', (text, expected) => {
  expect(expand(text, { A: 'x' })).toBe(expected);
});
