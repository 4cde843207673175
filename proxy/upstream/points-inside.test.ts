import { describe, expect, test } from 'vitest';
import { pointsInside, type InsideFacts } from './points-inside.ts';

const cloud: InsideFacts = { from: '10.1.2.3', workloads: { '10.1.9.9': {}, '2001:db8:0:0::9': {} } };
/** A mesh on one machine: pods are loopback addresses. */
const local: InsideFacts = { from: '127.10.0.3', workloads: { '127.10.0.3': {}, '127.10.0.4': {} } };

describe('an answer points inside', () => {
  for (const [address, why] of [
    ['0.0.0.0', 'unspecified: Linux takes it for loopback'],
    ['0.1.2.3', 'this network'],
    ['::', 'unspecified'],
    ['169.254.169.254', 'metadata'],
    ['169.254.0.1', 'link-local'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local with a zone'],
    ['febf::1', 'the end of fe80::/10'],
    ['fec0::1', 'site-local'],
    ['fd00:ec2::254', 'metadata of Amazon in IPv6'],
    ['100.100.100.200', 'metadata of Alibaba Cloud'],
    ['224.0.0.1', 'multicast'],
    ['240.240.0.7', 'allotted by Istio itself'],
    ['255.255.255.255', 'broadcast'],
    ['ff02::1', 'multicast'],
    ['::ffff:169.254.169.254', 'IPv4 inside IPv6'],
    ['::ffff:a9fe:a9fe', 'the same in hex'],
    ['::169.254.169.254', 'IPv4-compatible'],
    ['64:ff9b::169.254.169.254', 'by NAT64'],
    ['2002:a9fe:a9fe::1', 'by 6to4'],
    ['127.0.0.1', 'loopback'],
    ['127.42.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback inside IPv6'],
    ['10.1.9.9', 'a workload'],
    ['::ffff:10.1.9.9', 'a workload inside IPv6'],
    ['2001:db8::9', 'a workload, written in another way'],
    ['10.1.2.3', 'this machine'],
    ['db.example.com', 'no address'],
    ['', 'no address'],
    ['010.1.2.9', 'octal to some'],
  ] as const)
    test(`${address} (${why})`, () => expect(pointsInside(address, cloud)).toBe(true));

  test('a workload of a mesh on one machine', () => expect(pointsInside('127.10.0.4', local)).toBe(true));
  test('metadata, from a mesh on one machine', () => expect(pointsInside('169.254.169.254', local)).toBe(true));
  test('loopback, when nobody has said where this workload lives', () =>
    expect(pointsInside('127.0.0.1', { from: '', workloads: {} })).toBe(true));
});

describe('an answer points outside', () => {
  for (const address of ['192.0.2.7', '10.1.2.4', '1.1.1.1', '169.253.0.1', '100.100.100.201', '223.255.255.255'])
    test(address, () => expect(pointsInside(address, cloud)).toBe(false));
  for (const address of [
    '2001:db8::8',
    'fd12::1',
    'fdff::1',
    '::ffff:192.0.2.7',
    '64:ff9b::192.0.2.7',
    '2002:c000:207::1',
  ])
    test(address, () => expect(pointsInside(address, cloud)).toBe(false));
  test('loopback that no workload owns, from a mesh on one machine', () =>
    expect(pointsInside('127.0.0.1', local)).toBe(false));
});
