import { request } from 'node:http';
import { connect } from 'node:net';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cidrPredicate } from '#proxy/core/cidr.ts';
import { denial } from './auth.ts';
import { said } from './members/fake-mesh.ts';
import { Members } from './members/members.ts';
import { systemClock } from './runner/clock.ts';
import { openStore } from './open-store.ts';
import type { Audience } from './route.ts';
import { call, PODS, start, stopAll, VS, vs } from './server.kit.ts';
import type { ControlApi } from './server.ts';
import { TraceStore } from './trace-store.ts';
import { traceRoutes } from './traces.ts';

const TOKEN = 'a-token-of-this-mesh';
const auth = { isMesh: cidrPredicate(['127.9.0.0/16']), token: TOKEN };

describe('who may ask', () => {
  const inside = '127.9.0.1';
  for (const [audience, address, authorization, code] of [
    ['operators', '127.0.0.1', undefined, null],
    ['proxies', '127.0.0.1', undefined, null],
    ['anybody', inside, undefined, null],
    ['operators', inside, undefined, 403],
    ['operators', inside, `Bearer ${TOKEN}`, 403],
    [undefined, inside, `Bearer ${TOKEN}`, 403],
    ['proxies', inside, undefined, 401],
    ['proxies', inside, '', 401],
    ['proxies', inside, 'Bearer ', 401],
    ['proxies', inside, 'Bearer a-token-of-this-mesH', 401],
    ['proxies', inside, `Bearer ${TOKEN}x`, 401],
    ['proxies', inside, `Bearer ${TOKEN} ${TOKEN}`, 401],
    ['proxies', inside, `Basic ${TOKEN}`, 401],
    ['proxies', inside, TOKEN, 401],
    ['proxies', inside, `Bearer ${TOKEN}`, null],
    ['proxies', inside, `bearer  ${TOKEN} `, null],
  ] as [Audience | undefined, string, string | undefined, number | null][])
    test(`${audience ?? 'a path without a word'}, from ${address}, showing ${JSON.stringify(authorization)}: ${code ?? 'let in'}`, () => {
      expect(denial(auth, { address, authorization }, audience)?.code ?? null).toBe(code);
    });

  test('without any rule, nobody is asked', () => {
    expect(denial(null, { address: inside })).toBeNull();
  });
});

