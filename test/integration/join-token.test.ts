/** A control API and a sidecar as processes, with the join token between them in a file. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { until } from '../kit/traffic-scenarios.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const NET = `127.58.${process.pid % 250}`;
const CONTROL = `${NET}.1`;
const SIDECAR = `${NET}.2`;
const OPERATOR = `${NET}.3`;
/** From here processes of this machine come when they connect to a loopback address: to this test, the mesh. */
const MESH = '127.0.0.1/32';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

type Running = { readonly child: ChildProcess; readonly log: () => string };

function lateen(...argv: readonly string[]): Running {
  const child = spawn(process.execPath, [join(ROOT, 'cli/main.ts'), ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  undo.push(() => child.kill('SIGKILL'));
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (log += chunk));
  return { child, log: () => log };
}

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function set(): { readonly port: number; readonly dir: string; readonly token: string } {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-join-'));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return { port: 0, dir, token: join(dir, 'join', 'token') };
}

const sidecar = (port: number, ...more: readonly string[]): Running =>
  lateen(
    'sidecar',
    `--control=http://${CONTROL}:${port}`,
    ...[`--ip=${SIDECAR}`, '--name=reviews-v1', '--labels=app=reviews,version=v1', '--register', '--access-log=off'],
    ...more,
  );
const control = (port: number, dir: string, ...more: readonly string[]): Running =>
  lateen('control', `--host=${CONTROL}`, `--port=${port}`, `--state=${join(dir, 'state')}`, ...more);

/** What proxies are in step, as an operator sees it. */
async function inStep(port: number): Promise<string[]> {
  const options = { host: CONTROL, port, path: '/lateen/v1/proxies', localAddress: OPERATOR, agent: false };
  const [answer] = await once(request(options).end(), 'response');
  expect(answer.statusCode).toBe(200);
  const { proxies } = JSON.parse(await text(answer)) as { proxies: readonly { proxy: string; sync: string }[] };
  return proxies.filter(({ sync }) => sync === 'SYNCED').map(({ proxy }) => proxy);
}

test('a sidecar waits for the token that the control API makes, and takes another when there is another', async () => {
  const { dir, token } = set();
  const port = await freePort(CONTROL);
  const flags = [`--join-token-file=${token}`, `--mesh-networks=${MESH}`];
  const { log } = sidecar(port, `--join-token-file=${token}`);
  await until(() => log().includes('nothing is served until it answers'));

  const first = control(port, dir, ...flags);
  await until(() => log().includes('registered as pod reviews-v1.default'));
  await until(async () => (await inStep(port)).includes('reviews-v1.default'));
  const before = readFileSync(token, 'utf8');

  const ended = once(first.child, 'exit');
  first.child.kill('SIGTERM');
  await ended;
  rmSync(token);
  const second = control(port, dir, ...flags);
  await until(() => second.log().includes('ready: control API at'));
  expect(readFileSync(token, 'utf8')).not.toBe(before);
  await until(async () => (await inStep(port)).includes('reviews-v1.default'));
  expect(log()).not.toContain('401');
});

test('a sidecar without the token, or with that of another mesh, says what it needs, and comes in once it has it', async () => {
  const { dir, token } = set();
  const port = await freePort(CONTROL);
  const api = control(port, dir, `--join-token-file=${token}`, `--mesh-networks=${MESH}`);
  await until(() => api.log().includes('ready: control API at'));
  const none = sidecar(port);
  await until(() => none.log().includes('takes only proxies that show the join token of the mesh'));
  await until(() => /refuses this proxy \(401: expected the join token of this mesh, got no token/.test(none.log()));
  none.child.kill('SIGKILL');

  const own = join(dir, 'own');
  writeFileSync(own, 'the-token-of-another-mesh');
  const other = sidecar(port, `--join-token-file=${own}`);
  await until(() => other.log().includes('expected the join token of this mesh, got another token'));
  expect(await inStep(port)).toEqual([]);
  writeFileSync(own, readFileSync(token));
  await until(async () => (await inStep(port)).includes('reviews-v1.default'));
});

test.each([
  [2, 'sidecar', ['--config=.', '--workload=x', '--join-token-file=token'], '--join-token-file needs --control URL'],
  [2, 'control', ['--mesh-networks=10.0.0.0/8'], '--mesh-networks needs --join-token-file'],
  [1, 'control', ['--join-token-file=t', '--mesh-networks=10.0.0/8'], 'Expected auto, or ranges such as'],
])('ends with %i: lateen %s %j', async (code, verb, flags, says) => {
  const { child, log } = lateen(verb, ...flags);
  expect(await once(child, 'close')).toEqual([code, null]);
  expect(log()).toContain(says);
});

test('a file that holds no token is named, and nothing is served without one', async () => {
  const { dir } = set();
  const token = join(dir, 'token');
  writeFileSync(token, 'short');
  const { child, log } = control(await freePort(CONTROL), dir, `--join-token-file=${token}`);
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(log()).toContain(`out of A-Z a-z 0-9 - . _ ~ + / in ${token}, got 5 characters`);
});
