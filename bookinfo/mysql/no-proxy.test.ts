import { describe, expect, test } from 'vitest';
import { bypassesProxy } from './no-proxy.ts';

describe('no_proxy', () => {
  test.each([
    ['', 'db.example.com', 3306, false],
    ['*', 'db.example.com', 3306, true],
    ['*:3306', 'db.example.com', 3306, true],
    ['*:3306', 'db.example.com', 3307, false],
    ['db.example.com', 'db.example.com', 3306, true],
    ['db.example.com', 'DB.Example.com.', 3306, true],
    ['example.com', 'db.example.com', 3306, true],
    ['.example.com', 'db.example.com', 3306, true],
    ['*.example.com', 'db.example.com', 3306, true],
    ['example.com', 'notexample.com', 3306, false],
    ['db.example.com:3306', 'db.example.com', 3306, true],
    ['db.example.com:3307', 'db.example.com', 3306, false],
    ['a, b.example ,c', 'b.example', 1, true],
    ['a b.example c', 'b.example', 1, true],
    ['10.1.2.3', '10.1.2.3', 3306, true],
    ['2.3', '10.1.2.3', 3306, false],
    ['10.1.0.0/16', '10.1.2.3', 3306, true],
    ['10.1.0.0/16', '10.2.2.3', 3306, false],
    ['10.1.0.0/16', 'ten.example', 3306, false],
    ['10.1.2.3:3306', '10.1.2.3', 3306, true],
    ['10.1.2.3:3307', '10.1.2.3', 3306, false],
    ['fd00::1', 'fd00::1', 3306, true],
    ['[fd00::1]:3306', '[fd00::1]', 3306, true],
    ['[fd00::1]:3307', 'fd00::1', 3306, false],
    ['fd00::/8', 'fd12::9', 3306, true],
    ['fd00::/8', '10.1.2.3', 3306, false],
    ['10.0.0.0/99,/,.,:,::/', '10.1.2.3', 3306, false],
    ['127.0.0.0/8', 'localhost', 3306, false],
    ['other', '127.0.0.1', 3306, false],
  ])('%j says of %s:%i %s', (entries, host, port, expected) =>
    expect(bypassesProxy(entries, host, port)).toBe(expected),
  );
});
