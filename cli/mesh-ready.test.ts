import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { fakeMesh, named, said, type FakeMesh } from '#control-api/members/fake-mesh.ts';
import { deploymentOf } from '#control-api/runner/fake-world.ts';
import { GATEWAY_LABELS } from '#control-api/runner/mesh-object.ts';
import { readyOnDemand } from './mesh-ready.ts';

const GATEWAY = `127.78.${process.pid % 250}.1`;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0)) await one();
});

/** A gateway that answers with `status()`, and counts its pages. */
async function gateway(status: () => number): Promise<{ readonly asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(status()).end();
  });
  server.listen(8080, GATEWAY);
  await once(server, 'listening');
  undo.push(() => server.close());
  return { asked };
}

async function meshWithPage(): Promise<FakeMesh> {
  const mesh = fakeMesh();
  mesh.apply(deploymentOf('productpage-v1', 1));
  const page = said({ labels: { app: 'productpage-v1' }, workload: 'productpage-v1' });
  await mesh.members.register(named('productpage-v1'), page, page.ip);
  const edge = said({ ip: GATEWAY, labels: GATEWAY_LABELS, role: 'gateway', workload: 'istio-ingressgateway' });
  await mesh.members.register({ namespace: 'istio-system', name: 'gateway' }, edge, GATEWAY);
  await mesh.clock.pass(1);
  return mesh;
}

describe('a mesh whose pods register', () => {
  test('is ready when its Deployments are, and says what is missing until then', async () => {
    const mesh = fakeMesh();
    let now = 0;
    const ready = readyOnDemand(mesh.store, () => now);
    expect(await ready()).toEqual({ ready: true, reasons: [] });
    mesh.apply(deploymentOf('reviews', 1));
    const [app, proxy] = said().containers;
    const cold = { ...app!, ready: false, reason: 'connect ECONNREFUSED' };
    await mesh.members.register(named(), said({ containers: [cold, proxy!] }), said().ip);
    now += 1000;
    expect(await ready()).toEqual({
      ready: false,
      reasons: [
        'deployment default/reviews: 0 of 1 ready',
        'pod default/reviews-v1: containers with unready status: [reviews]; reviews: connect ECONNREFUSED',
      ],
    });
    await mesh.members.register(named(), said(), said().ip);
    await mesh.clock.pass(1);
    now += 1000;
    expect(await ready()).toEqual({ ready: true, reasons: [] });
  });

  test('is ready when a page through its gateway works, looked at when it is asked for and not more often than each second', async () => {
    const mesh = await meshWithPage();
    let status = 503;
    const { asked } = await gateway(() => status);
    let now = 0;
    const ready = readyOnDemand(mesh.store, () => now);
    expect(asked).toEqual([]);
    const [one, other] = await Promise.all([ready(), ready()]);
    expect(one).toEqual({ ready: false, reasons: [`http://${GATEWAY}:8080/productpage answers 503`] });
    expect(other).toBe(one);
    now += 999;
    expect(await ready()).toBe(one);
    expect(asked).toEqual(['/productpage']);
    status = 200;
    now += 1;
    expect(await ready()).toEqual({ ready: true, reasons: [] });
    status = 500;
    now += 1000;
    expect(await ready()).toMatchObject({ ready: false });
    expect(asked).toHaveLength(3);
  });

  test('whose gateway cannot be reached says so', async () => {
    const mesh = await meshWithPage();
    expect((await readyOnDemand(mesh.store)()).reasons).toEqual([
      expect.stringMatching(/8080\/productpage cannot be reached/),
    ]);
  });
});
