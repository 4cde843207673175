/** A1–A10 and the article's steps in the mesh of docker-compose.yml, by kubectl, ./lateen and a browser on this machine. */
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ARTEFACTS, CHROMIUM, countPixels, screenshot } from '../kit/browser.ts';
import { startComposeMesh, WORKLOADS, type ComposeMesh } from '../kit/compose-mesh.ts';
import { docker, dockerReason } from '../kit/docker.ts';
import { KUBECTL } from '../kit/kubectl.ts';
import { named, PAGE_TREE, treeOf, type Span } from '../kit/trace-tree.ts';
import { endScenarios, lines, routingScenarios, stepsIn, tally, until } from '../kit/traffic-scenarios.ts';

const why = KUBECTL === null ? 'kubectl is not installed' : dockerReason();
const PAGES = 6;

test.runIf(process.env['LATEEN_REQUIRE_TOOLS'] === '1')('there is a Docker where it is required', () => {
  assert.equal(why, null);
});

describe.skipIf(why !== null)(`BookInfo in containers${why === null ? '' : ` (left out: ${why})`}`, () => {
  let mesh: ComposeMesh;
  const live = join(tmpdir(), `lateen-live-${process.pid}`);
  const steps = stepsIn(() => mesh);
  const { apply } = steps;

  beforeAll(async () => {
    await mkdir(live);
    mesh = await startComposeMesh('lt-scenarios', {
      env: { COMPOSE_PROFILES: 'tracing,metrics', LATEEN_ZIPKIN: 'http://zipkin:9411' },
      override: { services: { control: { volumes: [`${live}:/lateen/config/live:ro`] } } },
    });
  });
  afterAll(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await rm(live, { recursive: true });
  });

  test('A1, I1: six workloads, each with its sidecar, and Deployments that are available', async () => {
    const pods = lines(await mesh.kubectl('get', 'pods', '--no-headers'));
    expect(pods.map((line) => line.split(/\s+/).slice(0, 4).join(' '))).toEqual(
      WORKLOADS.map((name) => `${name} 2/2 Running 0`),
    );
    await mesh.kubectl('wait', '--for=condition=Available', 'deployment', '--all', '--timeout=5s');
    for (const name of WORKLOADS) await mesh.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=5s');
    const services = lines(await mesh.kubectl('get', 'services', '-o', 'name'));
    expect(services).toEqual(['details', 'productpage', 'ratings', 'reviews'].map((name) => `service/${name}`));
  });

  test('A1, I2: from inside ratings, the page is reached by its name', async () => {
    const page = await mesh.exec('ratings-v1', 'curl', '-sS', 'productpage:9080/productpage');
    expect(/<title>.*<\/title>/.exec(page)?.[0]).toBe('<title>Simple Bookstore App</title>');
  });

  routingScenarios(steps, () => mesh.logs('ratings-v1'), { brief: true });

  test.runIf(CHROMIUM)('A7: in a browser, the stars are red, and only where v3 is', async () => {
    const red = (r: number, g: number, b: number): boolean => r > 200 && g < 80 && b < 80;
    expect((await mesh.page()).colour).toBe('red');
    // Nine stars of some 18 × 18 pixels, and the outline of one.
    expect(countPixels(await screenshot(`${mesh.gateway}/productpage`, 'reviews-v3.png'), red)).toBeGreaterThan(900);
    await apply('virtual-service-all-v1');
    expect(countPixels(await screenshot(`${mesh.gateway}/productpage`, 'reviews-v1.png'), red)).toBe(0);
    await apply('virtual-service-reviews-v3');
    expect((await readFile(join(ARTEFACTS, 'reviews-v3.png'))).length).toBeGreaterThan(10_000);
  });

  test('A9: a metric of one’s own, in Prometheus: two for each request at each hop; and a line in the logs there', async () => {
    const file = 'config/bookinfo/new-metrics-rule.yaml';
    expect((await mesh.kubectl('apply', '-f', file)).match(/ created$/gm)).toHaveLength(6);
    await mesh.settled();
    await mesh.pages(PAGES);
    const sums = 'sum by (source, destination) (istio_double_request_count{message="twice the fun!"})';
    await expect
      .poll(async () => (await query(sums)).map(({ metric, value }) => `${short(metric)} ${value[1]}`).sort(), {
        timeout: 20_000,
        interval: 200,
      })
      .toEqual(
        [
          'istio-ingressgateway → productpage',
          'productpage → details',
          'productpage → reviews',
          'reviews → ratings',
          'unknown → istio-ingressgateway',
        ].map((hop) => `${hop} ${2 * PAGES}`),
      );
    for (const name of ['productpage-v1', 'details-v1', 'reviews-v3', 'ratings-v1'])
      await expect.poll(async () => (await newlog(name)).length, { timeout: 10_000 }).toBe(PAGES);
    expect((await newlog('ratings-v1'))[0]).toMatchObject({
      level: 'warn',
      instance: 'newlog.logentry.istio-system',
      source: 'reviews',
      destination: 'ratings',
      responseCode: 200,
      user: 'unknown',
    });
    await mesh.kubectl('delete', '-f', file);
    await mesh.settled();
    await mesh.pages(2);
    expect(await newlog('ratings-v1')).toHaveLength(PAGES);
  });

  test('A9: Prometheus knows every proxy, and the control API', async () => {
    const up = async (): Promise<string[]> =>
      (await query('up')).map(({ metric, value }) => `${metric['pod']} ${value[1]}`).sort();
    await expect
      .poll(up, { timeout: 20_000, interval: 200 })
      .toEqual(expect.arrayContaining(['gateway 1', 'istiod-0 1', ...WORKLOADS.map((name) => `${name} 1`)]));
  });

  test('A10: in Zipkin a page is one tree, each hop under the one before', async () => {
    const agent = `test-${crypto.randomUUID()}`;
    expect((await fetch(`${mesh.gateway}/productpage`, { headers: { 'user-agent': agent } })).status).toBe(200);
    let spans: readonly Span[] = [];
    await until(async () => {
      const search = new URLSearchParams({ annotationQuery: `user_agent=${agent}`, limit: '5' });
      const traces = (await (await fetch(`${mesh.zipkin}/api/v2/traces?${search.toString()}`)).json()) as Span[][];
      expect(traces.length).toBeLessThan(2);
      spans = traces[0] ?? [];
      return spans.length >= PAGE_TREE.length;
    });
    expect(treeOf(spans.map(named))).toEqual(PAGE_TREE);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    const root = spans.find(({ parentId }) => parentId === undefined)!;
    expect(root.tags).toMatchObject({ 'http.status_code': '200', component: 'proxy' });
  });

  test('a file in the watched directory reroutes within a second, one that is wrong changes nothing, and none takes it back', async () => {
    await mesh.kubectl('delete', 'virtualservice', 'reviews');
    await mesh.settled();
    const rule = join(live, 'reviews.yaml');
    const soon = async (colour: string): Promise<number> => {
      const started = performance.now();
      await until(async () => (await mesh.pages(3)).every((page) => page.colour === colour));
      return performance.now() - started;
    };
    await copyFile('config/bookinfo/virtual-service-reviews-v3.yaml', rule);
    const took = [await soon('red')];
    const text = await readFile(rule, 'utf8');
    for (const [subset, colour] of [
      ['v2', 'black'],
      ['v1', 'none'],
      ['v3', 'red'],
      ['v2', 'black'],
    ] as const) {
      await writeFile(rule, text.replace('subset: v3', `subset: ${subset}`));
      took.push(await soon(colour));
    }
    // The median: one stall of a shared machine is not what is asked about.
    expect(took.sort((a, b) => a - b)[2]).toBeLessThan(1_000);
    await writeFile(rule, text.replace('route:', 'rout:'));
    await until(async () => /reviews\.yaml.*rout/.test(await mesh.logs('control')));
    expect(tally(await mesh.pages(6))).toEqual({ black: 6 });
    await rm(rule);
    await until(async () => Object.keys(tally(await mesh.pages(3))).length === 3);
    await apply('virtual-service-reviews-v3');
  });

  test('an application may ask nothing of the control API, whatever it shows, nor make itself a pod', async () => {
    const inside = async (...curl: readonly string[]): Promise<string> =>
      lines(await mesh.exec('ratings-v1', 'curl', '-sS', '-w', '\n%{http_code}', ...curl)).at(-1)!;
    const api = 'http://control:8001';
    const rules = `${api}/apis/networking.istio.io/v1/namespaces/default/virtualservices`;
    for (const curl of [
      [rules],
      ['-X', 'DELETE', rules],
      ['-X', 'DELETE', `${rules}/reviews`],
      ['-H', 'authorization: Bearer x', `${api}/api/v1/secrets`],
      ['-H', 'x-forwarded-for: 127.0.0.1', '-H', 'host: localhost:8001', `${api}/lateen/v1/history`],
      [`${api}/lateen/v1/proxies/gateway.istio-system/admin/config_dump`],
    ])
      expect(await inside(...curl), curl.join(' ')).toBe('403');
    for (const curl of [
      [`${api}/lateen/v1/config?proxy=gateway.istio-system`],
      ['-X', 'PUT', '-d', '{}', `${api}/lateen/v1/pods/reviews-v9.default`],
      ['-X', 'DELETE', `${api}/lateen/v1/pods/ratings-v1.default`],
      ['-X', 'POST', '-H', 'content-type: application/json', '-d', '[]', `${api}/api/v2/spans`],
    ])
      expect(await inside(...curl), curl.join(' ')).toBe('401');
    // By its other ways in: the database's network, and the port that is published on this machine.
    const host = (await mesh.exec('ratings-v1', 'sh', '-c', "ip route show default | cut -d' ' -f3")).trim();
    const out = mesh.exec(
      'ratings-v1',
      'curl',
      '-sS',
      '-m',
      '5',
      `http://${host}:${new URL(mesh.control).port}/version`,
    );
    await expect(out).rejects.toThrow();
    for (const service of ['ratings-v1', 'ratings-v1-pod', 'zipkin'])
      await expect(mesh.exec(service, 'cat', '/var/lib/lateen/join/token')).rejects.toThrow(/No such file/);
    expect(await mesh.exec('control', 'lateen', 'status')).toContain('ratings-v1.default');
    expect(lines(await mesh.kubectl('get', 'virtualservice', 'reviews', '-o', 'name'))).toHaveLength(1);
  });

  test('a policy knows its caller by every network: the one of the database leads past none', async () => {
    const policy = {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'details-not-for-ratings' },
      spec: {
        action: 'DENY',
        selector: { matchLabels: { app: 'details' } },
        rules: [{ from: [{ source: { principals: ['cluster.local/ns/default/sa/bookinfo-ratings'] } }] }],
      },
    };
    const args = ['network', 'inspect', '--format', '{{json .Containers}}'];
    const networks = await Promise.all(['mesh', 'outside'].map((name) => docker([...args, `lt-scenarios_${name}`])));
    const address = (network: string): string =>
      Object.values(JSON.parse(network) as Record<string, { Name: string; IPv4Address: string }>)
        .find(({ Name }) => /details-v1-pod/.test(Name))!
        .IPv4Address.split('/')[0]!;
    const places = ['details', ...networks.map(address)];
    const ask = async (from: string): Promise<string[]> =>
      Promise.all(
        places.map(async (place) =>
          mesh.exec(from, 'curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', `http://${place}:9080/details/0`),
        ),
      );
    expect(await ask('ratings-v1')).toEqual(['200', '200', '200']);
    expect((await mesh.tryKubectl(['apply', '-f', '-'], JSON.stringify(policy))).code).toBe(0);
    await mesh.settled();
    expect(await ask('ratings-v1')).toEqual(['403', '403', '403']);
    expect(await ask('productpage-v1')).toEqual(['200', '200', '200']);
    await mesh.kubectl('delete', 'authorizationpolicy', 'details-not-for-ratings');
    await mesh.settled();
  });

  describe('./lateen on this machine', () => {
    test('status: every proxy is there and in step; analyze finds nothing', async () => {
      const { code, stdout } = await mesh.lateen('status');
      expect(lines(stdout).map((line) => line.split(/\s+/).slice(0, 3).join(' '))).toEqual([
        'NAME ROLE SYNC',
        ...[...WORKLOADS.map((name) => `${name}.default sidecar SYNCED`), 'gateway.istio-system gateway SYNCED'].sort(),
      ]);
      expect(code).toBe(0);
      expect((await mesh.lateen('analyze')).stdout).toContain('No validation issues found');
    });

    test('stat and edges: who calls whom, and how that goes', async () => {
      await mesh.pages(10);
      // Each proxy reports by itself.
      const said = (...args: readonly string[]) =>
        expect.poll(async () => (await mesh.lateen(...args)).stdout, { timeout: 10_000 });
      await said('edges').toMatch(/^reviews-v3 +ratings-v1 +ratings +v1 /m);
      await said('edges').toMatch(/^productpage-v1 +reviews-v3 +reviews +v3 /m);
      await said('edges').toMatch(/^istio-ingressgateway\.istio-system +productpage-v1 +productpage /m);
      await said('stat', 'deploy/productpage-v1').toMatch(/^productpage-v1 .*100/m);
    });

    test('apply, diff, history, rollback', async () => {
      const file = 'config/bookinfo/virtual-service-reviews-50-v3.yaml';
      const { revision } = (await history())[0]!;
      const diff = await mesh.lateen('diff', file);
      expect([diff.code, diff.stdout]).toEqual([1, expect.stringContaining('weight: 50')]);
      expect((await mesh.lateen('apply', file)).stdout).toContain('reviews configured');
      expect((await mesh.lateen('diff', file)).code).toBe(0);
      const [last] = await history();
      expect(last!.line).toMatch(/\(lateen\) +update +VirtualService default\/reviews/);
      await mesh.lateen('rollback', 'vs/reviews', '--to', revision);
      await mesh.settled();
      expect(tally(await mesh.pages(6))).toEqual({ red: 6 });
    });

    test('explain: what became of one request, proxy by proxy', async () => {
      const trace = crypto.randomUUID().replaceAll('-', '');
      const headers = { 'x-b3-traceid': trace, 'x-b3-spanid': trace.slice(16), 'x-b3-sampled': '1' };
      expect((await fetch(`${mesh.gateway}/productpage`, { headers })).status).toBe(200);
      const explained = async (): Promise<string> => (await mesh.lateen('explain', trace)).stdout;
      for (const name of ['gateway', 'productpage-v1', 'details-v1', 'reviews-v3', 'ratings-v1'])
        await expect.poll(explained, { timeout: 10_000 }).toContain(name);
    });

    test('tap: requests as they happen', async () => {
      const child = spawn('./lateen', ['tap', 'deploy/ratings-v1', '--max', '1', '--server', mesh.control]);
      let seen = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (seen += text));
      const ended = once(child, 'exit');
      let over = false;
      void ended.then(() => (over = true));
      await until(async () => (await mesh.page()).status === 200 && over);
      expect(seen).toMatch(/reviews-v3.*ratings-v1.*\/ratings\/0.*200/s);
    });

    const history = async (): Promise<readonly { revision: string; line: string }[]> =>
      lines((await mesh.lateen('history')).stdout)
        .slice(1)
        .map((line) => ({ revision: line.split(/\s+/)[0]!, line }));
  });

  endScenarios(steps);

  type Sample = { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] };
  const query = async (text: string): Promise<readonly Sample[]> => {
    const answer = await fetch(`${mesh.prometheus}/api/v1/query?query=${encodeURIComponent(text)}`);
    return ((await answer.json()) as { data: { result: Sample[] } }).data.result;
  };
  const short = ({ source, destination }: Readonly<Record<string, string>>): string =>
    `${source!.split('.')[0]} → ${destination!.split('.')[0]}`;
  const newlog = async (workload: string): Promise<Record<string, unknown>[]> =>
    lines(await mesh.logs(`${workload}-sidecar`))
      .filter((line) => line.includes('newlog.logentry.istio-system'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
});
