import { expect, test } from 'vitest';
import { deploymentOf, fakeWorld, serviceOf } from '../runner/fake-world.ts';
import { seed } from '../seed.ts';
import { Members } from './members.ts';
import { named, said } from './fake-mesh.ts';

function world() {
  const local = fakeWorld();
  const { store, clock } = local;
  seed(store);
  const members = new Members({
    store,
    clock,
    reach: () => Promise.resolve(null),
    dir: null,
    idle: () => local.runner.idle(),
    onError: (message) => local.errors.push(message),
  });
  return { ...local, members };
}

test('beside the runner, a pod that registered gets requests with the runner’s own, and is neither started nor ended by it', async () => {
  const here = world();
  const { clock, members, processes, store, errors } = here;
  here.apply(deploymentOf('reviews', 1));
  here.apply(serviceOf('reviews'));
  await clock.pass(1000);
  const started = processes.all.length;
  await members.register(named('vm-1'), said({ workload: 'vm' }), '127.0.0.1');
  await clock.pass(1000);
  const [slice] = store.list('EndpointSlice', 'default');
  expect((slice!['endpoints'] as { targetRef: { name: string } }[]).map((e) => e.targetRef.name).sort()).toEqual(
    here.pods().map((p) => p.metadata.name),
  );
  expect(here.pods()).toHaveLength(2);
  expect(processes.all).toHaveLength(started);
  expect(here.deployment('reviews').status).toMatchObject({ replicas: 1 });

  const own = here.pods().find((p) => p.metadata.name !== 'vm-1')!;
  const taken = members.register(named(own.metadata.name), said({ ip: '172.20.0.9' }), '172.20.0.9');
  await expect(taken).rejects.toMatchObject({ code: 409 });
  store.remove('Deployment', 'default', 'reviews', { via: 'kubectl', user: 'test' });
  await clock.pass(40_000);
  await members.register(named('vm-1'), said({ workload: 'vm' }), '127.0.0.1');
  await clock.pass(1000);
  expect(here.pods().map((p) => p.metadata.name)).toEqual(['vm-1']);
  expect(errors).toEqual([]);
});
