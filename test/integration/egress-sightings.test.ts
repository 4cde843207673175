/** Traffic that leaves the mesh or is kept from it: seen by a proxy, told to the control API, proposed, allowed. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { call, start, stopAll } from '#control-api/server.kit.ts';
import type { EgressView } from '#control-api/egress.ts';
import { clusterName, routeName } from '#proxy/core/brand.ts';
import type { EgressRow } from '#proxy/core/egress.ts';
import {
  cluster,
  endpoint,
  exchange,
  rawOrigin,
  route,
  startProxy,
  type TestProxy,
  type TestProxyOptions,
} from '../kit/proxy.ts';

const MAIN = new URL('../../cli/main.ts', import.meta.url).pathname;
const BLACK_HOLE = cluster('BlackHoleCluster', { service: null });
const PASSTHROUGH = cluster('PassthroughCluster', {
  discovery: { kind: 'passthrough' },
  service: null,
  balancing: { kind: 'PASSTHROUGH' },
});
const API = cluster('api', { service: { host: 'api.example.com', name: 'api.example.com', namespace: 'default' } });

const blockAll = route({
  name: routeName('block_all'),
  action: { kind: 'direct', status: 502, body: '', bodyIsBase64: false },
});
const to = (name: string) =>
  route({
    action: {
      kind: 'forward',
      split: [{ cluster: clusterName(name), weight: 1, requestHeaders: null, responseHeaders: null }],
      rewrite: null,
    },
  });

const hello = () =>
  rawOrigin((socket) => socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello')));

/** Everything, also of connections whose end the client saw before the proxy did. */
async function seen(proxy: TestProxy): Promise<string[]> {
  await proxy.log();
  return shown(proxy.egress());
}

const shown = (rows: readonly EgressRow[]): string[] =>
  rows.map((r) => `${r.verdict} ${r.protocol} ${r.host}[${r.address}]:${r.port} ${r.count}`);

const ask = (host: string): string => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const tunnel = (to: string): string => `CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`;

describe('a proxy sees', () => {
  test('requests that REGISTRY_ONLY refuses, and says what to do about it', async () => {
    await using proxy = await startProxy({ routes: [blockAll] });
    for (const host of ['API.example.com', 'api.example.com', 'api.example.com:8080']) {
      const { text } = await exchange(proxy.port, ask(host), '\r\n\r\n');
      expect(text).toMatch(/^HTTP\/1\.1 502 .*x-lateen-reason: .* \(\.\/lateen egress --propose shows one\)\r\n/s);
    }
    expect(await seen(proxy)).toEqual(['blocked http api.example.com[]:80 2', 'blocked http api.example.com[]:8080 1']);
  });

  test('tunnels, refused and let through, with what they carried', async () => {
    await using origin = await hello();
    const open = (unknown: 'ALLOW_ANY' | 'REGISTRY_ONLY'): TestProxyOptions => ({
      clusters: [cluster('origin'), PASSTHROUGH, BLACK_HOLE],
      listener: { forwardProxy: { connect: {}, unknown } },
    });
    await using closed = await startProxy(open('REGISTRY_ONLY'));
    await exchange(closed.port, tunnel('db.example.com:3306'), '\r\n\r\n');
    expect(await seen(closed)).toEqual(['blocked tcp db.example.com[]:3306 1']);
    await using loose = await startProxy(open('ALLOW_ANY'));
    await exchange(loose.port, `${tunnel(`127.0.0.1:${origin.port}`)}x`, 'hello');
    expect(await seen(loose)).toContain(`passed tcp [127.0.0.1]:${origin.port} 1`);
    const carried = loose.egress().reduce((sum, row) => sum + row.received, 0);
    expect(carried).toBe('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'.length);
  });

  test('redirected connections into the black hole, by their own address', async () => {
    const rule = {
      destinations: [],
      serverNames: [],
      split: [{ cluster: BLACK_HOLE.name, weight: 1 }],
      source: null,
    };
    await using proxy = await startProxy({
      redirect: () => ({ address: '203.0.113.7', port: 3306 }),
      clusters: [cluster('origin'), BLACK_HOLE],
      listener: { captured: { ports: {}, unknown: { rules: [rule], table: null, authz: null } } },
    });
    expect((await exchange(proxy.port, '')).ended).toBe('reset');
    expect(await seen(proxy)).toEqual(['blocked tcp [203.0.113.7]:3306 1']);
  });

  test('what a ServiceEntry allows, with what went wrong, and nothing that stays inside', async () => {
    await using origin = await hello();
    const gone = await hello();
    await gone[Symbol.asyncDispose]();
    const options = { clusters: [cluster('origin'), API] };
    await using proxy = await startProxy({
      ...options,
      routes: [to('api')],
      endpoints: { api: [endpoint(origin.port)], origin: [endpoint(origin.port)] },
    });
    await exchange(proxy.port, ask('api.example.com'), 'hello');
    expect(await seen(proxy)).toEqual([`allowed http api.example.com[127.0.0.1]:${origin.port} 1`]);
    await using failing = await startProxy({
      ...options,
      routes: [to('api')],
      endpoints: { api: [endpoint(gone.port)] },
    });
    await exchange(failing.port, ask('api.example.com'), 'failure');
    await failing.log();
    expect(failing.egress()).toMatchObject([{ count: 1, failures: 1, failure: 'Connection refused' }]);
    await using inside = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    await exchange(inside.port, ask('origin'), 'hello');
    expect(await seen(inside)).toEqual([]);
  });
});

