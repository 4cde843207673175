import { BlockList, isIPv4, SocketAddress } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cidrPredicate, formatAddress, parseAddress, parseCidr, plainAddress } from './cidr.ts';

describe('a range', () => {
  for (const [ranges, inside, outside] of [
    [['10.0.0.0/8'], ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3'], ['9.255.255.255', '11.0.0.0', '::a00:1']],
    [['127.1.0.7'], ['127.1.0.7'], ['127.1.0.8', '127.1.0.6']],
    [['10.1.2.3/8'], ['10.9.9.9'], ['11.1.2.3']],
    [['0.0.0.0/0'], ['255.255.255.255', '0.0.0.0'], ['::1']],
    [['::/0'], ['::1', '2001:db8::1'], ['1.2.3.4']],
    [['2001:db8::/33'], ['2001:db8::', '2001:db8:7fff::1'], ['2001:db8:8000::1', '2001:db9::']],
    [['fe80::/10'], ['fe80::1%eth0'], ['fec0::1']],
    [['::ffff:10.0.0.0/104'], ['10.2.3.4'], ['11.0.0.1']],
    [['192.168.0.0/16', '10.0.0.1'], ['192.168.255.1', '10.0.0.1'], ['10.0.0.2']],
    [[], [], ['1.2.3.4', '::1']],
  ] as const) {
    test(`${ranges.join(' or ') || 'nothing'} holds ${inside.join(', ')} and not ${outside.join(', ')}`, () => {
      const holds = cidrPredicate(ranges);
      expect(inside.filter((address) => !holds(address))).toEqual([]);
      expect(outside.filter((address) => holds(address))).toEqual([]);
    });
  }
});

describe('what is no range', () => {
  for (const text of [
    '',
    '10',
    '10.0.0',
    '10.0.0.0.0',
    '256.0.0.1',
    '010.0.0.1',
    '0x0a.0.0.1',
    '167772161',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10..0.1',
    ' 10.0.0.1',
    '::1/129',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    'g::',
    ':::',
    '::ffff:0.0.0.0/95',
    'reviews',
  ]) {
    test(`"${text}" is refused, and matches no address`, () => {
      expect(parseCidr(text)).toBeNull();
      expect(cidrPredicate([text])('10.0.0.1')).toBe(false);
    });
  }

  test('an address that cannot be read is in no range', () => {
    const holds = cidrPredicate(['0.0.0.0/0', '::/0']);
    for (const address of ['', 'unix', '010.0.0.1', 'g::1']) expect(holds(address)).toBe(false);
  });
});

test('ranges agree with those of Node', () => {
  const v4 = fc.ipV4();
  const v6 = fc.ipV6();
  fc.assert(
    fc.property(fc.oneof(v4, v6), fc.nat(128), fc.oneof(v4, v6), (base, bits, address) => {
      const family = isIPv4(base) ? 'ipv4' : 'ipv6';
      if (parseAddress(base)!.length !== (family === 'ipv4' ? 1 : 4)) return;
      if (parseAddress(address)!.length !== (isIPv4(address) ? 1 : 4)) return;
      const length = family === 'ipv4' ? bits % 33 : bits;
      const list = new BlockList();
      list.addSubnet(base, length, family);
      const holds = cidrPredicate([`${base}/${length}`]);
      expect(holds(address)).toBe(
        isIPv4(address) === (family === 'ipv4') && list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6'),
      );
      expect(holds(base)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test('addresses are written as sockets show them, however they were', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const words = parseAddress(text)!;
      // Node writes IPv4 inside IPv6 as it came.
      fc.pre(text.includes(':') === (words.length === 4));
      const shown = new SocketAddress({ address: text, family: text.includes(':') ? 'ipv6' : 'ipv4' }).address;
      // RFC 5952, 5: the C library writes the last 32 bits of some old prefixes with dots.
      fc.pre(text.includes(':') ? !shown.includes('.') : true);
      expect(formatAddress(words)).toBe(shown);
    }),
    { numRuns: 1000 },
  );
});

test('addresses of sockets lose what only this machine adds', () => {
  expect(['::ffff:127.9.0.1', 'fe80::1%eth0', 'fd00::1', '10.0.0.1', ''].map(plainAddress)).toEqual([
    '127.9.0.1',
    'fe80::1',
    'fd00::1',
    '10.0.0.1',
    '',
  ]);
});
