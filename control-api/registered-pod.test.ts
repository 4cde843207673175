import { afterEach, describe, expect, test } from 'vitest';
import { named, fakeMesh, said } from './members/fake-mesh.ts';
import { elsewhere } from './registered-pod.ts';
import { call, PODS, start, stopAll } from './server.kit.ts';

afterEach(stopAll);

const [app, proxy] = said().containers;

async function podOf(role: 'sidecar' | 'gateway') {
  const mesh = fakeMesh();
  const containers = role === 'gateway' ? [proxy!] : [app!, proxy!];
  await mesh.members.register(named('pod-1'), said({ role, containers }), '127.0.0.1');
  return { mesh, pod: mesh.pod('pod-1')! };
}

describe('of a pod that somebody else runs', () => {
  test.each([
    ['sidecar', 'logs', null, 'docker compose logs pod-1 pod-1-sidecar'],
    ['sidecar', 'logs', 'reviews', 'docker compose logs pod-1'],
    ['sidecar', 'logs', 'istio-proxy', 'docker compose logs pod-1-sidecar'],
    ['gateway', 'logs', null, 'docker compose logs pod-1'],
    ['gateway', 'logs', 'istio-proxy', 'docker compose logs pod-1'],
    ['sidecar', 'exec', 'reviews', 'docker compose exec pod-1 COMMAND'],
    ['sidecar', 'exec', 'istio-proxy', 'docker compose exec pod-1-sidecar COMMAND'],
    ['gateway', 'exec', 'istio-proxy', 'docker compose exec pod-1 COMMAND'],
  ] as const)('a %s: %s of %s is %s', async (role, verb, container, words) => {
    const { pod } = await podOf(role);
    expect(elsewhere(pod, verb, container)).toBe(
      `pod pod-1 runs in containers that the control API does not reach: ${words}`,
    );
  });

  test('the API says so, and deleting it tells that it comes back', async () => {
    const { mesh } = await podOf('sidecar');
    const api = await start({ store: mesh.store, members: mesh.members });
    const log = await call(api, 'GET', `${PODS}/pod-1/log`);
    expect(log.status).toBe(503);
    expect(log.body.message).toMatch(/docker compose logs pod-1 pod-1-sidecar$/);
    const gone = await call(api, 'DELETE', `${PODS}/pod-1`);
    expect(gone.status).toBe(200);
    expect(gone.headers.get('warning')).toMatch(/is back with its next heartbeat/);
    expect(mesh.pod('pod-1')).toBeUndefined();
  });
});