describe('a control API with a join token, asked from the mesh', () => {
  let api: ControlApi;
  beforeEach(async () => {
    const store = openStore({ dir: null });
    const [reach, idle] = [() => Promise.resolve(null), () => Promise.resolve()];
    const members = new Members({ store, clock: systemClock, reach, dir: null, idle, onError: () => undefined });
    api = await start({ store, auth, members, parts: [(app) => traceRoutes(app, new TraceStore())] });
    await call(api, 'POST', VS, vs('reviews'));
  });
  afterEach(stopAll);

  type Answer = { readonly status: number; readonly body: string; readonly challenge: string | undefined };
  /** From an address of the mesh. A stream that is let in is left at its first line. */
  async function ask(method: string, path: string, body?: unknown, token?: string): Promise<Answer> {
    const headers = {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const { hostname: host, port } = new URL(api.url);
    const sent = request({ host, port, path, method, headers, localAddress: '127.9.0.1', agent: false });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const [answer] = await once(sent, 'response');
    const { statusCode: status, headers: got } = answer;
    if (got['content-type'] === 'application/x-ndjson') answer.destroy();
    return { status, body: answer.destroyed ? '' : await text(answer), challenge: got['www-authenticate'] };
  }

  test.each([
    ['GET', '/version'],
    ['GET', '/api'],
    ['GET', '/openapi/v2'],
    ['GET', VS],
    ['GET', `${VS}/reviews`],
    ['HEAD', VS],
    ['OPTIONS', VS],
    ['POST', VS, vs('x')],
    ['PUT', `${VS}/reviews`, vs('reviews', 'v3')],
    ['PATCH', `${VS}/reviews`, {}],
    ['DELETE', `${VS}/reviews`],
    ['DELETE', VS],
    ['DELETE', '/apis/security.istio.io/v1/namespaces/default/authorizationpolicies'],
    ['GET', '/api/v1/namespaces/default/secrets'],
    ['GET', `${PODS}/reviews-v1/log`],
    ['GET', '/lateen/v1/ready'],
    ['GET', '/lateen/v1/proxies'],
    ['GET', '/lateen/v1/proxies/a.default/admin/config_dump'],
    ['GET', '/lateen/v1/analyze'],
    ['GET', '/lateen/v1/problems'],
    ['GET', '/lateen/v1/history'],
    ['POST', '/lateen/v1/rollback', {}],
    ['GET', '/lateen/v1/stats'],
    ['GET', '/lateen/v1/tap'],
    ['GET', '/lateen/v1/egress'],
    ['DELETE', '/lateen/v1/egress'],
    ['GET', '/lateen/v1/traces'],
    ['GET', '/api/v2/traces'],
    ['GET', '/nothing/here'],
    ['GET', '//lateen/v1/config?proxy=a.default'],
    ['GET', '/lateen/v1/config/?proxy=a.default'],
  ])('%s %s is for operators, whatever token is shown', async (method, path, body?: unknown) => {
    const without = await ask(method, path, body);
    const shown = await ask(method, path, body, TOKEN);
    expect([without.status, shown.status]).toEqual([403, 403]);
    if (method !== 'HEAD') expect(without.body).toContain('127.9.0.1, which is an address of the mesh');
    expect((await call(api, 'GET', VS)).body.items).toMatchObject([
      { metadata: { name: 'reviews', generation: 1 }, spec: { hosts: ['reviews'] } },
    ]);
  });

  test.each([
    ['GET', '/lateen/v1/config?proxy=reviews-v1.default', undefined, 200],
    ['PUT', '/lateen/v1/proxies/reviews-v1.default', { revision: 1, accepted: true, version: 'x' }, 200],
    ['PUT', '/lateen/v1/proxies/reviews-v1.default/stats', {}, 400],
    ['PUT', '/lateen/v1/proxies/reviews-v1.default/egress', {}, 400],
    ['PUT', '/lateen/v1/proxies/reviews-v1.default/tap', {}, 400],
    ['PUT', '/lateen/v1/proxies/reviews-v1.default/answers/x?status=200', {}, 404],
    ['PUT', '/lateen/v1/pods/reviews-v1.default', said({ ip: '127.9.0.1' }), 200],
    ['DELETE', '/lateen/v1/pods/reviews-v1.default', undefined, 404],
    ['POST', '/api/v2/spans', [], 202],
  ])('%s %s is for proxies, who show the token', async (method, path, body: unknown, status) => {
    const without = await ask(method, path, body);
    expect([without.status, without.challenge]).toEqual([401, 'Bearer realm="lateen"']);
    expect(JSON.parse(without.body)).toMatchObject({
      reason: 'Unauthorized',
      message: expect.stringContaining('got no token: a proxy shows it with --join-token-file'),
    });
    expect((await ask(method, path, body, 'another-mesh-of-mine')).status).toBe(401);
    expect(api.store.list('Pod')).toEqual([]);
    expect((await ask(method, path, body, TOKEN)).status).toBe(status);
  });

  test('what Prometheus reads is for anybody', async () => {
    expect((await ask('GET', '/metrics')).status).toBe(200);
    expect(await ask('GET', '/lateen/v1/prometheus/targets')).toMatchObject({ status: 200, body: '[]' });
  });

  test('a command in a pod is for operators', async () => {
    const { hostname: host, port } = new URL(api.url);
    const socket = connect({ host, port: Number(port), localAddress: '127.9.0.1' });
    const lines = [
      `GET ${PODS}/reviews-v1/exec?command=id&stdout=true HTTP/1.1`,
      'host: localhost',
      'connection: upgrade',
    ];
    const key = ['sec-websocket-version: 13', 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==', 'upgrade: websocket'];
    socket.end([...lines, ...key, `authorization: Bearer ${TOKEN}`, '', ''].join('\r\n'));
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 403 /);
  });

  test('from elsewhere everything is as without a token', async () => {
    expect((await call(api, 'DELETE', `${VS}/reviews`)).status).toBe(200);
    expect(
      (await call(api, 'PUT', '/lateen/v1/proxies/a.default', { revision: 1, accepted: true, version: 'x' })).status,
    ).toBe(200);
  });
});
