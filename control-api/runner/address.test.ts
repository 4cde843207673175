import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { addressPool, parseCidr } from './address.ts';

/** A range of this process's own, so that tests in parallel do not meet. */
const cidr = `127.82.${process.pid & 255}.0/24`;

describe('addresses of Pods', () => {
  test('are different, also for another Lateen on this machine, and free again once given back', async () => {
    const [one, two] = [addressPool(cidr), addressPool(cidr)];
    const leases = [await one.lease(), await one.lease(), await two.lease()];
    expect(new Set(leases.map((l) => l.ip)).size).toBe(3);
    leases[0]!.release();
    const third = addressPool(cidr);
    const again = await third.lease();
    expect(again.ip).toBe(leases[0]!.ip);
    for (const lease of [...leases.slice(1), again]) lease.release();
  });

  test('are not given out again at once', async () => {
    const pool = addressPool(cidr);
    const first = await pool.lease();
    first.release();
    const second = await pool.lease();
    expect(second.ip).not.toBe(first.ip);
    second.release();
  });

  test('ports are free, below the ephemeral range, and not given twice', async () => {
    const pool = addressPool(cidr);
    const ports = await Promise.all([pool.port(), pool.port(), pool.port()]);
    expect(new Set(ports).size).toBe(3);
    for (const port of ports) {
      expect(port).toBeLessThan(32_768);
      const server = createServer();
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
      server.close();
    }
  });

  for (const bad of ['', '10.0.0.0/8', '127.1.0.0', '127.1.0.0/31', '127.1.0.300/16', '::1/64']) {
    test(`${JSON.stringify(bad)} is no range of loopback addresses`, () =>
      expect(() => parseCidr(bad)).toThrow('expected a range of loopback addresses'));
  }
});
