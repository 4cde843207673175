/** What a real proxy tells of its traffic: statistics that outlive it, and single requests while somebody looks. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { call, start, stopAll, watch } from '#control-api/server.kit.ts';
import type { ControlApi } from '#control-api/server.ts';
import type { StatsRow } from '#control-api/stats-view.ts';

const MAIN = new URL('../../cli/main.ts', import.meta.url).pathname;
// In its own corner of the loopback, so that the default ports are free.
const PLACE = `127.67.${process.pid & 255}`;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
  await stopAll();
});

function sidecar(control: string): ChildProcess {
  const args = [
    'sidecar',
    '--control',
    control,
    '--workload',
    'details-v1',
    '--name',
    'details-v1-0',
    '--ip',
    `${PLACE}.1`,
  ];
  const child = spawn(process.execPath, [MAIN, ...args, '--access-log', 'off', '--concurrency', '2'], {
    stdio: 'ignore',
  });
  undo.push(() => ended(child));
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

async function listening(server: Server): Promise<string> {
  server.listen(0, `${PLACE}.9`);
  undo.push(() => server.close());
  await once(server, 'listening');
  return `${PLACE}.9:${(server.address() as AddressInfo).port}`;
}

const ready = (): Promise<void> => until(async () => (await fetch(`http://${PLACE}.1:15021/healthz/ready`)).ok);

/** As the application beside the proxy. */
async function get(host: string, path: string): Promise<string> {
  const socket = connect({ host: `${PLACE}.1`, port: 15_001, localAddress: `${PLACE}.1` });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  return Buffer.concat(await socket.toArray()).toString();
}

const edges = async (api: ControlApi): Promise<readonly StatsRow[]> =>
  (await call(api, 'GET', '/lateen/v1/stats?by=edge')).body.rows as StatsRow[];

describe('a sidecar with a control API', () => {
  test('tells of its traffic, also at its end; a second one goes on from there', async () => {
    const api = await start();
    const http = await listening(createHttpServer((_, response) => response.end('hello')));
    const tcp = await listening(createServer((socket) => socket.on('error', () => undefined).resume()));
    const first = sidecar(api.url);
    await ready();
    for (let i = 0; i < 5; i++) expect(await get(http, '/')).toMatch(/^HTTP\/1\.1 200 .*hello/s);
    const row = { source: { workload: 'details-v1' }, service: 'PassthroughCluster', requests: 5, success: 1 };
    await until(async () => (await edges(api))[0]?.requests === 5);
    expect(await edges(api)).toMatchObject([row]);

    const tunnel = connect({ host: `${PLACE}.1`, port: 15_001, localAddress: `${PLACE}.1` });
    undo.push(() => tunnel.destroy());
    tunnel.write(`CONNECT ${tcp} HTTP/1.1\r\nHost: ${tcp}\r\n\r\n`);
    await once(tunnel, 'data');
    await until(async () => (await edges(api)).some((edge) => edge.tcpOpen === 1));
    tunnel.write('some bytes');
    await until(async () => (await edges(api)).some((edge) => edge.tcpOpen === 1 && edge.received >= 10));
    tunnel.destroy();
    await until(async () => (await edges(api)).every((edge) => edge.tcpOpen === 0));

    // What comes last is told, also when it ends right then.
    await get(http, '/');
    await ended(first);
    expect((await edges(api)).reduce((sum, edge) => sum + edge.requests, 0)).toBe(6);
    sidecar(api.url);
    await ready();
    await get(http, '/');
    await until(async () => (await edges(api)).reduce((sum, edge) => sum + edge.requests, 0) === 7);
  });

  test('tells of single requests while somebody looks, to one who comes before it, too', async () => {
    const api = await start();
    const http = await listening(createHttpServer((_, response) => response.writeHead(418).end()));
    const client = await watch(api, '/lateen/v1/tap?workload=details-v1&status=4xx&path=/tea');
    expect(await client.next()).toEqual({ kind: 'started', proxies: 0 });
    sidecar(api.url);
    await ready();
    await get(http, '/coffee');
    await get(http, '/tea?token=hush');
    const line = await client.next();
    expect(line).toMatchObject({
      kind: 'request',
      proxy: 'details-v1-0.default',
      direction: 'outbound',
      source: { workload: 'details-v1', pod: 'details-v1-0' },
      path: '/tea?token=***',
      status: 418,
    });
    client.stop();
  });
});

/** Of things that tell nobody when they have become so. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 20_000; ;) {
    if (await holds().catch(() => false)) return;
    if (performance.now() > deadline) throw new Error('it did not become so in time');
    await new Promise((again) => setTimeout(again, 20));
  }
}
