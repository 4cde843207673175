import { describe, expect, test } from 'vitest';
import { fakeWorld, type World } from './fake-world.ts';
import type { Job, JobStatus, Pod } from './object.ts';

const job = (spec: object = {}, template: object = {}): object => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'setup' },
  spec: {
    completions: 1,
    ...spec,
    template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'app' }], ...template } },
  },
});
const stored = (world: World): Job => world.store.get('Job', 'default', 'setup') as Job;
const status = (world: World): JobStatus => stored(world).status ?? {};
const running = (world: World) => world.processes.running('app');
const condition = (world: World): unknown =>
  status(world).conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason ?? ''}`);

async function started(spec: object = {}, template: object = {}): Promise<World> {
  const world = fakeWorld();
  world.apply(job(spec, template));
  await world.clock.pass(1000);
  return world;
}

async function exit(world: World, code: number): Promise<void> {
  running(world)[0]!.exit(code);
  await world.clock.pass(1000);
}

describe('a Job', () => {
  test('runs a Pod to its end, and is complete; the Pod stays, with how it ended', async () => {
    const world = await started();
    expect(status(world)).toMatchObject({ active: 1, ready: 1, startTime: '2026-01-01T00:00:00Z' });
    const [pod] = world.pods() as [Pod];
    expect(pod.metadata.name).toMatch(/^setup-\w{5}$/);
    expect(pod.metadata.labels).toMatchObject(stored(world).spec.selector!.matchLabels!);
    expect(pod.metadata.labels).toMatchObject({ 'job-name': 'setup' });
    await exit(world, 0);
    expect(status(world)).toEqual({
      startTime: '2026-01-01T00:00:00Z',
      completionTime: '2026-01-01T00:00:01Z',
      succeeded: 1,
      ready: 0,
      terminating: 0,
      conditions: [expect.objectContaining({ type: 'Complete', status: 'True' })],
    });
    expect(world.pods()[0]!.status).toMatchObject({
      phase: 'Succeeded',
      containerStatuses: [
        { name: 'main', ready: false, state: { terminated: { exitCode: 0, reason: 'Completed' } } },
        { name: 'istio-proxy', state: { terminated: {} } },
      ],
    });
    await world.clock.pass(3_600_000);
    expect([world.pods().length, world.processes.all.length, world.errors]).toEqual([1, 2, []]);
    expect(world.events()).toContain('Completed: Job completed');
  });

  test('keeps as many Pods running as may be at a time, until enough have succeeded', async () => {
    const world = await started({ completions: 5, parallelism: 2 });
    const seen: number[] = [];
    for (let i = 0; i < 5; i++) {
      seen.push(running(world).length);
      await exit(world, 0);
    }
    expect(seen).toEqual([2, 2, 2, 2, 1]);
    expect([status(world).succeeded, condition(world)]).toEqual([5, ['Complete=True CompletionsReached']]);
  });

  test('without a number of completions is complete when one has succeeded and the others have ended', async () => {
    const world = await started({ completions: undefined, parallelism: 3 });
    await exit(world, 0);
    expect([running(world).length, condition(world)]).toEqual([2, undefined]);
    await exit(world, 1);
    await exit(world, 0);
    await world.clock.pass(60_000);
    expect([running(world).length, condition(world)]).toEqual([0, ['Complete=True CompletionsReached']]);
  });

  test('that fails is tried again after 10, 20 … s with another Pod, and has failed when the limit is passed', async () => {
    const world = await started({ backoffLimit: 2 });
    const waits: number[] = [];
    for (let i = 0; i < 2; i++) {
      await exit(world, 1);
      const failed = world.clock.now() - 1000;
      while (running(world).length === 0) await world.clock.pass(1000);
      waits.push((world.clock.now() - failed) / 1000);
    }
    expect(waits).toEqual([10, 20]);
    await exit(world, 1);
    await world.clock.pass(600_000);
    expect([status(world).failed, condition(world)]).toEqual([3, ['Failed=True BackoffLimitExceeded']]);
    expect(world.pods().map((p) => p.status?.phase)).toEqual(['Failed', 'Failed', 'Failed']);
  });

  test('with OnFailure starts the container again in its Pod, and has failed after as many starts as the limit', async () => {
    const world = await started({ backoffLimit: 2 }, { restartPolicy: 'OnFailure' });
    await exit(world, 1);
    expect(world.pods()[0]!.status?.containerStatuses?.[0]?.restartCount).toBe(1);
    await exit(world, 1);
    expect(running(world)).toEqual([]);
    await world.clock.pass(15_000);
    expect([world.pods().length, condition(world)]).toEqual([0, ['Failed=True BackoffLimitExceeded']]);
  });

  test('that takes too long has failed, and its Pods end', async () => {
    const world = await started({ activeDeadlineSeconds: 30, parallelism: 2, completions: 2 });
    await world.clock.pass(28_000);
    expect(running(world)).toHaveLength(2);
    await world.clock.pass(5000);
    expect([running(world).length, condition(world)]).toEqual([0, ['Failed=True DeadlineExceeded']]);
    expect(status(world)).toMatchObject({ failed: 2 });
  });

  test('is deleted with its Pods when its time after the end is over', async () => {
    const world = await started({ ttlSecondsAfterFinished: 60 });
    await exit(world, 0);
    await world.clock.pass(57_000);
    expect(stored(world)).toBeDefined();
    await world.clock.pass(5000);
    expect([stored(world), world.pods()]).toEqual([undefined, []]);
  });

  test('takes its Pods with it when it is deleted', async () => {
    const world = await started();
    world.store.remove('Job', 'default', 'setup', { via: 'kubectl', user: '' });
    await world.clock.pass(2000);
    expect([world.pods(), running(world)]).toEqual([[], []]);
  });

  test('that is suspended ends its Pods without a failure, and goes on when it is resumed', async () => {
    const world = await started();
    const suspend = (yes: boolean): void =>
      world.apply({ ...stored(world), spec: { ...stored(world).spec, suspend: yes } });
    suspend(true);
    await world.clock.pass(2000);
    expect([running(world).length, condition(world), status(world).failed]).toEqual([
      0,
      ['Suspended=True JobSuspended'],
      undefined,
    ]);
    suspend(false);
    await world.clock.pass(1000);
    expect([running(world).length, condition(world)]).toEqual([1, ['Suspended=False JobResumed']]);
    await exit(world, 0);
    expect(condition(world)).toContain('Complete=True CompletionsReached');
  });

  test('replaces a Pod that somebody deletes, as a failure', async () => {
    const world = await started();
    const [pod] = world.pods() as [Pod];
    world.apply({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:01Z' } });
    await world.clock.pass(12_000);
    expect([running(world).length, status(world).failed, world.pods()[0]!.metadata.uid === pod.metadata.uid]).toEqual([
      1,
      1,
      false,
    ]);
  });
});
