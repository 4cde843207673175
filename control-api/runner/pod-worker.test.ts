import { describe, expect, test } from 'vitest';
import { deploymentOf, fakeWorld, type World } from './fake-world.ts';
import type { ContainerState, Pod } from './object.ts';

const state = (world: World, container: string): ContainerState | undefined =>
  world.pods()[0]?.status?.containerStatuses?.find((c) => c.name === container)?.state;
const pod = (spec: object, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', ...metadata },
  spec,
});

describe('a Pod', () => {
  test('starts its sidecar first, and its application only when the sidecar is ready', async () => {
    const world = fakeWorld();
    world.answers.set('127.1.0.1:15021', 'connection refused');
    world.apply(deploymentOf('reviews', 1));
    await world.clock.pass(2000);
    expect([world.processes.running('sidecar').length, world.processes.running('app').length]).toEqual([1, 0]);
    expect(world.pods()[0]!.status).toMatchObject({ phase: 'Pending', podIP: '127.1.0.1' });
    expect(state(world, 'main')).toEqual({ waiting: { reason: 'ContainerCreating' } });

    world.answers.delete('127.1.0.1:15021');
    await world.clock.pass(2000);
    expect(world.processes.running('app')).toHaveLength(1);
    expect(world.pods()[0]!.status).toMatchObject({
      phase: 'Running',
      containerStatuses: [
        { name: 'main', ready: true, restartCount: 0 },
        { name: 'istio-proxy', ready: true },
      ],
    });
  });

  test('tells its application where to listen and through what to call out, and its sidecar where the application is', async () => {
    const world = fakeWorld();
    world.apply(
      deploymentOf('reviews', 1, {
        env: [
          { name: 'PORT', value: '9080' },
          { name: 'FROM', value: 'pod $(POD_IP)' },
        ],
      }),
    );
    await world.clock.pass(1000);
    expect(world.processes.running('app')[0]!.program.env).toMatchObject({
      PORT: '20000',
      LISTEN_HOST: '127.0.0.1',
      http_proxy: 'http://127.1.0.1:15001',
      no_proxy: '127.1.0.1',
      FROM: 'pod 127.1.0.1',
      HOSTNAME: world.pods()[0]!.metadata.name,
    });
    expect(world.processes.running('sidecar')[0]!.program.argv).toEqual(
      expect.arrayContaining([
        '--workload=reviews',
        '--ip=127.1.0.1',
        '--app=9080=127.0.0.1:20000',
        '--control=http://127.0.0.1:8001',
      ]),
    );
    expect(world.processes.running('sidecar')[0]!.program.env).not.toHaveProperty('http_proxy');
  });

  for (const { it, metadata } of [
    { it: 'a label', metadata: { labels: { 'sidecar.istio.io/inject': 'false' } } },
    { it: 'an annotation', metadata: { annotations: { 'sidecar.istio.io/inject': 'false' } } },
  ]) {
    test(`has no sidecar when ${it} says so; its application then listens on the Pod's address itself`, async () => {
      const world = fakeWorld();
      world.apply(pod({ containers: [{ name: 'main', image: 'app', ports: [{ containerPort: 9080 }] }] }, metadata));
      await world.clock.pass(1000);
      expect(world.processes.running('sidecar')).toEqual([]);
      const [app] = world.processes.running('app');
      expect(app!.program.env).toMatchObject({ PORT: '9080', LISTEN_HOST: '127.1.0.1' });
      expect(app!.program.env).not.toHaveProperty('http_proxy');
    });
  }

  test('whose process crashes is restarted at once, then after 10, 20, 40 s … up to 5 min', async () => {
    const world = fakeWorld();
    world.apply(deploymentOf('reviews', 1));
    await world.clock.pass(1000);
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      world.processes.running('app')[0]!.exit(1);
      const crashed = world.clock.now();
      if (i === 2) {
        await world.clock.pass(1000);
        expect(state(world, 'main')).toMatchObject({
          waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s restarting failed container=main' },
        });
        expect(world.pods()[0]!.status?.containerStatuses?.[0]).toMatchObject({
          restartCount: 2,
          ready: false,
          lastState: { terminated: { exitCode: 1, reason: 'Error' } },
        });
      }
      while (world.processes.running('app').length === 0) await world.clock.pass(1000);
      waits.push(Math.round((world.clock.now() - crashed) / 1000) - 1);
    }
    expect(waits.map((w) => Math.max(0, Math.round(w / 10) * 10))).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
  });

  test('whose image is unknown waits with ErrImagePull, names the file to change, and starts once the image is known', async () => {
    const world = fakeWorld();
    world.apply(deploymentOf('reviews', 1, { image: 'acme/shop:7' }));
    await world.clock.pass(1000);
    expect(state(world, 'main')).toMatchObject({
      waiting: { reason: 'ErrImagePull', message: expect.stringContaining('config/images.yaml') as string },
    });
    await world.clock.pass(3000);
    expect(state(world, 'main')).toMatchObject({ waiting: { reason: 'ImagePullBackOff' } });
    expect(world.events()).toEqual(
      expect.arrayContaining([expect.stringMatching(/^Failed: Failed to pull image "acme\/shop:7"/)]),
    );

    world.images.set('acme/shop:7', { command: ['shop', 'app'], env: {} });
    await world.clock.pass(20_000);
    expect(world.processes.running('shop')).toHaveLength(1);
  });

  test('with a Secret that is missing waits with CreateContainerConfigError, and starts once it is there', async () => {
    const world = fakeWorld();
    const env = [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }];
    world.apply(deploymentOf('ratings', 1, { env }));
    await world.clock.pass(1000);
    expect(state(world, 'main')).toEqual({
      waiting: { reason: 'CreateContainerConfigError', message: 'secret "db" not found' },
    });

    world.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'db' },
      data: { password: Buffer.from('pässwort').toString('base64') },
    });
    await world.clock.pass(10_000);
    expect(world.processes.running('app')[0]!.program.env).toMatchObject({ PASSWORD: 'pässwort' });
  });

  test('is ready as its readinessProbe says, and restarted as its livenessProbe says', async () => {
    const world = fakeWorld();
    const probe = { httpGet: { path: '/health', port: 9080 }, periodSeconds: 1, failureThreshold: 2 };
    world.apply(
      deploymentOf('ratings', 1, { readinessProbe: probe, livenessProbe: { ...probe, failureThreshold: 5 } }),
    );
    await world.clock.pass(2000);
    const ready = (): boolean | undefined => world.pods()[0]?.status?.containerStatuses?.[0]?.ready;
    expect(ready()).toBe(true);

    world.answers.set('127.0.0.1:20000', 'HTTP probe failed with statuscode: 500');
    await world.clock.pass(1000);
    expect(ready()).toBe(true);
    await world.clock.pass(1500);
    expect(ready()).toBe(false);
    expect(world.events()).toContain('Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 500');
    const [before] = world.processes.running('app');
    await world.clock.pass(3000);
    expect([before!.signals, world.pods()[0]!.status?.containerStatuses?.[0]?.restartCount]).toEqual([['SIGTERM'], 1]);
  });

  test('tells its application which addresses it is to reach without the sidecar', async () => {
    const world = fakeWorld({ outbound: { include: '*', exclude: '192.0.2.0/24' } });
    const annotations = {
      'traffic.sidecar.istio.io/excludeOutboundIPRanges': '10.0.0.0/8',
      'traffic.sidecar.istio.io/excludeOutboundPorts': '3306',
    };
    world.apply(pod({ containers: [{ name: 'main', image: 'app' }] }, { annotations }));
    world.apply({ ...pod({ containers: [{ name: 'main', image: 'app' }] }), metadata: { name: 'q' } });
    await world.clock.pass(1000);
    const envs = world.processes.running('app').map(({ program: { env } }) => [env['no_proxy'], env['NO_PROXY']]);
    expect(envs).toEqual([
      ['127.1.0.1,10.0.0.0/8,*:3306', '127.1.0.1,10.0.0.0/8,*:3306'],
      ['127.1.0.2,192.0.2.0/24', '127.1.0.2,192.0.2.0/24'],
    ]);
  });

  test('that istioctl kube-inject has prepared has one sidecar, ours, and what its istio-init says of addresses', async () => {
    const world = fakeWorld();
    const args = ['istio-iptables', '-p', '15001', '-i', '0.0.0.0/1', '-x', '', '-b', '*', '-o', '3306'];
    const prepared = [
      { name: 'istio-init', image: 'proxyv2', args },
      { name: 'istio-proxy', image: 'proxyv2', restartPolicy: 'Always' },
    ];
    world.apply(pod({ initContainers: prepared, containers: [{ name: 'main', image: 'app' }] }));
    await world.clock.pass(1000);
    expect(world.processes.all).toHaveLength(2);
    expect(world.processes.running('sidecar')).toHaveLength(1);
    expect(world.processes.running('app')[0]!.program.env['no_proxy']).toBe('127.1.0.1,*:3306,128.0.0.0/1,::/0');
  });

  test('runs its init containers to their end, one after the other, behind its sidecar and before its applications', async () => {
    const world = fakeWorld();
    const init = (name: string): object => ({ name, image: 'app', command: ['init', name] });
    world.apply(
      pod({
        initContainers: [init('one'), { name: 'istio-init', image: 'proxyv2' }, init('two')],
        containers: [{ name: 'main', image: 'app' }],
      }),
    );
    await world.clock.pass(1000);
    const begun = (): unknown[] =>
      world.processes.all.map((p) => p.program.argv.includes('sidecar') || p.program.argv[1]);
    expect(begun()).toEqual([true, 'one']);
    world.processes.running('init')[0]!.exit(0);
    await world.clock.pass(1000);
    world.processes.running('init')[0]!.exit(0);
    await world.clock.pass(1000);
    expect(begun()).toEqual([true, 'one', 'two', 'main.ts']);
  });
});

