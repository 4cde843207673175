/** One gateway process takes over from another, is told twice to stop, or loses a worker: what its clients notice of it. */
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadDescriptors } from '#proxy/listener/descriptors.ts';
import { fresh, freshLoad, gatewayPlace, type GatewayPlace } from '../kit/gateway.ts';

const HANDOVERS = 6;
/** Measured: 0.2 to 0.5 s; the gate runs everything at once. */
const SOON_MS = 3000;
const FAULT = new URL('../kit/throw-on-header.ts', import.meta.url).href;
const slow = 'GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n';
const faulty = (fault: string): string => `GET / HTTP/1.1\r\nHost: nobody\r\nx-test-fault: ${fault}\r\n\r\n`;

describe('gateways on one address', () => {
  let place: GatewayPlace;
  beforeEach(async () => {
    place = await gatewayPlace(`127.42.${process.pid & 127}.1`);
  });
  afterEach(() => place?.[Symbol.asyncDispose]());

  // Without node:ffi sockets cannot be passed, and a handover may lose a connection (docs/decisions/0008-handover.md).
  test.skipIf(loadDescriptors() === null)(
    `take over from each other ${HANDOVERS} times under new connections, and none is lost`,
    async () => {
      let current = place.start();
      await place.ready();
      const load = freshLoad(place, 3);
      for (let i = 0; i < HANDOVERS; i++) {
        const next = place.start(['--takeover']);
        expect(await current.over, current.log()).toBe(0);
        current = next;
      }
      const { requests, failed } = await load.stop();
      expect(failed).toEqual([]);
      expect(requests).toBeGreaterThan(HANDOVERS * 20);
      current.child.kill('SIGTERM');
      expect(await current.over, current.log()).toBe(0);
    },
    120_000,
  );

  test('finish what runs at the first SIGTERM, and end at once at the second', async () => {
    const gateway = place.start();
    await place.ready();
    const answer = fresh(place.ip, place.port, slow);
    // Its body never comes, so it cannot end.
    const stuck = connect(place.port, place.ip, () =>
      stuck.write(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\n`),
    );
    stuck.on('error', () => undefined);
    expect(await fresh(place.ip, place.port)).toBe('200');
    gateway.child.kill('SIGTERM');
    expect(await answer).toBe('200');
    expect(gateway.child.exitCode).toBe(null);
    const told = performance.now();
    gateway.child.kill('SIGTERM');
    expect(await gateway.over).toBe(1);
    expect(performance.now() - told).toBeLessThan(1000);
  });

  test('lose no other connection when a handler throws', async () => {
    const gateway = place.start([], ['--import', FAULT]);
    await place.ready();
    const others = Array.from({ length: 5 }, () => fresh(place.ip, place.port, slow));
    expect(await fresh(place.ip, place.port)).toBe('200');
    const load = freshLoad(place, 2);
    expect(await fresh(place.ip, place.port, faulty('throw'))).toMatch(/ECONNRESET|closed/);
    expect(await Promise.all(others)).toEqual(Array(5).fill('200'));
    const { failed } = await load.stop();
    expect(failed).toEqual([]);
    gateway.child.kill('SIGTERM');
    expect(await gateway.over, gateway.log()).toBe(0);
  });

  test('replace a worker that dies, soon', async () => {
    const gateway = place.start([], ['--import', FAULT]);
    await place.ready();
    expect(await fresh(place.ip, place.port, faulty('exit'))).toMatch(/ECONNRESET|closed/);
    const died = performance.now();
    while ((await fresh(place.ip, place.port)) !== '200') await new Promise((again) => setTimeout(again, 5));
    expect(performance.now() - died).toBeLessThan(SOON_MS);
    gateway.child.kill('SIGTERM');
    expect(await gateway.over, gateway.log()).toBe(0);
  });
});
