import { describe, expect, test } from 'vitest';
import { groups, targetOf } from './catalogue.ts';

describe('paths', () => {
  for (const [path, target] of [
    ['/api/v1/pods', { plural: 'pods', namespace: '', name: null, subresource: null }],
    ['/api/v1/namespaces', { plural: 'namespaces', namespace: '', name: null, subresource: null }],
    ['/api/v1/namespaces/default', { plural: 'namespaces', namespace: '', name: 'default', subresource: null }],
    [
      '/api/v1/namespaces/default/status',
      { plural: 'namespaces', namespace: '', name: 'default', subresource: 'status' },
    ],
    ['/api/v1/namespaces/default/pods/x/log', { plural: 'pods', namespace: 'default', name: 'x', subresource: 'log' }],
    [
      '/apis/networking.istio.io/v1alpha3/namespaces/a/virtualservices/b',
      { plural: 'virtualservices', namespace: 'a', name: 'b', subresource: null },
    ],
    [
      '/apis/apps/v1/namespaces/a/deployments/b/scale',
      { plural: 'deployments', namespace: 'a', name: 'b', subresource: 'scale' },
    ],
  ] as const) {
    test(`${path} is understood`, () => {
      const { info, namespace, name, subresource } = targetOf(path);
      expect({ plural: info.plural, namespace, name, subresource }).toEqual(target);
    });
  }
  for (const path of [
    '/api/v2/pods',
    '/api/v1/nopes',
    '/api/v1/pods/x',
    '/apis/networking.istio.io/v2/virtualservices',
    '/api/v1/namespaces/default/namespaces/x',
    '/api/v1/namespaces//pods/x',
    '/api/v1/namespaces/a/pods/b/log/c',
    '/api/v1/namespaces/%zz/pods',
    '/apis/networking.istio.io/v1/constructor',
  ]) {
    test(`${path} is not found`, () => expect(() => targetOf(path)).toThrow(/could not find/));
  }
  test('groups list their newest stable version first', () => {
    expect(groups().get('networking.istio.io')).toEqual(['v1', 'v1beta1', 'v1alpha3']);
  });
});
