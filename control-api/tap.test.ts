import { afterEach, describe, expect, test } from 'vitest';
import { call, start, stopAll, watch } from './server.kit.ts';
import type { ControlApi } from './server.ts';

afterEach(stopAll);

const party = (workload: string, namespace = 'default') => ({
  namespace,
  workload,
  version: 'v1',
  pod: `${workload}-0`,
  address: '',
});

const event = (path: string, over: object = {}) => ({
  time: 1_800_000_000_000,
  direction: 'outbound',
  source: party('a'),
  destination: party('b'),
  service: 'b.default.svc.cluster.local',
  method: 'GET',
  authority: 'b',
  path,
  status: 200,
  grpcStatus: -1,
  flags: '',
  duration: 1,
  received: 0,
  sent: 1,
  reason: '',
  requestId: '',
  ...over,
});

const tell = (api: ControlApi, proxy: string, id: string, events: readonly unknown[], skipped = 0) =>
  call(api, 'PUT', `/lateen/v1/proxies/${proxy}.default/tap`, { batches: [{ id, events, skipped }] });

/** A proxy's stream, past its configuration. */
async function proxy(api: ControlApi, name: string) {
  const stream = await watch(api, `/lateen/v1/config?proxy=${name}.default`);
  expect(await stream.next()).toMatchObject({ kind: 'set' });
  return stream;
}

describe('a tap', () => {
  test('is told to the proxies, with what is wanted, and its end; what they send goes to who asked', async () => {
    const api = await start();
    const a = await proxy(api, 'a-0');
    const client = await watch(api, '/lateen/v1/tap?workload=a&to=b&method=get&path=/x&status=5xx');
    expect(await client.next()).toEqual({ kind: 'started', proxies: 1 });
    const { taps } = await a.next();
    expect(taps).toMatchObject([
      { filter: { namespace: null, workload: 'a', to: 'b', method: 'GET', path: '/x', status: [500, 599] } },
    ]);
    // One that comes later learns it, too.
    const b = await proxy(api, 'b-0');
    expect((await b.next()).taps).toEqual(taps);
    await tell(api, 'a-0', taps[0].id as string, [event('/x/1')], 7);
    expect(await client.next()).toMatchObject({ kind: 'request', proxy: 'a-0.default', path: '/x/1' });
    expect(await client.next()).toEqual({ kind: 'skipped', count: 7 });
    client.stop();
    expect(await a.next()).toEqual({ kind: 'taps', taps: [] });
    // What comes late is for nobody.
    expect((await tell(api, 'a-0', taps[0].id as string, [event('/x/2')])).status).toBe(200);
  });

  test('has a rate for all proxies together', async () => {
    const api = await start();
    const a = await proxy(api, 'a-0');
    const client = await watch(api, '/lateen/v1/tap?rate=2');
    await client.next();
    const { taps } = await a.next();
    await tell(
      api,
      'a-0',
      taps[0].id as string,
      ['/1', '/2', '/3'].map((path) => event(path)),
    );
    const lines = [await client.next(), await client.next(), await client.next()];
    expect(lines.map((line) => line.path ?? line.count)).toEqual(['/1', '/2', 1]);
  });

  test('tells each request once when it is wanted so: as its caller saw it, if that is asked, too', async () => {
    const api = await start();
    const a = await proxy(api, 'a-0');
    const client = await watch(api, '/lateen/v1/tap?once=true&namespace=default');
    await client.next();
    const { taps } = await a.next();
    await tell(api, 'b-0', taps[0].id as string, [
      event('/seen-by-a', { direction: 'inbound' }),
      event('/no-proxy', { direction: 'inbound', source: party('c') }),
      event('/other-namespace', { direction: 'inbound', source: party('a', 'prod') }),
    ]);
    await tell(api, 'a-0', taps[0].id as string, [event('/by-a')]);
    const paths = [await client.next(), await client.next(), await client.next()].map((line) => line.path as string);
    expect(paths).toEqual(['/no-proxy', '/other-namespace', '/by-a']);
  });

  test('is one of at most sixteen', async () => {
    const api = await start();
    const open = await Promise.all(Array.from({ length: 16 }, () => watch(api, '/lateen/v1/tap')));
    await Promise.all(open.map((client) => client.next()));
    expect((await call(api, 'GET', '/lateen/v1/tap')).status).toBe(429);
    for (const client of open) client.stop();
  });

  test.each([
    ['status=bad', 'status: expected'],
    ['rate=0', 'rate: expected'],
    ['rate=1001', 'rate: expected'],
  ])('with %s is refused', async (query, message) => {
    const { status, body } = await call(await start(), 'GET', `/lateen/v1/tap?${query}`);
    expect(status).toBe(400);
    expect(body.message).toContain(message);
  });

  test('takes from a proxy nothing that is not an event, and no more than fits', async () => {
    const api = await start();
    const path = '/lateen/v1/proxies/a-0.default/tap';
    for (const body of [
      [],
      { batches: 1 },
      { batches: [1] },
      { batches: [{ id: '1', events: Array.from({ length: 1001 }, () => ({})) }] },
    ])
      expect((await call(api, 'PUT', path, body)).status).toBe(400);
  });
});
