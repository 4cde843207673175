/** What is missing or taken when docker-compose.yml comes up: it is named, and once it is there nothing needs a restart by hand. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildImage, composeMesh, type ComposeMesh } from '../kit/compose-mesh.ts';
import { dockerReason } from '../kit/docker.ts';
import { KUBECTL } from '../kit/kubectl.ts';
import { until } from '../kit/traffic-scenarios.ts';

const why = KUBECTL === null ? 'kubectl is not installed' : dockerReason();

describe.skipIf(why !== null)(`a bad start in containers${why === null ? '' : ` (left out: ${why})`}`, () => {
  let mesh: ComposeMesh;

  beforeAll(async () => {
    await buildImage();
    mesh = await composeMesh('lt-bad-input', {});
  });
  afterAll(() => mesh?.[Symbol.asyncDispose]());

  test('a pod without NET_ADMIN says what it needs', async () => {
    const file = join(mesh.dir, 'no-net-admin.yml');
    await writeFile(
      file,
      (await readFile('docker-compose.yml', 'utf8')).replace('cap_add: [NET_ADMIN, ', 'cap_add: ['),
    );
    await using poor = await composeMesh('lt-no-net-admin', { file });
    await poor.compose(['up', '--detach', '--no-deps', 'reviews-v1-pod']);
    await until(async () => (await poor.logs('reviews-v1-pod')).includes('this needs CAP_NET_ADMIN'));
    expect(await poor.logs('reviews-v1-pod')).toContain('in docker compose, with cap_add: [NET_ADMIN, NET_RAW]');
    // What it says is read before it has ended; Docker starts it again and again, after longer and longer pauses.
    await until(async () => (await poor.inspect('reviews-v1-pod')).State.ExitCode === 3);
  });

  test('a port that is taken is named; when it is free, the same command goes on', async () => {
    const port = Number(new URL(mesh.gateway).port);
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    await expect(mesh.compose(['up', '--detach', 'gateway'])).rejects.toThrow(
      new RegExp(`:${port}\\b.*already in use`, 's'),
    );
    await new Promise((resolve) => other.close(resolve));
    await mesh.compose(['up', '--detach', 'gateway']);
    await until(async () => (await gatewayReady()) === 'true');
  });

  test('a control API that is not there at the start: proxies say so, and serve once it comes', async () => {
    await mesh.compose(['rm', '--stop', '--force', 'control']);
    await mesh.compose(['up', '--detach', '--no-deps', 'reviews-v1-pod', 'reviews-v1', 'reviews-v1-sidecar']);
    await until(async () => (await mesh.logs('reviews-v1-sidecar')).includes('http://control:8001 does not answer'));
    expect(await mesh.logs('reviews-v1-sidecar')).toContain('nothing is served until it answers');
    const before = (await mesh.inspect('reviews-v1-sidecar')).State.StartedAt;
    await mesh.compose(['up', '--detach', '--no-deps', 'control']);
    await until(async () => {
      const { code, stdout } = await mesh.tryKubectl(['get', 'pod', 'reviews-v1', '--no-headers']);
      return code === 0 && /^reviews-v1 +2\/2 +Running +0 /.test(stdout);
    });
    expect((await mesh.inspect('reviews-v1-sidecar')).State.StartedAt).toBe(before);
  });

  const gatewayReady = async (): Promise<string> => {
    const of = ['get', 'pod', 'gateway', '-n', 'istio-system', '-o'];
    return (await mesh.tryKubectl([...of, 'jsonpath={.status.containerStatuses[0].ready}'])).stdout;
  };
});
