import { describe, expect, test } from 'vitest';
import type { Resource } from '#proxy/istio/resource.ts';
import { fieldSelector, labelSelector } from './selector.ts';

const reviews: Resource = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'reviews-v1',
    namespace: 'default',
    labels: { app: 'reviews', version: 'v1', 'istio.io/rev': '3' },
  },
  spec: {},
  status: { phase: 'Running' },
};

describe('label selector', () => {
  for (const [text, matches] of [
    ['', true],
    ['app=reviews', true],
    ['app==reviews,version=v1', true],
    ['app=reviews,version=v2', false],
    ['version!=v2', true],
    ['missing!=x', true],
    ['version in (v1, v2)', true],
    ['version notin (v1,v2),app', false],
    ['missing notin (a)', true],
    ['app', true],
    ['!app', false],
    ['! missing', true],
    ['istio.io/rev>2', true],
    ['constructor', false],
  ] as const) {
    test(`"${text}" ${matches ? 'matches' : 'does not match'}`, () =>
      expect(labelSelector(text)(reviews)).toBe(matches));
  }
  for (const text of ['a b', '!__proto__', 'in (a)', 'app=(x)', '=x']) {
    test(`"${text}" is refused, naming the part that is wrong`, () =>
      expect(() => labelSelector(text)).toThrow(/unable to parse/));
  }
});

describe('field selector', () => {
  for (const [text, matches] of [
    ['metadata.name=reviews-v1', true],
    ['metadata.name!=reviews-v1', false],
    ['status.phase==Running,metadata.namespace=default', true],
    ['status.phase!=Running', false],
    ['status.constructor.name=Object', false],
    ['spec.nodeName=', true],
  ] as const) {
    test(`"${text}" ${matches ? 'matches' : 'does not match'}`, () =>
      expect(fieldSelector(text)(reviews)).toBe(matches));
  }
  test('text without an operator is refused', () =>
    expect(() => fieldSelector('metadata.name')).toThrow(/FIELD=VALUE/));
});
