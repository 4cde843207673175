/** The local runner with real processes: real sidecars beside a tiny application, scaled, rolled out and crashed under load. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as ask } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '#control-api/open-store.ts';
import type { Pod } from '#control-api/runner/object.ts';
import { startRunner, type Runner } from '#control-api/runner/runner.ts';
import { createControlApi, type ControlApi } from '#control-api/server.ts';
import type { Resource } from '#proxy/istio/resource.ts';

/** Answers its name; `/slow` takes a while. Ends at once when told to, as a program does that knows nothing of meshes. */
const APP = `
import { createServer } from 'node:http';
createServer((request, response) => {
  const answer = () => response.end(process.env.HOSTNAME + ' ' + process.env.GREETING);
  if (request.url === '/crash') process.exit(3);
  else if (request.url === '/slow') setTimeout(answer, 300);
  else answer();
}).listen(Number(process.env.PORT), process.env.LISTEN_HOST);
process.on('SIGTERM', () => process.exit(0));`;

const USER = { via: 'test', user: '' };
const dir = mkdtempSync(join(tmpdir(), 'lateen-runner-'));
const store = openStore({ dir: null });
const agent = new Agent({ keepAlive: true });
let api: ControlApi;
let runner: Runner;

beforeAll(async () => {
  writeFileSync(join(dir, 'app.mjs'), APP);
  writeFileSync(
    join(dir, 'images.yaml'),
    `images: [{ match: app, command: [${process.execPath}, ${join(dir, 'app.mjs')}] }]`,
  );
  api = await createControlApi({
    host: '127.0.0.1',
    port: 0,
    store,
    runtime: { logs: () => null, exec: () => null },
    ready: () => ({ ready: true, reasons: [] }),
    analyze: () => [],
    version: '0',
  });
  runner = startRunner({
    store,
    controlUrl: api.url,
    lateen: [process.execPath, fileURLToPath(new URL('../../cli/main.ts', import.meta.url))],
    stateDir: join(dir, 'state'),
    imagesFile: join(dir, 'images.yaml'),
    podCidr: `127.${64 + (process.pid % 32)}.${(process.pid >> 5) & 255}.0/24`,
    gateway: null,
    proxyFlags: ['--access-log=off'],
    cwd: dir,
    startWidth: 4,
    settled: (revision) => api.proxies.settled(revision),
    onError: (message) => expect.fail(message),
  });
  store.put(
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'echo', namespace: 'default' },
      spec: { selector: { app: 'echo' }, ports: [{ name: 'http', port: 9080 }] },
    },
    USER,
  );
  deploy('caller', 1);
  deploy('echo', 1);
  await until(() => ready('caller').length === 1 && ready('echo').length === 1);
  await settled();
});

afterAll(async () => {
  agent.destroy();
  await runner.stop(2000);
  await api.close();
  rmSync(dir, { recursive: true, force: true });
});

test('a Pod is an application behind its sidecar, reached through another sidecar', async () => {
  expect(await call('/')).toEqual({ status: 200, body: `${ready('echo')[0]!.metadata.name} hello` });
});

test('a command in a Pod calls out through its sidecar', async () => {
  const [caller] = ready('caller');
  const script = "process.stdout.write([process.env.http_proxy, process.env.POD_NAME].join(' '))";
  const running = (await runner.pods.exec('default', caller!.metadata.name, 'main', [process.execPath, '-e', script]))!;
  expect([await text(running.stdout), await running.done]).toEqual([
    `http://${caller!.status!.podIP}:15001 ${caller!.metadata.name}`,
    0,
  ]);
});

test('not one request is lost while a Deployment is scaled up, rolled out and scaled down', async () => {
  await using load = underLoad();
  const names = (): string[] => ready('echo').map((p) => p.metadata.name);
  deploy('echo', 3);
  await until(() => names().length === 3);
  const old = names();
  deploy('echo', 3, 'welcome');
  await until(() => pods('echo').length === 3 && names().length === 3 && names().every((n) => !old.includes(n)));
  deploy('echo', 1, 'welcome');
  await until(() => pods('echo').length === 1);
  const { failures, answers } = await load.end();
  expect(failures).toEqual([]);
  expect(answers.size).toBeGreaterThanOrEqual(6);
});

test('a Pod that crashes comes back with its address, and its restart is counted', async () => {
  await settled();
  const [before] = ready('echo');
  // Not GET: proxies repeat that after a lost connection, and the Pod would crash once more.
  await call('/crash', 'POST');
  await until(
    () => (pods('echo')[0]?.status?.containerStatuses?.[0]?.restartCount ?? 0) === 1 && ready('echo').length === 1,
  );
  const [after] = ready('echo');
  expect([after!.metadata.name, after!.status!.podIP]).toEqual([before!.metadata.name, before!.status!.podIP]);
  await settled();
  expect((await call('/')).status).toBe(200);
});

function deploy(name: string, replicas: number, greeting = 'hello'): void {
  const container = {
    name: 'main',
    image: 'app',
    ports: [{ containerPort: 9080 }],
    env: [{ name: 'GREETING', value: greeting }],
  };
  const template = {
    metadata: { labels: { app: name } },
    spec: { containers: [container], terminationGracePeriodSeconds: 5 },
  };
  const spec = { replicas, selector: { matchLabels: { app: name } }, template };
  const resource: Resource = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec,
  };
  store.put({ ...store.get('Deployment', 'default', name), ...resource }, USER);
}

const pods = (app: string): Pod[] =>
  (store.list('Pod', 'default') as readonly Pod[]).filter((p) => p.metadata.labels?.['app'] === app);
const ready = (app: string): Pod[] =>
  pods(app).filter(
    (p) =>
      p.metadata['deletionTimestamp'] === undefined &&
      p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
  );

/** Resolves when it holds; the store is looked at after each of its changes. */
function until(holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!holds()) return;
      stop();
      resolve();
    };
    const stop = store.subscribe(look);
    look();
  });
}

/** Of the echo service, through the caller's sidecar. */
function call(path: string, method = 'GET'): Promise<{ status: number; body: string }> {
  const host = ready('caller')[0]!.status!.podIP!;
  return new Promise((resolve, reject) => {
    const request = ask({ host, port: 15001, method, path, headers: { host: 'echo:9080' }, agent }, (response) => {
      void text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    request.on('error', reject);
    request.end();
  });
}

/** Every proxy knows of every Pod as it is now. */
async function settled(): Promise<void> {
  await runner.idle();
  await api.proxies.settled(store.revision);
}

function underLoad(): {
  end(): Promise<{ failures: unknown[]; answers: Set<string> }>;
  [Symbol.asyncDispose](): Promise<void>;
} {
  const failures: unknown[] = [];
  const answers = new Set<string>();
  const stop = new AbortController();
  const one = async (path: string): Promise<void> => {
    while (!stop.signal.aborted) {
      const answer = await call(path).catch((error: unknown) => ({ status: 0, body: String(error) }));
      if (answer.status === 200) answers.add(answer.body);
      else failures.push(answer);
      // A steady load, not all that the machine can do.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const all = Promise.all(['/', '/', '/slow', '/slow'].map(one));
  const end = async (): Promise<{ failures: unknown[]; answers: Set<string> }> => {
    stop.abort();
    await all;
    return { failures, answers };
  };
  return { end, [Symbol.asyncDispose]: async () => void (await end()) };
}
