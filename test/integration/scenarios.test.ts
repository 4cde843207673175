/** The IBM pattern's and the ITGix article's steps on BookInfo, typed as they are there: `lateen up` and the stock kubectl. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startMesh, type Mesh } from '../kit/mesh.ts';
import { KUBECTL } from '../kit/kubectl.ts';
import type { Page } from '../kit/page.ts';
import { endScenarios, faultScenarios, lines, routingScenarios, stepsIn, until } from '../kit/traffic-scenarios.ts';

const kubectlIsThere = KUBECTL !== null;

describe.skipIf(!kubectlIsThere)('BookInfo in a mesh, steered by kubectl', () => {
  let mesh: Mesh;
  const steps = stepsIn(() => mesh);
  const { apply, underLoad } = steps;

  beforeAll(async () => {
    mesh = await startMesh({ empty: true });
  });
  afterAll(() => mesh?.[Symbol.asyncDispose]());

  test('A1, I1: apply starts six workloads, each with its sidecar, and none of them restarts', async () => {
    const said = await apply('bookinfo');
    expect(said).toHaveLength(14);
    expect(said.filter((line) => !line.endsWith(' created'))).toEqual([]);
    expect(said).toContain('deployment.apps/reviews-v3 created');
    await mesh.kubectl('wait', '--for=condition=Available', 'deployment', '--all', '--timeout=60s');
    const pods = lines(await mesh.kubectl('get', 'pods', '--no-headers'));
    expect(pods.map((line) => line.split('-').slice(0, -2).join('-')).sort()).toEqual(
      ['details-v1', 'productpage-v1', 'ratings-v1', 'reviews-v1', 'reviews-v2', 'reviews-v3'], // by Deployment
    );
    for (const line of pods) expect(line).toMatch(/^\S+\s+2\/2\s+Running\s+0\s/);
    expect(lines(await mesh.kubectl('get', 'services', '--no-headers')).map((line) => line.split(/\s+/)[0])).toEqual(
      expect.arrayContaining(['details', 'productpage', 'ratings', 'reviews']),
    );
  });

  test('I2: from inside ratings, the page is reached by its name', async () => {
    const pod = await mesh.kubectl('get', 'pod', '-l', 'app=ratings', '-o', 'jsonpath={.items[0].metadata.name}');
    const page = await mesh.kubectl('exec', pod, '-c', 'ratings', '--', 'curl', '-sS', 'productpage:9080/productpage');
    expect(/<title>.*<\/title>/.exec(page)?.[0]).toBe('<title>Simple Bookstore App</title>');
  });

  test('I2: the command as the article prints it is refused in words that help', async () => {
    const pod = await mesh.kubectl('get', 'pod', '-l', 'app=ratings', '-o', 'jsonpath={.items[0]}');
    const { code, stderr } = await mesh.tryKubectl(['exec', pod, '-c', 'ratings', '--', 'true']);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/metadata\.name|resource name may not contain|not found|arguments in resource/);
  });

  test('A2, I3: nobody listens for the gateway before it is applied', async () => {
    await expect(fetch(mesh.gateway)).rejects.toThrow(); // nothing asks it to listen yet
    expect(await apply('bookinfo-gateway')).toEqual([
      'gateway.networking.istio.io/bookinfo-gateway created',
      'virtualservice.networking.istio.io/bookinfo created',
    ]);
  });

  routingScenarios(steps, () => mesh.kubectl('logs', 'deployment/ratings-v1', '-c', 'ratings'));

  test('I6: instances come and go under load without a failed page', async () => {
    await underLoad(async () => {
      await mesh.kubectl('scale', 'deployment', 'reviews-v3', '--replicas=2');
      await mesh.kubectl('rollout', 'status', 'deployment/reviews-v3', '--timeout=30s');
      const served = new Set<string | undefined>();
      await until(async () => served.add(servedBy(await mesh.page())).size === 2);
      await mesh.kubectl('scale', 'deployment', 'reviews-v3', '--replicas=1');
      await until(
        async () => lines(await mesh.kubectl('get', 'pods', '-l', 'version=v3', '--no-headers')).length === 1,
      );
    });
  });

  faultScenarios(steps);
  endScenarios(steps);
});

const servedBy = ({ body }: Page): string | undefined => /served by: <code>([^<]+)/.exec(body)?.[1];
