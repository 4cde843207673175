import type { NetworkInterfaceInfo } from 'node:os';
import { expect, test } from 'vitest';
import { meshNetworks } from './mesh-networks.ts';

const info = (cidr: string | null, internal = false): NetworkInterfaceInfo =>
  ({ address: cidr?.split('/')[0] ?? '', family: 'IPv4', internal, cidr }) as NetworkInterfaceInfo;
const INTERFACES = {
  lo: [info('127.0.0.1/8', true)],
  eth0: [info('172.18.0.5/16'), info('fd00:1::5/64')],
  eth1: [info('10.7.0.2/24')],
};
const FILES: Record<string, string> = {
  '/proc/net/route': `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010012AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth1\t0000070A\t0900070A\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
`,
  '/proc/net/ipv6_route': `00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000001000000000000000000000001 00000400 00000001 00000000 00000003     eth0
fd000001000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`,
};

const around = { interfaces: () => INTERFACES, read: (file: string) => FILES[file] ?? '' };

test.each([
  ['a neighbour', '172.18.0.9', true],
  ['itself', '172.18.0.5', true],
  ['a neighbour in another network', '10.7.0.77', true],
  ['a neighbour by IPv6', 'fd00:1::9', true],
  ['one that hides an IPv4 address in IPv6', '::ffff:172.18.0.9', true],
  ['the gateway, by which the host comes', '172.18.0.1', false],
  ['the gateway by IPv6, however it is written', 'fd00:1:0:0::1', false],
  ['the router of one network alone', '10.7.0.9', true],
  ['somebody who comes through a published port', '192.0.2.7', false],
  ['loopback', '127.0.0.1', false],
  ['no address', '', false],
])('auto: %s', (_, address, mesh) => {
  expect(meshNetworks('auto', around)(address)).toBe(mesh);
});

test('auto: without a routing table to read, nobody counts as the gateway', () => {
  const blind = meshNetworks('auto', { ...around, read: () => '' });
  expect([blind('172.18.0.1'), blind('192.0.2.1')]).toEqual([true, false]);
});

test('auto: networks count from when they are joined until they are left', () => {
  let interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = {};
  const isMesh = meshNetworks('auto', { ...around, interfaces: () => interfaces });
  expect(isMesh('10.7.0.77')).toBe(false);
  interfaces = INTERFACES;
  expect(isMesh('10.7.0.77')).toBe(true);
});

test('auto: this machine can be asked', () => {
  expect(meshNetworks('auto')('127.0.0.1')).toBe(false);
});

test('ranges: those, and nothing else', () => {
  const isMesh = meshNetworks(['10.0.0.0/8', 'fd00::/8']);
  expect(['10.7.0.1', 'fd12::1', '172.18.0.9', '127.0.0.1'].map(isMesh)).toEqual([true, true, false, false]);
});
