import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { podStatus } from '../kube/pod-status.ts';
import { RUNNER } from '../runner/author.ts';
import { serviceOf } from '../runner/fake-world.ts';
import { isReady } from '../runner/object.ts';
import { fakeMesh, named, said, type FakeMesh } from './fake-mesh.ts';

const ID = 'reviews-v1.default';
const IP = '172.20.0.5';

const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});
const tempDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-members-'));
  dirs.push(dir);
  return dir;
};

async function reviews(dir: string | null = null): Promise<FakeMesh> {
  const mesh = fakeMesh(dir);
  mesh.apply(serviceOf('reviews'));
  await mesh.members.register(named(), said(), IP);
  mesh.connected.add(ID);
  await mesh.clock.pass(1);
  return mesh;
}

const readyOf = (mesh: FakeMesh) => mesh.pod()!.status!.conditions!.find((c) => c.type === 'Ready');

describe('a pod that registers', () => {
  test('is a Pod as kubectl knows them, and an endpoint of the Services that select it', async () => {
    const mesh = await reviews();
    const pod = mesh.pod()!;
    expect(podStatus(pod)).toEqual({ ready: '2/2', status: 'Running', restarts: '0' });
    expect(pod.metadata.labels).toEqual({ app: 'reviews', version: 'v1' });
    expect(pod.spec).toMatchObject({
      serviceAccountName: 'bookinfo-reviews',
      nodeName: '0a1b2c',
      containers: [{ name: 'reviews', ports: [{ containerPort: 9080 }] }, { name: 'istio-proxy' }],
    });
    expect(pod.status).toMatchObject({ podIP: IP, phase: 'Running', startTime: '2026-01-01T00:00:00Z' });
    expect(mesh.endpoints()).toEqual([`${IP} ready`]);
    expect(mesh.store.history({ kind: 'Pod' })).toEqual([]);
    expect(mesh.errors).toEqual([]);
  });

  test('changes nothing by saying the same again', async () => {
    const mesh = await reviews();
    const { revision } = mesh.store;
    expect(await mesh.members.register(named(), said(), IP)).toEqual({ revision, heartbeatMs: 3000 });
  });

  test('is no endpoint while a container of it is not ready, and says why', async () => {
    const mesh = await reviews();
    const [app, proxy] = said().containers;
    const containers = [{ ...app!, ready: false, reason: 'connect ECONNREFUSED' }, proxy!];
    await mesh.members.register(named(), said({ containers }), IP);
    await mesh.clock.pass(1);
    expect(readyOf(mesh)).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [reviews]; reviews: connect ECONNREFUSED',
    });
    expect(podStatus(mesh.pod()!)).toMatchObject({ ready: '1/2', status: 'Running' });
    expect(mesh.endpoints()).toEqual([`${IP} not-ready`]);
  });

  test('is not ready after 15 s of silence, ready with its next word, and gone after 5 min', async () => {
    const mesh = await reviews();
    await mesh.clock.pass(14_000);
    expect(isReady(mesh.pod()!)).toBe(true);
    await mesh.clock.pass(2000);
    expect(readyOf(mesh)).toMatchObject({ status: 'False', reason: 'NodeStatusUnknown' });
    expect(podStatus(mesh.pod()!)).toMatchObject({ ready: '0/2', status: 'NodeStatusUnknown' });
    expect(mesh.endpoints()).toEqual([`${IP} not-ready`]);
    await mesh.members.register(named(), said(), IP);
    await mesh.clock.pass(1);
    expect(mesh.endpoints()).toEqual([`${IP} ready`]);
    await mesh.clock.pass(301_000);
    expect(mesh.pod()).toBeUndefined();
    expect(mesh.endpoints()).toEqual([]);
  });

  test('that says nothing for 7 s is reached for: its network may be gone, which ends no stream', async () => {
    const mesh = await reviews();
    await mesh.clock.pass(10_000);
    expect(isReady(mesh.pod()!)).toBe(true);
    expect(mesh.tried).toContain(`${IP}:15021`);
    await mesh.members.register(named(), said(), IP);
    mesh.refused.add(IP);
    await mesh.clock.pass(6000);
    expect(isReady(mesh.pod()!)).toBe(true);
    await mesh.clock.pass(2000);
    expect(readyOf(mesh)).toMatchObject({ status: 'False', reason: 'Unreachable' });
  });

  test('stays while nobody at all says anything, and for a while after the first is back', async () => {
    const mesh = await reviews();
    const other = said({ ip: '172.20.0.6' });
    await mesh.members.register(named('reviews-v2'), other, other.ip);
    mesh.refused.add(IP).add(other.ip);
    await mesh.clock.pass(60_000);
    expect(mesh.endpoints()).toEqual([`${IP} ready`, `${other.ip} ready`]);
    const heard = async (ms: number): Promise<void> => {
      await mesh.members.register(named('reviews-v2'), other, other.ip);
      await mesh.clock.pass(ms);
    };
    await heard(3000);
    await heard(3000);
    expect(mesh.endpoints()).toEqual([`${IP} ready`, `${other.ip} ready`]);
    await heard(3000);
    expect(mesh.endpoints()).toEqual([`${IP} not-ready`, `${other.ip} ready`]);
  });

  test('whose stream breaks off and whose port is closed is not ready within a second', async () => {
    const mesh = await reviews();
    mesh.refused.add(IP);
    mesh.connected.delete(ID);
    mesh.streams.broken(ID);
    await mesh.clock.pass(900);
    expect(isReady(mesh.pod()!)).toBe(true);
    await mesh.clock.pass(200);
    expect(mesh.tried).toEqual([`${IP}:15021`]);
    expect(readyOf(mesh)).toMatchObject({ status: 'False', reason: 'Unreachable' });
    expect(mesh.endpoints()).toEqual([`${IP} not-ready`]);
  });

  test('whose stream breaks off stays while its port is open, and is looked at again until it is closed', async () => {
    const mesh = await reviews();
    mesh.connected.delete(ID);
    mesh.streams.broken(ID);
    await mesh.clock.pass(2100);
    expect(isReady(mesh.pod()!)).toBe(true);
    mesh.refused.add(IP);
    await mesh.clock.pass(1000);
    expect(isReady(mesh.pod()!)).toBe(false);
  });

  test.each<[string, (mesh: FakeMesh) => unknown]>([
    ['comes back', (mesh) => mesh.connected.add(ID)],
    ['speaks', (mesh) => mesh.members.register(named(), said(), IP)],
  ])('whose stream breaks off, but that %s, is left in peace', async (_, lives) => {
    const mesh = await reviews();
    mesh.refused.add(IP);
    mesh.connected.delete(ID);
    mesh.streams.broken(ID);
    await mesh.clock.pass(800);
    lives(mesh);
    await mesh.clock.pass(5000);
    expect(mesh.tried).toEqual([]);
    expect(isReady(mesh.pod()!)).toBe(true);
  });

  test('that is about to end is no endpoint, and hears so only when all proxies have', async () => {
    const mesh = await reviews();
    const { promise, resolve } = Promise.withResolvers<void>();
    mesh.settle = promise;
    let answered = false;
    const answer = mesh.members.register(named(), said({ terminating: true }), IP).then((a) => {
      answered = true;
      return a;
    });
    await mesh.clock.pass(4000);
    expect(mesh.endpoints()).toEqual([`${IP} terminating`]);
    expect(podStatus(mesh.pod()!).status).toBe('Terminating');
    expect(answered).toBe(false);
    resolve();
    expect(await answer).toEqual({ revision: mesh.store.revision, heartbeatMs: 3000 });
  });

  test('that is about to end waits for nobody longer than 5 s', async () => {
    const mesh = await reviews();
    mesh.settle = new Promise(() => {});
    const answer = mesh.members.register(named(), said({ terminating: true }), IP);
    await mesh.clock.pass(5001);
    expect(await answer).toMatchObject({ heartbeatMs: 3000 });
  });

  test('that was about to end and is closed now is gone at once', async () => {
    const mesh = await reviews();
    await mesh.members.register(named(), said({ terminating: true }), IP);
    mesh.refused.add(IP);
    mesh.connected.delete(ID);
    mesh.streams.broken(ID);
    await mesh.clock.pass(1100);
    expect(mesh.pod()).toBeUndefined();
  });

  test('that takes itself out is gone at once, but only by its own word', async () => {
    const mesh = await reviews();
    expect(() => mesh.members.remove(named(), '1-1', IP)).toThrow(/its incarnation is 1767225600000-7, not 1-1/);
    expect(() => mesh.members.remove(named(), null, '172.20.0.9')).toThrow(/comes from 172.20.0.9/);
    mesh.members.remove(named(), said().incarnation, IP);
    await mesh.clock.pass(1);
    expect(mesh.pod()).toBeUndefined();
    expect(mesh.endpoints()).toEqual([]);
    expect(() => mesh.members.remove(named(), null, IP)).toThrow('pods "reviews-v1" not found');
  });

  test('that somebody deletes is back with its next word', async () => {
    const mesh = await reviews();
    mesh.store.remove('Pod', 'default', 'reviews-v1', RUNNER);
    await mesh.members.register(named(), said(), IP);
    expect(isReady(mesh.pod()!)).toBe(true);
  });

  test('that somebody marks for deletion does not wait for an end that nobody brings', async () => {
    const mesh = await reviews();
    const pod = mesh.pod()!;
    mesh.store.put({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }, RUNNER);
    expect(mesh.pod()).toBeUndefined();
  });

  test('takes names for its ports from the Deployment of its workload', async () => {
    const mesh = await reviews();
    const containers = [{ name: 'reviews', ports: [{ name: 'web', containerPort: 9080 }] }];
    mesh.apply({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'reviews-v1' },
      spec: { selector: { matchLabels: { app: 'reviews' } }, template: { spec: { containers } } },
    });
    mesh.apply(serviceOf('reviews', { ports: [{ name: 'http', port: 80, targetPort: 'web' }] }));
    await mesh.clock.pass(1);
    const [slice] = mesh.store.list('EndpointSlice', 'default');
    expect(slice!['ports']).toMatchObject([{ name: 'http', port: 9080 }]);
  });

  test('survives a long sleep of the machine: nobody could be heard', async () => {
    const mesh = await reviews();
    const now = mesh.clock.now.bind(mesh.clock);
    let slept = 0;
    mesh.clock.now = () => now() + slept;
    slept = 10 * 60_000;
    await mesh.clock.pass(2000);
    expect(isReady(mesh.pod()!)).toBe(true);
    await mesh.clock.pass(16_000);
    expect(isReady(mesh.pod()!)).toBe(false);
  });
});

