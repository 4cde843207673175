import { request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { Asks, type AskLimits, type Page } from './asks.ts';
import { call, start, stopAll, watch } from './server.kit.ts';
import type { ControlApi } from './server.ts';

afterEach(stopAll);

/** A proxy's stream, past its configuration; what it is asked. */
async function proxy(api: ControlApi, name = 'a-0') {
  const stream = await watch(api, `/lateen/v1/config?proxy=${name}.default`);
  expect(await stream.next()).toMatchObject({ kind: 'set' });
  return stream;
}

const ADMIN = '/lateen/v1/proxies/a-0.default/admin';
const answerAt = (id: string, status: number | string = 200, name = 'a-0'): string =>
  `/lateen/v1/proxies/${name}.default/answers/${id}?status=${status}`;

const TEXT = { 'content-type': 'text/plain; charset=UTF-8' };
const answer = (api: ControlApi, id: string, body: string, status = 200, name = 'a-0') =>
  call(api, 'PUT', answerAt(id, status, name), body, TEXT);

describe('a page of a proxy', () => {
  test('is asked of it with its query, and given to whoever asked as it is', async () => {
    const api = await start();
    const [a, b] = [await proxy(api), await proxy(api, 'b-0')];
    const page = call(api, 'GET', `${ADMIN}/stats?filter=a%20b&usedonly`);
    const asked = await a.next();
    expect(asked).toEqual({
      kind: 'ask',
      id: expect.stringMatching(/^[\w-]{24}$/),
      path: '/stats?filter=a%20b&usedonly',
    });
    const answered = await answer(api, asked.id, 'not yet\n', 503);
    expect(answered).toMatchObject({ status: 200, body: {} });
    const { status, body, headers } = await page;
    expect([status, body, headers.get('content-type')]).toEqual([503, 'not yet\n', 'text/plain; charset=UTF-8']);
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
    // Nobody else was asked: the next that it hears of is its own.
    const other = call(api, 'GET', '/lateen/v1/proxies/b-0.default/admin/ready');
    const { id, path } = await b.next();
    expect(path).toBe('/ready');
    await answer(api, id, 'LIVE\n', 200, 'b-0');
    expect((await other).body).toBe('LIVE\n');
    a.stop();
    b.stop();
  });

  test('goes through in both directions at once: none of it is gathered', async () => {
    const api = await start();
    const a = await proxy(api);
    const page = fetch(`${api.url}${ADMIN}/stats/prometheus`);
    const { id } = await a.next();
    const put = httpRequest(api.url + answerAt(id), { method: 'PUT', headers: { 'content-type': 'text/plain' } });
    const done = new Promise<number>((resolve) => put.on('response', (r) => resolve(r.resume().statusCode!)));
    put.write('first\n');
    const reader = (await page).body!.getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('first\n');
    put.end('second\n');
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('second\n');
    expect((await reader.read()).done).toBe(true);
    expect(await done).toBe(200);
    a.stop();
  });

  test('that breaks off half way breaks off for whoever asked, too', async () => {
    const api = await start();
    const a = await proxy(api);
    const page = fetch(`${api.url}${ADMIN}/clusters`);
    const { id } = await a.next();
    const put = httpRequest(api.url + answerAt(id), { method: 'PUT' }).on('error', () => {});
    put.write('first\n');
    const begun = await page;
    put.destroy();
    await expect(begun.text()).rejects.toThrow();
    a.stop();
  });

  test.each([
    'quitquitquit',
    'logging?level=debug',
    'config_dump/',
    'stats%2fprometheus/..%2f',
    '',
    'stats%3Ffilter=x',
  ])('is not asked when it is none that only shows: %s', async (path) => {
    const { status, body } = await call(await start(), 'GET', `${ADMIN}/${path}`);
    expect([status, body.kind]).toEqual([400, 'Status']);
    expect(body.message).toContain('expected one of /help, /config_dump, ');
  });

  test('changes nothing, whatever the method', async () => {
    const api = await start();
    expect((await call(api, 'POST', `${ADMIN}/quitquitquit`)).body).toMatchObject({ code: 405, kind: 'Status' });
    expect((await call(api, 'GET', `${ADMIN}/stats?filter=${'a'.repeat(4096)}`)).status).toBe(400);
  });

  test('of a proxy that is not known is not found; when it has left, or leaves, there is none', async () => {
    const api = await start();
    expect((await call(api, 'GET', `${ADMIN}/ready`)).body).toMatchObject({ code: 404, kind: 'Status' });
    const a = await proxy(api);
    const pages = [call(api, 'GET', `${ADMIN}/ready`), call(api, 'GET', `${ADMIN}/memory`)];
    await a.next();
    await a.next();
    a.stop();
    for (const { body } of await Promise.all(pages))
      expect(body).toMatchObject({ code: 503, message: 'proxy a-0.default has disconnected' });
    // One that has reported, and has no stream.
    await call(api, 'PUT', '/lateen/v1/proxies/c-0.default', {
      revision: 1,
      version: 'v',
      accepted: true,
      problems: [],
    });
    const { body } = await call(api, 'GET', '/lateen/v1/proxies/c-0.default/admin/ready');
    expect(body).toMatchObject({ code: 503, message: 'proxy c-0.default is not connected to the control API' });
  });

  test('goes on being asked for when a newer stream takes the place of the older', async () => {
    const api = await start();
    const older = await proxy(api);
    const page = call(api, 'GET', `${ADMIN}/ready`);
    const { id } = await older.next();
    const newer = await proxy(api);
    await older.ended();
    await answer(api, id, 'LIVE\n');
    expect((await page).body).toBe('LIVE\n');
    newer.stop();
  });
});

describe('an answer', () => {
  test('that nobody waits for is refused, and not read', async () => {
    const api = await start();
    const a = await proxy(api);
    const page = call(api, 'GET', `${ADMIN}/ready`);
    const { id } = await a.next();
    const refused = async (path: string): Promise<number> => {
      // A body that never comes to its end: whoever read it would wait.
      const put = httpRequest(api.url + path, { method: 'PUT', headers: { 'content-length': 1e9 } });
      put.on('error', () => {});
      put.write('x');
      const status = await new Promise<number>((resolve) => put.on('response', (r) => resolve(r.statusCode!)));
      put.destroy();
      return status;
    };
    expect(await refused(answerAt('made-up'))).toBe(404);
    expect(await refused(answerAt(id, 200, 'b-0'))).toBe(404);
    expect(await refused(answerAt(id, 301))).toBe(400);
    expect(await refused(answerAt(id, 'x'))).toBe(400);
    expect((await answer(api, id, 'LIVE\n')).status).toBe(200);
    expect((await page).body).toBe('LIVE\n');
    // Once is enough.
    expect((await answer(api, id, 'LIVE\n')).status).toBe(404);
    a.stop();
  });

  test('that says beforehand that it is too large is refused to both', async () => {
    const api = await start();
    const a = await proxy(api);
    const page = call(api, 'GET', `${ADMIN}/config_dump`);
    const { id } = await a.next();
    const headers = { 'content-length': 64 * 1024 * 1024 + 1 };
    const put = httpRequest(api.url + answerAt(id), { method: 'PUT', headers }).on('error', () => {});
    put.flushHeaders();
    expect(await new Promise((resolve) => put.on('response', (r) => resolve(r.statusCode)))).toBe(413);
    put.destroy();
    expect((await page).body).toMatchObject({ code: 502, kind: 'Status' });
    a.stop();
  });
});

/** Asks alone, with limits that a test can reach. */
function alone(limits: Partial<AskLimits>) {
  const ids: string[] = [];
  const send = (_: string, line: string) => {
    ids.push((JSON.parse(line) as { id: string }).id);
    return 'sent' as const;
  };
  const asks = new Asks({ send }, limits);
  const ask = (proxy = 'a.default', gone = new AbortController().signal): Promise<Page> =>
    asks.ask(proxy, '/ready', gone);
  const page = (...chunks: readonly string[]): Page => ({
    status: 200,
    type: 'text/plain',
    body: Readable.from(chunks.map((chunk) => Buffer.from(chunk))),
  });
  return { ids, asks, ask, page };
}

describe('bounds', () => {
  test('in time: who does not begin to answer is not waited for', async () => {
    const { ids, asks, ask, page } = alone({ withinMs: 1 });
    await expect(ask()).rejects.toMatchObject({ code: 503, message: 'proxy a.default did not answer within 0.001 s' });
    expect(() => asks.answer('a.default', ids[0]!, page('late'), null)).toThrow(expect.objectContaining({ code: 404 }));
  });

  test('in number: for a proxy, and for all; room comes with every end', async () => {
    const { ids, asks, ask, page } = alone({ perProxy: 2, total: 3 });
    const gone = new AbortController();
    const left = ask('a.default', gone.signal);
    const answered = ask();
    await expect(ask()).rejects.toMatchObject({ code: 429 });
    const other = ask('b.default');
    await expect(ask('c.default')).rejects.toMatchObject({ code: 429 });
    gone.abort();
    await expect(left).rejects.toMatchObject({ code: 503 });
    const closed = ask();
    // As long as an answer is on its way, it counts.
    const whole = asks.answer('a.default', ids[1]!, page('LIVE'), null);
    const { body } = await answered;
    await expect(ask()).rejects.toMatchObject({ code: 429 });
    expect(await text(body)).toBe('LIVE');
    await whole;
    const last = ask();
    asks.close();
    for (const promise of [other, closed, last]) await expect(promise).rejects.toMatchObject({ code: 503 });
  });

  test('in size: what is longer than it said breaks off', async () => {
    const { ids, asks, ask, page } = alone({ bytes: 8 });
    const asked = ask();
    const whole = asks.answer('a.default', ids[0]!, page('12345678', '9'), null);
    const [read, told] = await Promise.allSettled([asked.then(({ body }) => text(body)), whole]);
    expect(read).toMatchObject({ status: 'rejected', reason: { code: 413 } });
    expect(told).toMatchObject({ status: 'rejected', reason: { code: 413 } });
  });
});
