import type { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { fakeWorld, type World } from './fake-world.ts';
import type { ContainerState } from './object.ts';

const state = (world: World, container: string): ContainerState | undefined =>
  world.pods()[0]?.status?.containerStatuses?.find((c) => c.name === container)?.state;
const NO_SIDECAR = { 'sidecar.istio.io/inject': 'false' };
const ALL_LINES = { tailLines: null, previous: false, timestamps: false };
const pod = (spec: object, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', ...metadata },
  spec,
});

describe('a Pod that ends by itself', () => {
  test('that runs to its end and is not to be restarted is Completed, and its sidecar ends with it', async () => {
    const world = fakeWorld();
    world.apply(pod({ restartPolicy: 'Never', containers: [{ name: 'main', image: 'app' }] }));
    await world.clock.pass(1000);
    world.processes.running('app')[0]!.exit(0);
    await world.clock.pass(1000);
    expect(world.pods()[0]!.status).toMatchObject({ phase: 'Succeeded' });
    expect(world.processes.running('sidecar')).toEqual([]);
  });

  test('that fails and is not to be restarted is Failed, with exit code and times; its log ends and stays', async () => {
    const world = fakeWorld();
    world.apply(
      pod({ restartPolicy: 'Never', containers: [{ name: 'main', image: 'app' }] }, { annotations: NO_SIDECAR }),
    );
    await world.clock.pass(1000);
    const logs = async (follow: boolean): Promise<string> =>
      text((await world.runner.pods.logs('default', 'p', 'main', { ...ALL_LINES, follow }))!);
    const followed = logs(true);
    const [app] = world.processes.running('app');
    (app!.stdout as PassThrough).write('no such table\n');
    await world.clock.pass(2000);
    app!.exit(3);
    expect(await followed).toBe('no such table\n');
    await world.clock.pass(60_000);
    expect(await logs(true)).toBe('no such table\n');
    expect(world.pods()[0]!.status).toMatchObject({ phase: 'Failed' });
    expect(world.pods()[0]!.status).not.toHaveProperty('podIP');
    expect(state(world, 'main')).toEqual({
      terminated: {
        exitCode: 3,
        reason: 'Error',
        startedAt: '2026-01-01T00:00:00Z',
        finishedAt: '2026-01-01T00:00:03Z',
      },
    });
    expect(world.processes.all).toHaveLength(1);
  });

  test('that is to be restarted on failure is, with a pause that grows, until it succeeds', async () => {
    const world = fakeWorld();
    world.apply(pod({ restartPolicy: 'OnFailure', containers: [{ name: 'main', image: 'app' }] }));
    await world.clock.pass(1000);
    world.processes.running('app')[0]!.exit(1);
    await world.clock.pass(100);
    world.processes.running('app')[0]!.exit(1);
    await world.clock.pass(9000);
    expect(state(world, 'main')).toMatchObject({ waiting: { reason: 'CrashLoopBackOff' } });
    expect(world.processes.running('sidecar')).toHaveLength(1);
    await world.clock.pass(2000);
    world.processes.running('app')[0]!.exit(0);
    await world.clock.pass(1000);
    expect(world.pods()[0]!.status).toMatchObject({ phase: 'Succeeded', containerStatuses: [{ restartCount: 2 }, {}] });
    expect(world.processes.running('sidecar')).toEqual([]);
  });

  test('is over only when its sidecar has ended, too, which may still have something to send', async () => {
    const world = fakeWorld();
    world.apply(pod({ restartPolicy: 'Never', containers: [{ name: 'main', image: 'app' }] }));
    await world.clock.pass(1000);
    world.processes.obeysTerm = false;
    world.processes.running('app')[0]!.exit(0);
    await world.clock.pass(1000);
    expect([world.pods()[0]!.status?.phase, world.processes.running('sidecar')[0]!.signals]).toEqual([
      'Running',
      ['SIGTERM'],
    ]);
    await world.clock.pass(5000);
    expect(world.pods()[0]!.status?.phase).toBe('Succeeded');
  });

  test('with an init container that restarts always has it beside its applications, until they have ended', async () => {
    const world = fakeWorld();
    const helper = { name: 'helper', image: 'app', command: ['helper'], restartPolicy: 'Always' };
    world.apply(
      pod({ restartPolicy: 'Never', initContainers: [helper], containers: [{ name: 'main', image: 'app' }] }),
    );
    await world.clock.pass(1000);
    expect([world.processes.running('helper').length, world.processes.running('app').length]).toEqual([1, 1]);
    expect(world.pods()[0]!.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Initialized', status: 'True' }),
    );
    world.processes.running('app')[0]!.exit(0);
    await world.clock.pass(1000);
    expect([world.processes.running('helper').length, world.pods()[0]!.status?.phase]).toEqual([0, 'Succeeded']);
  });

  test('that may run only once is not run again by the next mesh', async () => {
    const first = fakeWorld();
    const program = (restartPolicy: string): object =>
      pod({ restartPolicy, containers: [{ name: 'main', image: 'app' }] });
    for (const [restartPolicy, again] of [
      ['Never', 0],
      ['Always', 1],
    ] as const) {
      first.apply(program(restartPolicy));
      await first.clock.pass(1000);
      const next = fakeWorld();
      next.store.put(first.pods()[0]!, { via: 'test', user: '' });
      await next.clock.pass(1000);
      expect(next.processes.running('app')).toHaveLength(again);
      if (again === 0) expect(next.pods()[0]!.status).toMatchObject({ phase: 'Failed', reason: 'Terminated' });
      first.store.remove('Pod', 'default', 'p', { via: 'test', user: '' });
      await first.clock.pass(10_000);
    }
  });
});