describe('a sidecar with a control API', () => {
  const undo: (() => unknown)[] = [];
  afterEach(async () => {
    for (const one of undo.splice(0).reverse()) await one();
    await stopAll();
  });
  // In its own corner of the loopback, so that the default ports are free.
  const place = `127.47.${process.pid & 255}`;

  test('is blocked, proposes what is missing, and is let through once that is applied', async () => {
    const api = await start();
    const origin = createServer((_, response) => response.end('hello')).listen(0, `${place}.9`);
    undo.push(() => origin.close());
    await once(origin, 'listening');
    const there = `${place}.9:${(origin.address() as AddressInfo).port}`;
    const child = sidecar(api.url, `${place}.1`);
    undo.push(() => ended(child));
    await until(async () => (await fetch(`http://${place}.1:15021/healthz/ready`)).ok);

    expect(await get(`${place}.1`, there)).toMatch(/^HTTP\/1\.1 502 /);
    const own = (await (await fetch(`http://${place}.1:15000/egress`)).json()) as { egress: readonly EgressView[] };
    const row = { verdict: 'blocked', protocol: 'http', host: '', address: `${place}.9`, count: 1 };
    expect(own.egress).toMatchObject([row]);
    const listed = async (): Promise<readonly EgressView[]> =>
      (await call(api, 'GET', '/lateen/v1/egress')).body.egress as EgressView[];
    await until(async () => (await listed()).length === 1);
    expect(await listed()).toMatchObject([{ ...row, namespace: 'default', workload: 'details-v1', by: null }]);

    const { code, stdout } = await lateen(api.url, 'egress', '--apply', '--yes');
    expect(code, stdout).toBe(0);
    await api.proxies.settled(api.store.revision);
    expect(await get(`${place}.1`, there)).toMatch(/^HTTP\/1\.1 200 .*hello/s);
    await until(async () => (await listed()).length === 2);
    expect((await listed()).map((r) => `${r.verdict} ${r.by}`)).toEqual([
      `blocked ServiceEntry default/ip-${place.replaceAll('.', '-')}-9`,
      `allowed ServiceEntry default/ip-${place.replaceAll('.', '-')}-9`,
    ]);

    // What it is refused last is told, also when it ends right then.
    expect(await get(`${place}.1`, 'last.example.com')).toMatch(/^HTTP\/1\.1 502 /);
    await ended(child);
    expect((await listed()).map((r) => r.host)).toContain('last.example.com');
  });
});

function sidecar(control: string, ip: string): ChildProcess {
  const args = ['sidecar', '--control', control, '--workload', 'details-v1', '--name', 'details-v1-0', '--ip', ip];
  const rest = ['--outbound-policy', 'REGISTRY_ONLY', '--access-log', 'off', '--concurrency', '2'];
  return spawn(process.execPath, [MAIN, ...args, ...rest], { stdio: 'ignore' });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** As the application beside the proxy at `ip`; all that was answered. */
async function get(ip: string, host: string): Promise<string> {
  const socket = connect({ host: ip, port: 15_001, localAddress: ip });
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  return Buffer.concat(await socket.toArray()).toString();
}

const lateen = (server: string, ...args: readonly string[]): Promise<{ code: number; stdout: string }> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], LATEEN_SERVER: server };
    execFile(process.execPath, [MAIN, ...args], { env }, (error, stdout) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout }),
    );
  });

/** Of things that tell nobody when they have become so. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 20_000; ;) {
    if (await holds().catch(() => false)) return;
    if (performance.now() > deadline) throw new Error('it did not become so in time');
    await new Promise((again) => setTimeout(again, 20));
  }
}
