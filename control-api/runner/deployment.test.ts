import { describe, expect, test } from 'vitest';
import { deploymentOf, fakeWorld, serviceOf } from './fake-world.ts';
import { isReady, isTerminating } from './object.ts';

describe('a Deployment', () => {
  test('becomes a ReplicaSet and Pods named after it, all ready, and says so in its status', async () => {
    const world = fakeWorld();
    world.apply(deploymentOf('reviews', 2));
    await world.clock.pass(1000);

    const [set] = world.sets();
    expect(set!.metadata.name).toMatch(/^reviews-[a-z0-9]{10}$/);
    expect(world.pods().map((p) => p.metadata.name)).toEqual([
      expect.stringMatching(new RegExp(`^${set!.metadata.name}-[a-z0-9]{5}$`)),
      expect.stringMatching(new RegExp(`^${set!.metadata.name}-[a-z0-9]{5}$`)),
    ]);
    expect(world.deployment('reviews').status).toMatchObject({
      replicas: 2,
      updatedReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
      observedGeneration: 1,
    });
    expect(world.deployment('reviews').status?.['conditions']).toMatchObject([
      { type: 'Available', status: 'True' },
      { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
    ]);
    expect(world.errors).toEqual([]);
  });

  test('that asks for more Pods than the machine may run gets those, and an Event that says so', async () => {
    const world = fakeWorld();
    world.apply(deploymentOf('reviews', 1_000_000_000));
    await world.clock.pass(1000);
    expect(world.pods().length).toBe(110);
    const events = world.store.list('Event') as readonly { reason?: string; message?: string }[];
    expect(events.find((e) => e.reason === 'FailedCreate')?.message).toMatch(/at most 110$/);
    expect(world.errors).toEqual([]);
  });

  test('is scaled up and down; what is not ready goes first', async () => {
    const world = fakeWorld();
    world.apply(deploymentOf('reviews', 1));
    await world.clock.pass(1000);
    const [first] = world.pods();
    world.answers.set('127.0.0.1:20001', 'connection refused');
    world.apply(deploymentOf('reviews', 2));
    await world.clock.pass(1000);
    expect(new Set(world.pods().map(isReady))).toEqual(new Set([false, true]));

    world.apply(deploymentOf('reviews', 1));
    await world.clock.pass(5000);

    expect(world.pods().map((p) => p.metadata.name)).toEqual([first!.metadata.name]);
  });

  test('that changes its template never has fewer than wanted ready, nor more than one too many', async () => {
    const world = fakeWorld();
    world.apply(deploymentOf('reviews', 3));
    await world.clock.pass(1000);
    const seen = new Set<string>();
    world.store.subscribe(() => {
      const ready = world.pods().filter((p) => isReady(p) && !isTerminating(p)).length;
      const living = world.pods().filter((p) => !isTerminating(p)).length;
      seen.add(`${ready >= 3 ? 'enough' : 'too few'}, ${living <= 4 ? 'bounded' : 'too many'}`);
    });

    world.apply(deploymentOf('reviews', 3, { env: [{ name: 'NEW', value: '1' }] }));
    await world.clock.pass(20_000);

    expect([...seen]).toEqual(['enough, bounded']);
    expect(world.pods()).toHaveLength(3);
    expect(world.processes.running('app').map((p) => p.program.env['NEW'])).toEqual(['1', '1', '1']);
    expect(new Set(world.sets().map((s) => s.spec.replicas))).toEqual(new Set([0, 3]));
    expect(world.deployment('reviews').metadata.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '2',
    });
  });

  test('whose new template does not come up keeps the old Pods serving, and in the end says that it has timed out', async () => {
    const world = fakeWorld();
    world.apply(deploymentOf('reviews', 2));
    await world.clock.pass(1000);

    world.apply(deploymentOf('reviews', 2, { image: 'unknown:1' }));
    await world.clock.pass(650_000);

    expect(world.pods().filter(isReady)).toHaveLength(2);
    expect(world.deployment('reviews').status?.['conditions']).toMatchObject([
      { type: 'Available', status: 'True' },
      { reason: 'ProgressDeadlineExceeded', status: 'False' },
    ]);
  });

  test('goes back to an earlier template by the ReplicaSet that is still there, as a new revision', async () => {
    const world = fakeWorld();
    for (const value of ['1', '2', '1']) {
      world.apply(deploymentOf('reviews', 1, { env: [{ name: 'V', value }] }));
      await world.clock.pass(10_000);
    }
    expect(world.sets()).toHaveLength(2);
    expect(world.deployment('reviews').metadata.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '3',
    });
    expect(world.processes.running('app').map((p) => p.program.env['V'])).toEqual(['1']);
  });

  test('with strategy Recreate starts nothing new before everything old has ended', async () => {
    const world = fakeWorld();
    const spec = { strategy: { type: 'Recreate' } };
    world.apply(deploymentOf('gateway', 1, {}, spec));
    await world.clock.pass(1000);
    world.processes.obeysTerm = false;

    world.apply(deploymentOf('gateway', 1, { env: [{ name: 'NEW', value: '1' }] }, spec));
    await world.clock.pass(5000);
    expect(world.processes.running('app').map((p) => p.program.env['NEW'])).toEqual([undefined]);
    await world.clock.pass(60_000);
    expect(world.processes.running('app').map((p) => p.program.env['NEW'])).toEqual(['1']);
  });

  test('that is deleted takes its ReplicaSets, Pods and processes with it', async () => {
    const world = fakeWorld();
    world.apply(deploymentOf('reviews', 2));
    await world.clock.pass(1000);

    world.store.remove('Deployment', 'default', 'reviews', { via: 'kubectl', user: '' });
    await world.clock.pass(5000);

    expect([world.sets(), world.pods(), world.processes.all.filter((p) => p.running)]).toEqual([[], [], []]);
  });

  test('replaces a Pod that is deleted', async () => {
    const world = fakeWorld();
    world.apply(deploymentOf('reviews', 1));
    await world.clock.pass(1000);
    const [pod] = world.pods();

    world.store.put(
      { ...pod!, metadata: { ...pod!.metadata, deletionTimestamp: '2026-01-01T00:00:01Z' } },
      { via: 'kubectl', user: '' },
    );
    await world.clock.pass(5000);

    expect(world.pods()).toHaveLength(1);
    expect(world.pods()[0]!.metadata.name).not.toBe(pod!.metadata.name);
  });
});