test('pods that are made anew together may each get the address of another, whose new stream is there already', async () => {
  const mesh = await reviews();
  await mesh.members.register(named('other'), said({ ip: '172.20.0.6' }), '172.20.0.6');
  mesh.connected.add('other.default');
  await mesh.clock.pass(1000);
  const startedAt = new Date(mesh.clock.now()).toISOString();
  await mesh.members.register(named(), said({ ip: '172.20.0.6', startedAt, incarnation: '2-1' }), '172.20.0.6');
  await mesh.members.register(named('other'), said({ startedAt, incarnation: '2-1' }), IP);
  await mesh.clock.pass(1);
  expect([mesh.pod(), mesh.pod('other')].map((pod) => pod?.status?.podIP)).toEqual(['172.20.0.6', IP]);
});

describe('a registration is refused', () => {
  const cases: readonly [string, (mesh: FakeMesh) => Promise<unknown>, number, RegExp][] = [
    ['from another address', (m) => m.members.register(named(), said(), '172.20.0.9'), 403, /^ip: .*172\.20\.0\.9$/],
    [
      'of an older incarnation',
      (m) => m.members.register(named(), said({ startedAt: '2025-12-31T00:00:00.000Z', incarnation: '1-1' }), IP),
      409,
      /a newer incarnation \(1767225600000-7\) holds the name/,
    ],
    [
      'with the address of a pod that is connected, and has spoken since it started',
      (m) => m.members.register(named('other'), said({ startedAt: '1970-01-01T00:00:00.000Z' }), IP),
      409,
      /172\.20\.0\.5 is that of pod reviews-v1\.default, which is connected/,
    ],
    [
      'in a namespace that is not there',
      (m) => m.members.register({ namespace: 'nowhere', name: 'a' }, said({ ip: '172.20.0.6' }), '172.20.0.6'),
      400,
      /^namespace: there is none named nowhere/,
    ],
  ];
  test.each(cases)('%s', async (_, register, code, message) => {
    const mesh = await reviews();
    const before = mesh.pod();
    const error: unknown = await register(mesh).catch((e: unknown) => e);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(mesh.pod()).toBe(before);
  });

  test.each(['name', 'address'])('when a pod that did not register has the %s', async (what) => {
    const mesh = fakeMesh();
    const status = { phase: 'Running', podIP: what === 'address' ? IP : '127.1.0.1' };
    const name = what === 'name' ? 'reviews-v1' : 'other';
    mesh.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [{ name: 'a' }] }, status });
    await expect(mesh.members.register(named(), said(), IP)).rejects.toMatchObject({ code: 409 });
  });
});

