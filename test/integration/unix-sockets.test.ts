/** Endpoints that are unix sockets: `unix:///path` of a ServiceEntry or a Sidecar's defaultEndpoint. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { clusterName } from '#proxy/core/brand.ts';
import { cluster, endpoint, exchange, startProxy } from '../kit/proxy.ts';

const dir = mkdtempSync(join(tmpdir(), 'lateen-unix-'));
const path = join(dir, 'app.sock');
const address = `unix://${path}`;
const GET = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';

const server = createServer((socket: Socket) => {
  socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nunix'));
  socket.on('error', () => undefined);
});

beforeAll(async () => {
  await once(server.listen(path), 'listening');
});
afterAll(async () => {
  await new Promise((closed) => server.close(closed));
  rmSync(dir, { recursive: true });
});

describe('a unix socket', () => {
  test('serves requests, again and again on one connection, and is named in the log', async () => {
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(0, address)] } });
    for (let i = 0; i < 2; i++) assert.match((await exchange(proxy.port, GET, 'unix')).text, /^HTTP\/1\.1 200 OK/);
    const lines = await proxy.log();
    assert.deepEqual(
      lines.map((line) => [line['upstream_host'], line['upstream_local_address']]),
      [
        [address, null],
        [address, null],
      ],
    );
  });

  test('takes connections that are not read', async () => {
    const split = [{ cluster: clusterName('db'), weight: 1 }];
    await using proxy = await startProxy({
      clusters: [cluster('origin'), cluster('db', { protocol: 'tcp' })],
      endpoints: { db: [endpoint(0, address)] },
      listeners: [
        {
          kind: 'tcp',
          name: 'tcp',
          address: '127.0.0.1',
          port: 0,
          direction: 'outbound',
          authz: null,
          rules: [{ destinations: [], serverNames: [], split, source: null }],
        },
      ],
    });
    assert.match((await exchange(proxy.ports['tcp']!, GET, 'unix')).text, /unix$/);
    const [line] = await proxy.log();
    assert.equal(line!['upstream_host'], address);
  });

  test('where nobody listens is a connection that failed', async () => {
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(0, `unix://${dir}/nobody`)] } });
    assert.match((await exchange(proxy.port, GET, /failure$/)).text, /^HTTP\/1\.1 503 /);
    assert.equal((await proxy.log())[0]!['response_flags'], 'UF');
  });
});