describe('the end of a Pod', () => {
  const remove = (world: World): void => {
    const [p] = world.pods() as [Pod];
    world.store.put(
      { ...p, metadata: { ...p.metadata, deletionTimestamp: '2026-01-01T00:00:01Z' } },
      { via: 'kubectl', user: '' },
    );
  };

  test('comes in order: no endpoint any more, every proxy knows, nothing in flight, then the sidecar, then the application', async () => {
    const known = Promise.withResolvers<void>();
    let inFlight = 0;
    const world = fakeWorld({ settled: () => known.promise }, () => Promise.resolve(inFlight));
    world.apply(pod({ containers: [{ name: 'main', image: 'app', ports: [{ containerPort: 9080 }] }] }));
    await world.clock.pass(1000);
    remove(world);
    await world.clock.pass(500);
    expect(world.processes.order).toEqual([]);
    inFlight = 1;
    known.resolve();
    await world.clock.pass(2000);
    expect(world.processes.order).toEqual([]);
    inFlight = 0;
    await world.clock.pass(1000);
    expect(world.processes.order).toEqual(['SIGTERM sidecar', 'SIGTERM app']);
    expect(world.pods()).toEqual([]);
  });

  test('waits five seconds for a proxy that is slow to hear of it, and no longer', async () => {
    const world = fakeWorld({ settled: () => new Promise(() => {}) });
    world.apply(pod({ containers: [{ name: 'main', image: 'app' }] }));
    await world.clock.pass(1000);
    remove(world);
    await world.clock.pass(4000);
    expect(world.processes.all.every((p) => p.running)).toBe(true);
    await world.clock.pass(1500);
    expect(world.pods()).toEqual([]);
  });

  test('is SIGKILL when the grace period is over', async () => {
    const world = fakeWorld();
    world.apply(pod({ terminationGracePeriodSeconds: 5, containers: [{ name: 'main', image: 'app' }] }));
    await world.clock.pass(1000);
    world.processes.obeysTerm = false;
    remove(world);
    await world.clock.pass(4000);
    expect(world.processes.all.every((p) => p.running)).toBe(true);
    await world.clock.pass(3000);
    expect(world.processes.all.some((p) => p.running)).toBe(false);
  });

  test('leaves the Pod in sight until then, and takes it out of the endpoints first', async () => {
    const world = fakeWorld();
    world.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's' },
      spec: { selector: { app: 'p' }, ports: [{ port: 9080 }] },
    });
    world.apply(
      pod({ containers: [{ name: 'main', image: 'app', ports: [{ containerPort: 9080 }] }] }, { labels: { app: 'p' } }),
    );
    await world.clock.pass(1000);
    world.processes.obeysTerm = false;
    remove(world);
    await world.clock.pass(1000);
    expect(world.store.list('EndpointSlice')[0]!['endpoints']).toMatchObject([
      { conditions: { ready: false, serving: true, terminating: true } },
    ]);
  });
});

test('stopping the runner ends gateways before what they lead to, and leaves the store as it is', async () => {
  const world = fakeWorld({ gateway: { bind: '127.0.0.1', http: 8080, https: 8443 } });
  world.apply(deploymentOf('reviews', 1));
  await world.clock.pass(1000);
  const stopped = world.runner.stop(1000);
  await world.clock.pass(1000);
  await stopped;
  expect(world.processes.order).toEqual(['SIGTERM gateway', 'SIGTERM sidecar', 'SIGTERM app']);
  expect(world.pods()).toHaveLength(2);
});
