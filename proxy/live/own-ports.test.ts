import { describe, expect, test } from 'vitest';
import { OwnPorts } from './own-ports.ts';

describe('connections of our own', () => {
  test('are known by where they come from and where they go, for every thread, as long as they are open', () => {
    const ports = new OwnPorts();
    const elsewhere = new OwnPorts(ports.buffer);
    expect(elsewhere.has(65_535, '10.0.0.5', 9080)).toBe(false);
    ports.opened(65_535, '10.0.0.5', 9080);
    expect(elsewhere.has(65_535, '10.0.0.5', 9080)).toBe(true);
    expect(elsewhere.has(65_535, '::ffff:10.0.0.5', 9080)).toBe(true);
    expect(ports.has(0, '10.0.0.5', 9080)).toBe(false);
    elsewhere.closed(65_535, '10.0.0.5', 9080);
    expect(ports.has(65_535, '10.0.0.5', 9080)).toBe(false);
  });

  test('are not those of the application from the same port to another place', () => {
    const ports = new OwnPorts();
    ports.opened(53_668, '192.168.0.10', 9080);
    expect(ports.has(53_668, '10.96.66.30', 9080)).toBe(false);
    expect(ports.has(53_668, '192.168.0.10', 9081)).toBe(false);
    ports.opened(53_668, '192.168.0.11', 9080);
    expect(ports.has(53_668, '10.96.66.30', 9080)).toBe(false);
    ports.closed(53_668, '192.168.0.10', 9080);
    expect(ports.has(53_668, '192.168.0.11', 9080)).toBe(true);
    expect(ports.has(53_668, '192.168.0.10', 9080)).toBe(false);
  });
});
