import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { json, startService, type Reply } from './service.ts';
import { raw, standIn } from './stand-in.ts';

const ok = (): Reply => json(200, { fine: true });

describe('the shell of a service', () => {
  test('answers and writes one log line a request', async () => {
    const log: Record<string, unknown>[] = [];
    await using service = await standIn(ok, log);
    const answer = await fetch(`${service.url}/a%20b?c=d`, { headers: { 'x-request-id': 'r-1', 'end-user': 'jason' } });
    expect(await answer.json()).toEqual({ fine: true });
    await service.close();
    expect(log).toMatchObject([
      { service: 'stand-in', method: 'GET', path: '/a%20b?c=d', status: 200, requestId: 'r-1', user: 'jason' },
    ]);
  });

  test('gives the handler path, query, headers and body', async () => {
    await using service = await standIn(async ({ method, path, query, headers, body }) =>
      json(200, [method, path, query.get('q'), headers['x-test'], await body()]),
    );
    const answer = await fetch(`${service.url}/p?q=1`, { method: 'POST', body: 'text', headers: { 'x-test': 'yes' } });
    expect(await answer.json()).toEqual(['POST', '/p', '1', 'yes', 'text']);
  });

  test('answers 500 when the handler throws, and lives on', async () => {
    const log: Record<string, unknown>[] = [];
    await using service = await standIn(() => {
      throw new Error('broken');
    }, log);
    for (let i = 0; i < 2; i++) expect((await fetch(service.url)).status).toBe(500);
    await service.close();
    expect(log).toMatchObject([
      { status: 500, error: 'broken' },
      { status: 500, error: 'broken' },
    ]);
  });

  test('refuses a body over 64 KiB with 413 and ends the connection', async () => {
    await using service = await standIn(async ({ body }) => json(200, (await body()).length));
    const answer = await raw(
      service.url,
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n${'x'.repeat(70_000)}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/\r\nConnection: close\r\n/i);
  });

  test('sends no body to HEAD, but the length it would have', async () => {
    await using service = await standIn(ok);
    const answer = await fetch(service.url, { method: 'HEAD' });
    expect([answer.headers.get('content-length'), await answer.text()]).toEqual(['13', '']);
  });

  for (const [name, target, status] of [
    ['an absolute target', 'http://other/x?y', 200],
    ['an absolute target without a path', 'http://other', 400],
    ['an asterisk', '*', 400],
    ['a broken escape', '/%zz%', 200],
    ['dots and slashes', '//../..//etc/passwd', 200],
    ['a very long path', `/${'a'.repeat(12_000)}`, 200],
    ['a head that is too large', `/${'a'.repeat(20_000)}`, 431],
  ] as const) {
    test(`takes ${name} without harm`, async () => {
      await using service = await standIn(ok);
      const answer = await raw(service.url, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect((await fetch(service.url)).status).toBe(200);
    });
  }

  test('answers 400 to what is no HTTP', async () => {
    await using service = await standIn(ok);
    expect(await raw(service.url, '\x16\x03\x01 hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('lets a request in flight finish when it is closed, and takes no new one', async () => {
    const arrived = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const service = await standIn(async () => {
      arrived.resolve();
      await go.promise;
      return ok();
    });
    const answer = fetch(service.url);
    await arrived.promise;
    const closed = service.close();
    await expect(fetch(service.url)).rejects.toThrow();
    go.resolve();
    expect((await answer).status).toBe(200);
    await closed;
  });

  test('cuts connections that are left after the grace period', async () => {
    const arrived = Promise.withResolvers<void>();
    const service = await standIn(() => {
      arrived.resolve();
      return new Promise<Reply>(() => {});
    });
    const answer = fetch(service.url).then(
      () => 'answered',
      () => 'cut',
    );
    await arrived.promise;
    await service.close(1);
    expect(await answer).toBe('cut');
  });

  test('survives a client that goes away before the answer', async () => {
    const log: Record<string, unknown>[] = [];
    const gone = Promise.withResolvers<void>();
    await using service = await standIn(async () => {
      await gone.promise;
      return ok();
    }, log);
    const { hostname, port } = new URL(service.url);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n', () => socket.destroy());
      }).on('close', () => resolve());
    });
    gone.resolve();
    expect((await fetch(service.url)).status).toBe(200);
  });

  test('rejects when its port is taken', async () => {
    await using first = await standIn(ok);
    const port = Number(new URL(first.url).port);
    await expect(
      startService({ name: 'second', handle: ok, host: '127.0.0.1', port, keepAliveMs: 1, log: () => {} }),
    ).rejects.toThrow('EADDRINUSE');
  });
});
