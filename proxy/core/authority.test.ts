import { describe, expect, test } from 'vitest';
import { hostOf, isValidAuthority, portOf, splitAuthority } from './authority.ts';

describe('host and port', () => {
  for (const [authority, host, port] of [
    ['reviews', 'reviews', null],
    ['reviews:9080', 'reviews', 9080],
    ['Reviews.Default.svc.cluster.local:80', 'Reviews.Default.svc.cluster.local', 80],
    ['127.0.0.1:15001', '127.0.0.1', 15001],
    ['[::1]', '::1', null],
    ['[2001:db8::1]:443', '2001:db8::1', 443],
    ['[::ffff:10.0.0.1]:443', '::ffff:10.0.0.1', 443],
    ['example.com.:65535', 'example.com.', 65535],
    ['a_b-c.d', 'a_b-c.d', null],
  ] as const) {
    test(`of ${authority} are ${host} and ${port}`, () => {
      expect(splitAuthority(authority)).toEqual({ host, port });
      expect(isValidAuthority(authority)).toBe(true);
      expect(portOf(authority, 80)).toBe(port ?? 80);
    });
  }

  for (const authority of [
    '',
    ':80',
    'a b',
    'a,b',
    'a/b',
    'a:b',
    'user@host',
    'a:0',
    'a:080',
    'a:65536',
    'a:99999',
    'a:',
    'a:80:81',
    '::1',
    '::1:80',
    '[::1',
    '[]',
    '[12]',
    '[::1]x',
    '[::1]:',
    'a..b',
    '.a',
    '.',
    'a%2fb',
    'é',
    'a#b',
    'a?b',
    'a\\b',
    'a'.repeat(254),
    'a\0',
  ]) {
    test(`${JSON.stringify(authority)} is no authority (A15)`, () => {
      expect(splitAuthority(authority)).toBeNull();
      expect(isValidAuthority(authority)).toBe(false);
    });
  }
});

describe('the host to look up (C5)', () => {
  for (const [authority, host] of [
    ['reviews', 'reviews'],
    ['REVIEWS:9080', 'reviews'],
    ['Reviews.default.', 'reviews.default'],
    ['reviews.default.:80', 'reviews.default'],
    ['[::1]:80', '[::1]'],
    ['[::1]', '[::1]'],
    ['', ''],
    ['.', '.'],
    ['a:', 'a'],
  ] as const) {
    test(`of ${JSON.stringify(authority)} is ${JSON.stringify(host)}`, () => expect(hostOf(authority)).toBe(host));
  }
});