describe('EndpointSlices', () => {
  type Endpoint = { readonly addresses: readonly string[]; readonly conditions: object };
  const endpoints = (world: ReturnType<typeof fakeWorld>): readonly Endpoint[] =>
    world.store.list('EndpointSlice').flatMap((s) => s['endpoints'] as Endpoint[]);

  test('follow the readiness of the Pods that a Service selects', async () => {
    const world = fakeWorld();
    world.answers.set('127.0.0.1:20000', 'connection refused');
    world.apply(serviceOf('reviews'));
    world.apply(deploymentOf('reviews', 1));
    await world.clock.pass(1000);
    expect(endpoints(world)).toMatchObject([
      { addresses: ['127.1.0.1'], conditions: { ready: false, serving: false, terminating: false } },
    ]);

    world.answers.delete('127.0.0.1:20000');
    await world.clock.pass(2000);
    expect(endpoints(world)).toMatchObject([{ addresses: ['127.1.0.1'], conditions: { ready: true, serving: true } }]);
    expect(world.store.list('EndpointSlice')[0]).toMatchObject({
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 9080, protocol: 'TCP' }],
      metadata: { labels: { 'kubernetes.io/service-name': 'reviews' } },
    });
  });

  test('resolve named target ports Pod by Pod', async () => {
    const world = fakeWorld();
    world.apply(serviceOf('reviews', { ports: [{ name: 'http', port: 80, targetPort: 'web' }] }));
    world.apply(deploymentOf('reviews', 1, { ports: [{ name: 'web', containerPort: 9999 }] }));
    await world.clock.pass(1000);
    expect(world.store.list('EndpointSlice')[0]).toMatchObject({ ports: [{ name: 'http', port: 9999 }] });
  });

  test('go with their Service, and are not touched for a Service without a selector', async () => {
    const world = fakeWorld();
    world.apply(serviceOf('reviews'));
    world.apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'outside' }, spec: { ports: [{ port: 80 }] } });
    world.apply(deploymentOf('reviews', 1));
    await world.clock.pass(1000);
    expect(world.store.list('EndpointSlice')).toHaveLength(1);

    world.store.remove('Service', 'default', 'reviews', { via: 'kubectl', user: '' });
    await world.clock.pass(1000);
    expect(world.store.list('EndpointSlice')).toHaveLength(0);
  });
});

test('a Service gets a cluster IP of its own, and keeps it', async () => {
  const world = fakeWorld();
  world.apply(serviceOf('a'));
  world.apply(serviceOf('b'));
  world.apply(serviceOf('c', { clusterIP: 'None' }));
  await world.clock.pass(10);
  const ip = (name: string): unknown =>
    (world.store.get('Service', 'default', name)!.spec as { clusterIP?: string }).clusterIP;
  expect(ip('a')).toMatch(/^10\.96\.\d+\.\d+$/);
  expect(ip('b')).not.toBe(ip('a'));
  expect(ip('c')).toBe('None');
});
