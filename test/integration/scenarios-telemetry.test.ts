/** A9: a metric and a log line that are defined by configuration, on the running mesh; counted at each hop, gone without a restart. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KUBECTL } from '../kit/kubectl.ts';
import { startMesh, type Mesh } from '../kit/mesh.ts';

const PAGES = 6;
/** Who calls whom for one page of reviews v3. */
const HOPS = [
  ['unknown', 'istio-ingressgateway.istio-system.svc.cluster.local'],
  ['istio-ingressgateway.istio-system.svc.cluster.local', 'productpage.default.svc.cluster.local'],
  ['productpage.default.svc.cluster.local', 'details.default.svc.cluster.local'],
  ['productpage.default.svc.cluster.local', 'reviews.default.svc.cluster.local'],
  ['reviews.default.svc.cluster.local', 'ratings.default.svc.cluster.local'],
] as const;

describe.skipIf(KUBECTL === null)('A9: a metric and a log of one’s own', () => {
  let mesh: Mesh;
  beforeAll(async () => {
    mesh = await startMesh();
    await mesh.kubectl('apply', '-f', 'config/bookinfo/destination-rule-all.yaml');
    await mesh.kubectl('apply', '-f', 'config/bookinfo/virtual-service-reviews-v3.yaml');
    await mesh.settled();
  });
  afterAll(() => mesh?.[Symbol.asyncDispose]());

  test('in Mixer’s form count each request exactly twice at each hop, and write a line there', async () => {
    const file = 'config/bookinfo/new-metrics-rule.yaml';
    expect((await mesh.kubectl('apply', '-f', file)).match(/ created$/gm)).toHaveLength(6);
    expect((await mesh.kubectl('apply', '-f', file)).match(/ unchanged$/gm)).toHaveLength(6);
    await mesh.settled();
    await mesh.pages(PAGES);
    await expect
      .poll(counted, { timeout: 10_000 })
      .toEqual(new Map(HOPS.map(([source, destination]) => [`${source} → ${destination}`, 2 * PAGES])));
    await expect
      .poll(logged, { timeout: 10_000 })
      .toEqual(['productpage', 'details', 'reviews', 'ratings'].map((app) => [app, PAGES]));
    const line = (await newlog('ratings-v1'))[0]!;
    expect(line).toMatchObject({ level: 'warn', source: 'reviews', destination: 'ratings', responseCode: 200 });
    expect(line).toMatchObject({ user: 'unknown', latency: expect.stringMatching(/^[\d.]+m?s$/) });
    expect(Object.keys(line).slice(0, 3)).toEqual(['level', 'ts', 'instance']);

    await mesh.kubectl('delete', '-f', file);
    await mesh.settled();
    await mesh.pages(2);
    await expect.poll(counted, { timeout: 10_000 }).toEqual(new Map());
    expect(await logged()).toEqual(['productpage', 'details', 'reviews', 'ratings'].map((app) => [app, PAGES]));
  });

  test('in our own form do the same', async () => {
    await mesh.kubectl('apply', '-f', 'config/bookinfo/custom-telemetry.yaml');
    await mesh.settled();
    await mesh.pages(PAGES);
    await expect.poll(async () => (await scraped(/twice the fun/)).length, { timeout: 10_000 }).toBeGreaterThan(0);
    await mesh.kubectl('delete', '-f', 'config/bookinfo/custom-telemetry.yaml');
    await mesh.settled();
    expect(await scraped(/twice the fun/)).toEqual([]);
  });

  /** Lines of every proxy's scrape page that match. */
  async function scraped(pattern: RegExp): Promise<string[]> {
    const pods = await mesh.kubectl('get', 'pods', '-A', '-o', 'jsonpath={range .items[*]}{.status.podIP} {end}');
    const pages = await Promise.all(
      pods
        .trim()
        .split(/\s+/)
        .map(async (ip) => (await fetch(`http://${ip}:15090/stats/prometheus`)).text()),
    );
    return pages.flatMap((page) => page.split('\n').filter((line) => !line.startsWith('#') && pattern.test(line)));
  }

  async function counted(): Promise<Map<string, number>> {
    const sums = new Map<string, number>();
    for (const line of await scraped(/^istio_double_request_count/)) {
      const [, source, destination, message, value] =
        /\{source="([^"]*)",destination="([^"]*)",message="([^"]*)"\} (\d+)/.exec(line) ?? [];
      expect(message).toBe('twice the fun!');
      const hop = `${source} → ${destination}`;
      sums.set(hop, (sums.get(hop) ?? 0) + Number(value));
    }
    return new Map(
      HOPS.map(([s, d]) => `${s} → ${d}`).flatMap((hop) => (sums.has(hop) ? [[hop, sums.get(hop)!]] : [])),
    );
  }

  async function newlog(workload: string): Promise<Record<string, unknown>[]> {
    const text = await mesh.kubectl('logs', `deployment/${workload}`, '-c', 'istio-proxy');
    return text
      .split('\n')
      .filter((line) => line.includes('newlog.logentry.istio-system'))
      .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as Record<string, unknown>);
  }

  const logged = (): Promise<[string, number][]> =>
    Promise.all(
      (['productpage-v1', 'details-v1', 'reviews-v3', 'ratings-v1'] as const).map(
        async (name): Promise<[string, number]> => [name.split('-')[0]!, (await newlog(name)).length],
      ),
    );
});
