import { expect, test } from 'vitest';
import { OwnPorts } from './own-ports.ts';

test('a port is our own as long as one of its connections is open, for every thread', () => {
  const ports = new OwnPorts();
  const elsewhere = new OwnPorts(ports.buffer);
  expect(elsewhere.has(65_535)).toBe(false);
  ports.opened(65_535);
  elsewhere.opened(65_535);
  ports.closed(65_535);
  expect(ports.has(65_535)).toBe(true);
  expect(ports.has(0)).toBe(false);
  elsewhere.closed(65_535);
  expect(ports.has(65_535)).toBe(false);
});