describe('a name and an address', () => {
  test('go to a newer incarnation, and to an older one when nobody has spoken for 15 s', async () => {
    const mesh = await reviews();
    const newer = said({ startedAt: '2026-01-02T00:00:00.000Z', incarnation: '2-2', ip: '172.20.0.7' });
    const { uid } = mesh.pod()!.metadata;
    await mesh.members.register(named(), newer, newer.ip);
    await mesh.clock.pass(1);
    expect(mesh.endpoints()).toEqual(['172.20.0.7 ready']);
    expect(mesh.pod()!.metadata.uid).not.toBe(uid);
    await mesh.clock.pass(16_000);
    await mesh.members.register(named(), said(), IP);
    expect(mesh.pod()!.status!.podIP).toBe(IP);
  });

  test('pass on from one that is gone: an address is one pod’s', async () => {
    const mesh = await reviews();
    mesh.connected.delete(ID);
    await mesh.members.register(named('reviews-v2'), said({ workload: 'reviews-v2' }), IP);
    await mesh.clock.pass(1);
    expect(mesh.pod()).toBeUndefined();
    expect(mesh.endpoints()).toEqual([`${IP} ready`]);
  });

  test('may be any when the request comes from this machine', async () => {
    const mesh = fakeMesh();
    await mesh.members.register(named(), said(), '127.0.0.1');
    expect(mesh.pod()!.status!.podIP).toBe(IP);
  });
});

