import { expect, test } from 'vitest';
import { clusterName, tableName } from '#proxy/core/brand.ts';
import type { Listener } from '#proxy/snapshot/listener.ts';
import { ruleRows } from './rule-rows.ts';

const rule = (destinations: string[], serverNames: string[], ...clusters: string[]) => ({
  destinations,
  serverNames,
  split: clusters.map((name, i) => ({ cluster: clusterName(name), weight: i + 1 })),
  source: null,
});
const bind = { address: '127.41.0.1', port: 15001, direction: 'outbound', authz: null } as const;

test('a rule is a line, with what it is for and where it leads', () => {
  const source = { kind: 'VirtualService', namespace: 'default', name: 'db', path: 'spec.tcp[0]' };
  const listeners: Listener[] = [
    {
      ...bind,
      name: 'outbound_15001',
      kind: 'http',
      pick: 'fixed',
      tables: {},
      fallback: tableName('unknown'),
      forwardProxy: null,
      captured: {
        ports: {
          80: { rules: [], table: tableName('80'), authz: null },
          443: { rules: [rule([], ['a.com', '*.b.com'], 'ext')], table: null, authz: null },
        },
        unknown: { rules: [rule([], [], 'PassthroughCluster')], table: null, authz: null },
      },
    },
    {
      ...bind,
      name: 'egress_3306',
      port: 3306,
      kind: 'tcp',
      rules: [{ ...rule(['10.0.0.0/8'], [], 'a', 'b'), source }],
    },
  ];
  expect(ruleRows(listeners).slice(1)).toEqual([
    ['outbound_15001', '80', 'any', '', 'routes 80', ''],
    ['outbound_15001', '443', 'any', 'a.com *.b.com', 'ext', ''],
    ['outbound_15001', 'other', 'any', '', 'PassthroughCluster', ''],
    ['egress_3306', '3306', '10.0.0.0/8', '', 'a (1), b (2)', 'VirtualService default/db spec.tcp[0]'],
  ]);
});

test('without rules there is no head either', () => {
  expect(ruleRows([])).toEqual([]);
});
