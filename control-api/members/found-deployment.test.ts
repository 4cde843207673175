import { describe, expect, test } from 'vitest';
import type { Resource } from '#proxy/istio/resource.ts';
import { deploymentOf } from '../runner/fake-world.ts';
import type { Deployment } from '../runner/object.ts';
import { advice } from './advice.ts';
import { fakeMesh, named, said, type FakeMesh } from './fake-mesh.ts';

const deployment = (mesh: FakeMesh): Deployment => mesh.store.get('Deployment', 'default', 'reviews') as Deployment;
const conditions = (mesh: FakeMesh): unknown => deployment(mesh).status?.['conditions'];

async function register(mesh: FakeMesh, n: number, ready = true): Promise<void> {
  const ip = `172.20.0.${n}`;
  const containers = [{ ...said().containers[0]!, ready }];
  await mesh.members.register(named(`reviews-${n}`), said({ ip, containers, workload: 'reviews' }), ip);
}

describe('a Deployment whose pods somebody else runs', () => {
  test('counts the pods that its selector finds', async () => {
    const mesh = fakeMesh();
    mesh.apply(deploymentOf('reviews', 2));
    await register(mesh, 1);
    await mesh.clock.pass(1);
    expect(deployment(mesh).status).toMatchObject({
      replicas: 1,
      readyReplicas: 1,
      availableReplicas: 1,
      observedGeneration: 1,
    });
    expect(conditions(mesh)).toMatchObject([
      { type: 'Available', status: 'False' },
      { type: 'Progressing', reason: 'ReplicaSetUpdated' },
    ]);
    await register(mesh, 2);
    await mesh.clock.pass(1);
    expect(deployment(mesh).status).toMatchObject({ replicas: 2, updatedReplicas: 2, availableReplicas: 2 });
    expect(conditions(mesh)).toMatchObject([
      { type: 'Available', status: 'True' },
      { type: 'Progressing', reason: 'NewReplicaSetAvailable' },
    ]);
    expect(mesh.errors).toEqual([]);
  });

  test('is not available while none is ready, and has failed to progress after ten minutes', async () => {
    const mesh = fakeMesh();
    mesh.apply(deploymentOf('reviews', 1));
    await mesh.clock.pass(1);
    expect(deployment(mesh).status).toMatchObject({ unavailableReplicas: 1 });
    await mesh.clock.pass(600_001);
    expect(conditions(mesh)).toMatchObject([{ status: 'False' }, { reason: 'ProgressDeadlineExceeded' }]);
    await register(mesh, 1);
    await mesh.clock.pass(1);
    expect(conditions(mesh)).toMatchObject([{ status: 'True' }, { reason: 'NewReplicaSetAvailable' }]);
  });

  test('is complete with more than it asks for, which nobody ends', async () => {
    const mesh = fakeMesh();
    mesh.apply(deploymentOf('reviews', 1));
    await register(mesh, 1);
    await register(mesh, 2);
    await mesh.clock.pass(1);
    expect(deployment(mesh).status).toMatchObject({ replicas: 2, updatedReplicas: 2 });
    expect(conditions(mesh)).toMatchObject([{ status: 'True' }, { reason: 'NewReplicaSetAvailable' }]);
  });

  test('waits, once it was asked to restart, for pods that began later', async () => {
    const mesh = fakeMesh();
    mesh.apply(deploymentOf('reviews', 1));
    await register(mesh, 1);
    await mesh.clock.pass(1);
    const { metadata, spec } = deployment(mesh);
    const annotations = { 'kubectl.kubernetes.io/restartedAt': '2026-01-01T00:00:10Z' };
    const template = { ...spec.template, metadata: { ...spec.template.metadata, annotations } };
    mesh.apply({ ...deployment(mesh), metadata, spec: { ...spec, template } });
    await mesh.clock.pass(1);
    expect(deployment(mesh).status?.['updatedReplicas']).toBeUndefined();
    expect(deployment(mesh).status).toMatchObject({ replicas: 1, availableReplicas: 1, observedGeneration: 2 });
    const later = said({ ip: '172.20.0.1', startedAt: '2026-01-01T00:00:20.000Z', workload: 'reviews' });
    await mesh.members.register(named('reviews-1'), later, '172.20.0.1');
    await mesh.clock.pass(1);
    expect(deployment(mesh).status).toMatchObject({ updatedReplicas: 1 });
  });
});

describe('whoever asks for what nobody does', () => {
  const object = (replicas: number, template: object = {}): Resource => {
    const { spec, metadata, ...rest } = deploymentOf('reviews', replicas) as Resource<{ template: object }>;
    return {
      ...rest,
      metadata: { ...metadata, namespace: 'default' },
      spec: { ...spec, template: { ...spec.template, ...template } },
    };
  };
  const restart = { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } } };
  const pod: Resource = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', namespace: 'default' }, spec: {} };

  test.each<[string, number, Resource | null, Resource, RegExp | null]>([
    ['one that may still come', 0, null, object(1), null],
    ['what is there', 1, null, object(1), null],
    ['what was asked for before', 1, object(3), object(3), null],
    [
      'two of which one is there',
      1,
      object(1),
      object(2),
      /reviews has 1 of 2: start another with docker compose, see/,
    ],
    ['three of which none is there', 0, null, object(3), /reviews has 0 of 3: start 3 with docker compose/],
    ['fewer than there are', 2, object(2), object(0), /reviews has 2 and is to have 0: stop 2 with docker compose/],
    ['a restart', 1, object(1), object(1, restart), /nothing restarts reviews here: .\/lateen roll reviews does/],
    ['another template', 1, object(1), object(1, { spec: {} }), /the template of reviews has changed, but nothing/],
    ['a Pod', 0, null, pod, /nothing starts the Pod a: start a container that registers itself/],
    ['a Job', 0, null, { ...pod, kind: 'Job' }, /nothing starts the Job a/],
    ['a label of a Job that it knows of', 0, { ...pod, kind: 'Job' }, { ...pod, kind: 'Job' }, null],
    ['a Service', 0, null, { ...pod, kind: 'Service' }, null],
  ])('is told of it: %s', async (_, found, before, after, message) => {
    const mesh = fakeMesh();
    for (let n = 1; n <= found; n++) await register(mesh, n);
    const said = advice(mesh.store, before, after);
    if (message === null) expect(said).toEqual([]);
    else expect(said).toEqual([expect.stringMatching(message)]);
  });
});
