/** A sidecar as a process that registers itself: the order of what it says, and what goes on meanwhile. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, get, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { afterEach, describe, test } from 'vitest';

const ROOT = new URL('../..', import.meta.url).pathname;
const IP = `127.43.${process.pid & 127}.1`;
const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'reviews', namespace: 'default' },
  spec: { selector: { app: 'reviews' }, ports: [{ name: 'http', port: 9080, targetPort: 9080 }] },
};

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

type Container = { readonly name: string; readonly ready: boolean };
type Asked = {
  readonly line: string;
  readonly body: { readonly containers?: readonly Container[]; readonly terminating?: boolean };
  readonly response: ServerResponse;
};

/** A control API with one Service, of which the test answers what concerns pods. `lines`: all that was asked, in order. */
async function fakeApi() {
  const lines: string[] = [];
  const waiting: Asked[] = [];
  const takers: ((asked: Asked) => void)[] = [];
  const streams: ServerResponse[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const path = request.url!.replace(/^\/lateen\/v1\//, '').replace(/\?.*/, '');
      lines.push(`${request.method} ${path}`);
      if (path === 'config') {
        streams.push(response);
        return void response.write(`${JSON.stringify({ kind: 'set', revision: 1, resources: [SERVICE] })}\n`);
      }
      if (!path.startsWith('pods/')) return void response.end('{}');
      const body = (text === '' ? {} : JSON.parse(text)) as Asked['body'];
      const asked = { line: `${request.method} ${path}`, body, response };
      const taker = takers.shift();
      if (taker === undefined) waiting.push(asked);
      else taker(asked);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => (server.closeAllConnections(), server.close()));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lines,
    streams,
    next: (): Promise<Asked> =>
      waiting.length > 0 ? Promise.resolve(waiting.shift()!) : new Promise((resolve) => takers.push(resolve)),
  };
}

const take = ({ response }: Asked): void => void response.end('{"revision":1,"heartbeatMs":60000}');
const readiness = ({ body }: Asked): string => (body.containers ?? []).map((c) => `${c.name}=${c.ready}`).join(' ');

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, IP);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function sidecar(url: string, flags: readonly string[]): { readonly child: ChildProcess; readonly log: () => string } {
  const argv = [`--control=${url}`, `--ip=${IP}`, '--labels=app=reviews,version=v1', '--name=reviews-v1', '--register'];
  const ports = ['--admin-port=0', '--metrics-port=0', '--access-log=off', '--drain=20s'];
  const child = spawn(process.execPath, ['cli/main.ts', 'sidecar', ...argv, ...ports, ...flags], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let logged = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (logged += text));
  open.push(() => child.kill('SIGKILL'));
  return { child, log: () => logged };
}

/** Status, or why there is none. */
const status = (port: number, path: string, host = 'reviews:9080'): Promise<number | string> =>
  new Promise((resolve) => {
    get({ host: IP, port, path, agent: false, headers: { host } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!));
    }).on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });

describe('a sidecar that registers', () => {
  test('is a Pod from its start to its end, and serves while it takes leave', async () => {
    const api = await fakeApi();
    const slow = Promise.withResolvers<ServerResponse>();
    const app = createServer((request, response) => {
      if (request.url === '/slow') return slow.resolve(response);
      response.end();
    });
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    open.push(() => (app.closeAllConnections(), app.close()));
    const origin = `127.0.0.1:${(app.address() as AddressInfo).port}`;
    const [merged, ready, out] = [await freePort(), await freePort(), await freePort()];
    const ports = [`--merged-port=${merged}`, `--ready-port=${ready}`, `--outbound-port=${out}`];
    const { child, log } = sidecar(api.url, [...ports, `--app=9080=${origin}`, `--app-probe=http://${origin}/health`]);
    const over = once(child, 'exit');

    // Ready when both are, in whatever order that came about.
    let asked = await api.next();
    assert.equal(asked.line, 'PUT pods/reviews-v1.default');
    while (readiness(asked) !== 'reviews=true istio-proxy=true') {
      take(asked);
      asked = await api.next();
    }
    take(asked);
    assert.equal(await status(merged, '/app-health/reviews/readyz'), 200);

    // The control API starts anew: it knows of the pod before it opens the stream.
    const before = api.lines.length;
    api.streams[0]!.destroy();
    take(await api.next());
    while (api.streams.length < 2) await new Promise((again) => setImmediate(again));
    const configOrPods = api.lines.slice(before).filter((line) => /config|pods/.test(line));
    assert.deepEqual(configOrPods, ['PUT pods/reviews-v1.default', 'GET config']);

    // It says that it ends: until all have heard, it serves in and out.
    const answer = status(9080, '/slow');
    const inFlight = await slow.promise;
    child.kill('SIGTERM');
    const last = await api.next();
    assert.deepEqual([last.line, last.body.terminating], ['PUT pods/reviews-v1.default', true]);
    assert.equal(await status(9080, '/'), 200, log());
    assert.equal(await status(out, `http://${origin}/`, origin), 200, log());
    assert.equal(await status(ready, '/healthz/ready'), 503);
    take(last);
    // Then it drains: nothing new comes in, what is under way ends.
    while ((await status(9080, '/')) === 200);
    assert.equal(api.lines.at(-1)?.startsWith('DELETE'), false);
    inFlight.end('ok');
    assert.equal(await answer, 200);
    const gone = await api.next();
    assert.equal(gone.line, 'DELETE pods/reviews-v1.default');
    take(gone);
    assert.deepEqual(await over, [0, null], log());
  });

  test('ends at once without its control API', async () => {
    const api = await fakeApi();
    const { child, log } = sidecar(api.url, [
      '--merged-port=0',
      '--ready-port=0',
      `--outbound-port=${await freePort()}`,
    ]);
    const over = once(child, 'exit');
    let asked = await api.next();
    while (readiness(asked) !== 'reviews=true istio-proxy=true') {
      take(asked);
      asked = await api.next();
    }
    take(asked);
    await open.shift()!();
    while (!log().includes('lost the control API')) await new Promise((again) => setImmediate(again));
    const told = performance.now();
    child.kill('SIGTERM');
    assert.deepEqual(await over, [0, null], log());
    assert.ok(performance.now() - told < 4000, 'less than the 6 s that an answer may take');
  });
});
