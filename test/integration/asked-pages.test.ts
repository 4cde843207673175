/** Admin pages through the control API: of a proxy that has no admin port, and of a whole mesh. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { apply, start, stopAll, vs } from '#control-api/server.kit.ts';
import { startMesh } from '../kit/mesh.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const IP = `127.44.${process.pid & 127}.1`;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await stopAll();
});

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

const lateen = (server: string, ...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], LATEEN_SERVER: server };
    execFile(process.execPath, ['cli/main.ts', ...args], { cwd: ROOT, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });

/** A sidecar that serves no port but that of what goes out: only its stream leads to it. */
function sidecar(url: string): { readonly end: () => Promise<void> } {
  const node = [`--control=${url}`, `--ip=${IP}`, '--name=reviews-v1-0', '--workload=reviews-v1'];
  const ports = ['admin', 'metrics', 'merged', 'ready'].map((name) => `--${name}-port=0`);
  const argv = ['cli/main.ts', 'sidecar', ...node, ...ports, '--access-log=off'];
  const child = spawn(process.execPath, argv, { cwd: ROOT, stdio: 'ignore' });
  const exited = once(child, 'exit');
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  cleanups.push(end);
  return { end };
}

describe('a proxy without an admin port', () => {
  test('shows its pages through the control API, as long as it is there', async () => {
    const api = await start();
    await apply(api, vs('reviews'), 'fieldManager=test');
    const { end } = sidecar(api.url);
    await expect.poll(() => api.proxies.list()[0]?.sync, { interval: 20, timeout: 20_000 }).toBe('SYNCED');

    const { code, stdout, stderr } = await lateen(api.url, 'config', 'reviews-v1', 'listeners');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^NAME +ADDRESS +PORT .*\\n(?:.*\\n)*\\S+ +${IP} +15001 `));

    const admin = `${api.url}/lateen/v1/proxies/reviews-v1-0.default/admin`;
    const clusters = await fetch(`${admin}/config_dump?resource=node`);
    expect(await clusters.json()).toMatchObject({ node: { name: 'reviews-v1-0', ip: IP } });
    // Written page by page, several at once.
    const metrics = Array.from({ length: 8 }, () => fetch(`${admin}/stats/prometheus`));
    for (const answer of await Promise.all(metrics)) {
      expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
      expect(await answer.text()).toMatch(/^lateen_listeners_unbound 0$/m);
    }
    expect((await fetch(`${admin}/config_dump?resource=nothing`)).status).toBe(400);
    const head = await fetch(`${admin}/config_dump`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'application/json']);

    await end();
    await expect.poll(() => api.proxies.connected, { interval: 20 }).toBe(0);
    const gone = await lateen(api.url, 'config', 'reviews-v1', 'listeners');
    expect([gone.code, gone.stdout]).toEqual([1, '']);
    expect(gone.stderr).toContain('no proxy "reviews-v1" is connected');
  });
});

describe('lateen config', () => {
  test('asks any proxy of a mesh, through the control API or on its own port', async () => {
    await using mesh = await startMesh();
    const shown = await lateen(mesh.control, 'config', 'reviews-v1', 'routes');
    expect([shown.code, shown.stderr]).toEqual([0, '']);
    expect(shown.stdout).toContain('ratings');
    expect(await lateen(mesh.control, 'config', 'reviews-v1', 'routes', '--admin-port', '15000')).toEqual(shown);
    const gateway = await lateen(mesh.control, 'config', 'istio-ingressgateway', 'listeners');
    expect(gateway.stdout).toMatch(/^NAME /);
  });
});
