import { describe, expect, test } from 'vitest';
import type { Resource } from '#proxy/istio/resource.ts';
import { resourceDiff } from './resource-diff.ts';

const object = (kind: string, more: object, metadata: object = {}): Resource =>
  ({
    apiVersion: 'v1',
    kind,
    metadata: { name: 'a', namespace: 'default', ...metadata },
    ...more,
  }) as unknown as Resource;
const changed = (text: string): string[] => text.split('\n').filter((line) => /^[-+] {2}/.test(line));

describe('difference of two states of a resource', () => {
  test('leaves out what the server keeps for itself', () => {
    const before = object('ConfigMap', { data: { a: '1' } }, { resourceVersion: '1', uid: 'x', generation: 1 });
    const after = object('ConfigMap', { data: { a: '1' }, status: {} }, { resourceVersion: '2', uid: 'y' });
    expect(resourceDiff(before, after, ['a', 'b'])).toBe('');
  });

  test('shows all of what comes or goes', () => {
    const one = object('ConfigMap', { data: { a: '1' } });
    expect(resourceDiff(null, one, ['a', 'b'])).toMatch(/^--- a\n\+\+\+ b\n@@ -1,0 \+1,7 @@\n\+apiVersion: v1\n/);
    expect(resourceDiff(one, null, ['a', 'b'])).toMatch(/\n-apiVersion: v1\n/);
  });

  test('never shows a secret, but that it differs', () => {
    const before = object('Secret', { data: { same: 'c2FtZQ==', other: 'b25l', gone: 'Z29uZQ==' } });
    const after = object('Secret', { data: { same: 'c2FtZQ==', other: 'dHdv' } });
    const text = resourceDiff(before, after, ['a', 'b']);
    expect(changed(text)).toEqual(['-  other: "*** (before)"', '-  gone: "***"', '+  other: "*** (after)"']);
    expect(text).not.toMatch(/c2FtZQ|b25l|dHdv|Z29uZQ/);
  });
});