describe('members.json', () => {
  test('brings pods back as they were, each with a new lease', async () => {
    const dir = tempDir();
    const mesh = await reviews(dir);
    const [app, proxy] = said().containers;
    const ill = said({ ip: '172.20.0.6', containers: [{ ...app!, ready: false, reason: 'cold' }, proxy!] });
    await mesh.members.register(named('reviews-v2'), ill, ill.ip);
    mesh.members.close();
    expect(readdirSync(dir)).toEqual(['members.json']);

    const next = fakeMesh(dir);
    next.apply(serviceOf('reviews'));
    next.members.restore();
    await next.clock.pass(1);
    expect(next.endpoints()).toEqual([`${IP} ready`, '172.20.0.6 not-ready']);
    next.connected.add(ID);
    for (const ms of [3000, 3000, 3000, 3000, 2000]) {
      await next.members.register(named('reviews-v2'), ill, ill.ip);
      await next.clock.pass(ms);
    }
    expect(isReady(next.pod()!)).toBe(true);
    await next.members.register(named('reviews-v2'), ill, ill.ip);
    await next.clock.pass(2000);
    expect(isReady(next.pod()!)).toBe(false);
    expect(next.errors).toEqual([]);
  });

  test('of a pod that ended meanwhile does not make it an endpoint for long', async () => {
    const dir = tempDir();
    (await reviews(dir)).members.close();
    const next = fakeMesh(dir);
    next.refused.add(IP);
    next.members.restore();
    await next.clock.pass(1100);
    expect(readyOf(next)).toMatchObject({ reason: 'Unreachable' });
  });

  test('knows nothing of those that have gone', async () => {
    const dir = tempDir();
    const mesh = await reviews(dir);
    mesh.members.remove(named(), null, IP);
    mesh.members.close();
    expect(JSON.parse(readFileSync(join(dir, 'members.json'), 'utf8'))).toEqual([]);
  });

  test.each([
    ['no JSON', '{', 0],
    ['no list', '{}', 0],
    ['an entry that is damaged', JSON.stringify([{ pod: 'a.default' }, { pod: ID, member: said() }]), 1],
  ])('with %s is told of, and the rest is used', (_, text, pods) => {
    const dir = tempDir();
    writeFileSync(join(dir, 'members.json'), text);
    const mesh = fakeMesh(dir);
    mesh.members.restore();
    expect(mesh.store.list('Pod').length).toBe(pods);
    expect(mesh.errors).toHaveLength(1);
    expect(mesh.errors[0]).toContain('members.json');
  });
});
