import type { NetworkInterfaceInfo } from 'node:os';
import { expect, test } from 'vitest';
import { podAddresses } from './pod-addresses.ts';

const at = (address: string, internal = false): NetworkInterfaceInfo => ({ address, internal }) as NetworkInterfaceInfo;
const interfaces = () => ({
  lo: [at('127.0.0.1', true), at('::1', true)],
  eth0: [at('172.18.0.5'), at('fd00::5'), at('fe80::42:acff:fe12:5')],
  eth1: [at('10.7.0.2'), at('fe80::42:acff:fe12:5')],
  tun0: undefined,
});

test('are all but loopback and its own, each once, in one order', () => {
  const node = { ip: '172.18.0.5', interception: 'REDIRECT' } as const;
  expect(podAddresses(node, interfaces)).toEqual(['10.7.0.2', 'fd00::5', 'fe80::42:acff:fe12:5']);
});

test('of a proxy without redirection are those of its machine, and so not its own', () => {
  expect(podAddresses({ ip: '172.18.0.5', interception: 'NONE' }, interfaces)).toEqual([]);
});

test('are read from this machine, and bounded', () => {
  const many = () => ({ eth0: Array.from({ length: 40 }, (_, i) => at(`10.0.0.${i + 1}`)) });
  expect(podAddresses({ ip: '10.0.0.1', interception: 'REDIRECT' }, many)).toHaveLength(16);
  expect(podAddresses({ ip: '127.0.0.1', interception: 'REDIRECT' })).not.toContain('127.0.0.1');
});
