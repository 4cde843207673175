import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { baseUrl, caller } from './outgoing.ts';
import { unusedPort } from './stand-in.ts';

describe('a call to another service', () => {
  test('goes straight there when there is no proxy, each on a connection of its own', async () => {
    await using there = await upstream((_, response) => response.end('hello'));
    const call = caller({});
    for (let i = 0; i < 3; i++)
      expect(await call({ url: `${there.url}/x?y=z`, headers: {}, timeoutMs: 1_000 })).toEqual({
        status: 200,
        body: 'hello',
      });
    expect(there.sockets.size).toBe(3);
    expect(there.seen).toEqual(['/x?y=z', '/x?y=z', '/x?y=z']);
  });

  test('goes through http_proxy in absolute form, with the Host of the target', async () => {
    const hosts: (string | undefined)[] = [];
    await using proxy = await upstream((request, response) => {
      hosts.push(request.headers.host);
      response.writeHead(503).end('from the proxy');
    });
    const call = caller({ http_proxy: proxy.url });
    const answer = await call({
      url: 'http://reviews:9080/reviews/0',
      headers: { 'end-user': 'jason' },
      timeoutMs: 1_000,
    });
    expect(answer).toEqual({ status: 503, body: 'from the proxy' });
    expect(proxy.seen).toEqual(['http://reviews:9080/reviews/0']);
    expect(hosts).toEqual(['reviews:9080']);
  });

  test('leaves out the proxy for hosts of no_proxy', async () => {
    await using there = await upstream((_, response) => response.end('direct'));
    const call = caller({ http_proxy: `http://127.0.0.1:${await unusedPort()}`, no_proxy: '127.0.0.1' });
    expect((await call({ url: there.url, headers: {}, timeoutMs: 1_000 })).body).toBe('direct');
  });

  test('asks a proxy for a tunnel to an https target', async () => {
    const asked = Promise.withResolvers<string | undefined>();
    await using proxy = await upstream(() => {});
    proxy.server.on('connect', (request: IncomingMessage, socket: Socket) => {
      asked.resolve(request.url);
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
    const call = caller({ https_proxy: proxy.url });
    await expect(call({ url: 'https://www.googleapis.com/', headers: {}, timeoutMs: 2_000 })).rejects.toThrow();
    expect(await asked.promise).toBe('www.googleapis.com:443');
  });

  test('fails when the head does not come in time', async () => {
    await using there = await upstream(() => {});
    await expect(caller({})({ url: there.url, headers: {}, timeoutMs: 50 })).rejects.toThrow('no answer within 50 ms');
  });

  test('fails when the body stalls, however much of it came', async () => {
    await using there = await upstream((_, response) => response.write('half'));
    await expect(caller({})({ url: there.url, headers: {}, timeoutMs: 50 })).rejects.toThrow();
  });

  test('may take longer than its timeout as long as something comes', async () => {
    await using there = await upstream((_, response) => {
      let pieces = 0;
      const timer = setInterval(() => {
        if (++pieces < 8) response.write('x');
        else response.end(() => clearInterval(timer));
      }, 50);
    });
    expect((await caller({})({ url: there.url, headers: {}, timeoutMs: 300 })).body).toHaveLength(7);
  });

  test('fails when nobody listens, when the answer breaks off, and when it is endless', async () => {
    const call = caller({});
    const refused = `http://127.0.0.1:${await unusedPort()}`;
    await expect(call({ url: refused, headers: {}, timeoutMs: 1_000 })).rejects.toThrow();
    await using breaks = await upstream((request) => request.socket.destroy());
    await expect(call({ url: breaks.url, headers: {}, timeoutMs: 1_000 })).rejects.toThrow();
    await using endless = await upstream((_, response) => {
      const fill = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', fill);
      fill();
    });
    await expect(call({ url: endless.url, headers: {}, timeoutMs: 2_000 })).rejects.toThrow('answer longer than');
  });

  test('is addressed by the environment', () => {
    expect(baseUrl({}, 'ratings')).toBe('http://ratings:9080');
    expect(baseUrl({ SERVICES_DOMAIN: 'default.svc.cluster.local' }, 'details')).toBe(
      'http://details.default.svc.cluster.local:9080',
    );
    expect(baseUrl({ REVIEWS_HOSTNAME: 'r', REVIEWS_SERVICE_PORT: '81' }, 'reviews')).toBe('http://r:81');
    expect(() => baseUrl({ REVIEWS_SERVICE_PORT: 'tcp://1.2.3.4:9080' }, 'reviews')).toThrow(
      'REVIEWS_SERVICE_PORT: expected',
    );
  });
});

async function upstream(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const seen: (string | undefined)[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    seen.push(request.url);
    handle(request, response);
  }).on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server,
    seen,
    sockets,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
