import { afterEach, describe, expect, test } from 'vitest';
import { call, start, stopAll, VS, vs, watch } from './server.kit.ts';
import { openStore } from './open-store.ts';

afterEach(stopAll);

describe('strangers', () => {
  test('a page under a rebound name cannot even read', async () => {
    const api = await start();
    const { port } = new URL(api.url);
    const { request } = await import('undici');
    const answer = await request(api.url + VS, { headers: { host: `evil.example:${port}` } });
    expect(answer.statusCode).toBe(403);
    await answer.body.dump();
  });
  test('a page of another origin cannot change anything', async () => {
    const api = await start();
    const { status, body } = await call(api, 'POST', VS, vs('x'), { origin: 'http://evil.example' });
    expect([status, body.reason]).toEqual([403, 'Forbidden']);
    expect(api.store.list('VirtualService')).toEqual([]);
  });
});

describe('our own paths', () => {
  test('ready is truthful', async () => {
    const state = { ready: false, reasons: ['no gateway yet'] };
    const api = await start({ ready: () => state });
    expect(await call(api, 'GET', '/lateen/v1/ready')).toMatchObject({
      status: 503,
      body: { reasons: ['no gateway yet'] },
    });
    Object.assign(state, { ready: true, reasons: [] });
    expect((await call(api, 'GET', '/lateen/v1/ready')).status).toBe(200);
  });

  test('history tells what happened to one resource', async () => {
    const api = await start();
    await call(api, 'POST', VS, vs('reviews'), { 'user-agent': 'kubectl/v1.32.0' });
    await call(api, 'DELETE', `${VS}/reviews`);
    const { body } = await call(api, 'GET', '/lateen/v1/history?kind=VirtualService&name=reviews&limit=1');
    expect(body.changes).toMatchObject([{ verb: 'delete', name: 'reviews' }]);
    expect((await call(api, 'GET', '/lateen/v1/history?limit=0')).status).toBe(400);
  });

  test('a proxy gets its stream and is listed', async () => {
    const api = await start();
    const w = await watch(api, '/lateen/v1/config?proxy=reviews-v1.default');
    const { kind, revision } = await w.next();
    expect(kind).toBe('set');
    await call(api, 'PUT', '/lateen/v1/proxies/reviews-v1.default', { revision, accepted: true, version: 'x' });
    expect((await call(api, 'GET', '/lateen/v1/proxies')).body.proxies).toMatchObject([
      { proxy: 'reviews-v1.default', sync: 'SYNCED' },
    ]);
    expect((await call(api, 'GET', '/lateen/v1/config?proxy=..%2f')).status).toBe(400);
    w.stop();
  });

  test('parts bring their own routes, with bodies read as JSON', async () => {
    const api = await start({
      parts: [(app) => void app.post('/api/v2/spans', (request, reply) => reply.send({ got: request.body }))],
    });
    expect((await call(api, 'POST', '/api/v2/spans', [{ id: '1' }])).body).toEqual({ got: [{ id: '1' }] });
    expect((await call(api, 'GET', '/api/v1/namespaces/default')).body.kind).toBe('Namespace');
  });

  test('a full disk is told as what it is', async () => {
    const store = openStore({ dir: null });
    const api = await start({ store });
    store.put = () => {
      throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 });
    };
    const { status, body } = await call(api, 'POST', VS, vs('a'));
    expect([status, body.reason]).toEqual([507, 'InsufficientStorage']);
    expect(body.message).toContain('disk');
  });
});
