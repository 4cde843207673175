import { describe, expect, test } from 'vitest';
import { serviceOf } from '../runner/fake-world.ts';
import { fakeMesh, named, said, type FakeMesh } from './fake-mesh.ts';

const ID = 'reviews-v1.default';
const IP = '172.20.0.5';

async function reviews(): Promise<FakeMesh> {
  const mesh = fakeMesh();
  mesh.apply(serviceOf('reviews'));
  await mesh.members.register(named(), said(), IP);
  mesh.connected.add(ID);
  await mesh.clock.pass(1);
  return mesh;
}

describe('a pod with more than one address', () => {
  const more = ['10.7.0.2', 'fd00::5'];
  const ips = (mesh: FakeMesh, name?: string): unknown => mesh.pod(name)?.status?.podIPs?.map(({ ip }) => ip);

  test('shows all of them, and is reached at the first', async () => {
    const mesh = await reviews();
    await mesh.members.register(named(), said({ addresses: more }), IP);
    await mesh.clock.pass(1);
    expect([mesh.pod()?.status?.podIP, ips(mesh)]).toEqual([IP, [IP, ...more]]);
    expect(mesh.endpoints()).toEqual([`${IP} ready`]);
    // It left a network.
    await mesh.members.register(named(), said({ addresses: ['fd00::5'] }), IP);
    expect(ips(mesh)).toEqual([IP, 'fd00::5']);
    const other = said({ ip: '172.20.0.6', addresses: ['10.7.0.2'] });
    await mesh.members.register(named('other'), other, other.ip);
    expect(ips(mesh, 'other')).toEqual([other.ip, '10.7.0.2']);
  });

  test('has each for itself, as long as it is there', async () => {
    const mesh = await reviews();
    await mesh.members.register(named(), said({ addresses: more }), IP);
    for (const own of [IP, ...more]) {
      const thief = said({ ip: '172.20.0.6', addresses: [own], startedAt: '1970-01-01T00:00:00.000Z' });
      await expect(mesh.members.register(named('other'), thief, thief.ip)).rejects.toThrow(
        `the address ${own} is that of pod`,
      );
    }
    expect(mesh.pod('other')).toBeUndefined();
    mesh.members.remove(named(), null, IP);
    const heir = said({ ip: '172.20.0.6', addresses: more });
    await mesh.members.register(named('other'), heir, heir.ip);
    expect([ips(mesh), ips(mesh, 'other')]).toEqual([undefined, [heir.ip, ...more]]);
  });
});
