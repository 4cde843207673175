import { describe, expect, test } from 'vitest';
import type { Environment } from './environment.ts';
import { leadsBack } from './loop.ts';

const environment = (address: string): Environment =>
  ({ node: { ip: '10.1.2.3' }, plans: { current: { snapshot: { listeners: [{ address, port: 15001 }] } } } }) as never;

describe('an address that leads back to the proxy', () => {
  for (const host of [
    '10.1.2.3',
    '::ffff:10.1.2.3',
    '::ffff:a01:203',
    '[::ffff:10.1.2.3]',
    '0.0.0.0',
    '::',
    '0::0',
    '::ffff:0.0.0.0',
  ])
    test(`${host}, to a listener on the workload's address`, () =>
      expect(leadsBack(environment('10.1.2.3'), host, 15001)).toBe(true));
  for (const host of [
    '127.0.0.1',
    '127.9.9.9',
    'localhost',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '10.1.2.3',
  ])
    test(`${host}, to a listener on every address`, () =>
      expect(leadsBack(environment('0.0.0.0'), host, 15001)).toBe(true));
});

describe('an address that does not', () => {
  for (const [host, port] of [
    ['10.1.2.3', 15002],
    ['10.1.2.4', 15001],
    ['::ffff:10.1.2.4', 15001],
    ['2001:db8::1', 15001],
    ['db.example.com', 15001],
  ] as const)
    test(`${host}:${port}`, () => expect(leadsBack(environment('0.0.0.0'), host, port)).toBe(false));
});
