/** Part B of the IBM pattern, and I7 of the article: BookInfo's data in a MySQL outside the mesh. The same steps on both databases. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EgressView } from '#control-api/egress.ts';
import { reviewers, series, shown, sum, type Shown } from '../kit/book-page.ts';
import { KUBECTL } from '../kit/kubectl.ts';
import type { LoadOptions } from '../kit/load.ts';
import type { Mesh } from '../kit/mesh.ts';
import { accepts, DATABASES, type MysqlMesh } from '../kit/mysql-mesh.ts';
import type { Page } from '../kit/page.ts';
import { run } from '../kit/steer.ts';

const NO_DETAILS = 'Sorry, product details are currently unavailable for this book.';
const NO_REVIEWS = 'Be the first one to review this book!';
const NO_RATINGS = 'Ratings service is currently unavailable';
const WORKLOADS = ['details-v1', 'ratings-v1', 'reviews-v1', 'reviews-v2', 'reviews-v3'];
const ANN = { reviewer: 'Ann', rating: '3', review: 'Good fun' };

/** Either way of saying it: for the whole mesh when it starts, or for a namespace by a file. */
const BLOCKED_BY = ['mysql-blocked', '--outbound-policy'] as const;

for (const [i, database] of DATABASES.entries()) {
  describe.skipIf(KUBECTL === null || !database.available)(`BookInfo on ${database.name}`, () => {
    let world: MysqlMesh;
    let mesh: Mesh;

    beforeAll(async () => {
      const how = BLOCKED_BY[i]!;
      world = await database.start(how === '--outbound-policy' ? [how, 'REGISTRY_ONLY'] : []);
      mesh = world.mesh;
      if (how === '--outbound-policy') return;
      await world.apply(await world.config(how));
      // Connections that were open before live on.
      await world.restart();
    });
    afterAll(() => world?.[Symbol.asyncDispose]());

    test('B1: the Secret tells the services where the database is', async () => {
      const { data } = JSON.parse(await mesh.kubectl('get', 'secret', 'demo-credentials', '-o', 'json')) as Secret;
      const values = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]);
      expect(Object.fromEntries(values)).toEqual({
        username: 'book_user',
        password: 'password',
        host: world.host,
        port: String(world.port),
      });
      expect(await world.apply(await world.config('secrets'))).toMatch(/^secret\/demo-credentials /);
    });

    test('B3: nobody has declared the database: it is blocked, and the page is 200', async () => {
      for (const page of await mesh.pages(6)) {
        expect([page.status, page.errors]).toEqual([200, ['Error fetching product details']]);
        expect(page.body).toContain(NO_DETAILS);
        expect(page.body).toContain(NO_REVIEWS);
      }
    });

    test('B3: metrics, log and `lateen egress` say what was blocked, by address and port', async () => {
      for (const labels of ['app=details', 'version=v2']) {
        const counted = series(await metrics(labels), 'istio_requests_total', 'BlackHoleCluster');
        expect(counted).toEqual([expect.stringContaining(`destination_service="${world.place}"`)]);
        expect(counted[0]).toContain('response_code="502"');
      }
      const log = await proxyLog('app=details');
      const line = log.split('\n').find((l) => l.includes('"CONNECT"') && l.includes('"response_code":502'))!;
      expect(JSON.parse(line)).toMatchObject({
        authority: world.place,
        response_code: 502,
        reason: expect.stringContaining(
          `${world.place} is not in the registry and the outbound policy is REGISTRY_ONLY`,
        ),
      });
      const blocked = { verdict: 'blocked', address: world.host, port: world.port, protocol: 'tcp' };
      await until(async () => (await egress('--blocked')).some(({ workload }) => workload === 'details-v1'));
      const rows = await egress('--blocked');
      expect(rows.find(({ workload }) => workload === 'details-v1')).toMatchObject(blocked);
      expect(new Set(rows.map(({ address, port }) => `${address}:${port}`))).toEqual(new Set([world.place]));
    });

    test('B4, I7: a ServiceEntry adds the database to the registry: the loader fills it, and pages are whole', async () => {
      const pods = await podNames();
      expect(await world.apply(await world.config('mysql-egress'))).toBe(
        'serviceentry.networking.istio.io/mysql-cloud created\n',
      );
      await load();
      expect(await reviewsOnPage()).toEqual({
        none: [
          ['John Doe', 0],
          ['Jane Smith', 0],
        ],
        black: BOTH,
        red: BOTH,
      });
      expect(await podNames()).toEqual(pods);
    });

    test('B4: connections to the database are counted when they open and close, and their bytes', async () => {
      const count = async (): Promise<number[]> => {
        const text = await metrics('app=details');
        return ['connections_opened', 'connections_closed', 'sent_bytes', 'received_bytes'].map((what) =>
          sum(series(text, `istio_tcp_${what}_total`, 'destination_service="book-database.example.com"')),
        );
      };
      const [opened = 0, closed = 0, sent = 0, received = 0] = await count();
      const link = await connection();
      expect(await link.execute('SELECT BookName FROM books', [], 2000)).toMatchObject({ ok: true });
      link.end();
      await until(async () => (await count())[1]! > closed);
      const after = await count();
      expect(after[0]).toBeGreaterThan(opened);
      expect(after[2]).toBeGreaterThan(sent);
      expect(after[3]).toBeGreaterThan(received);
      const allowed = { workload: 'details-v1', verdict: 'allowed', by: 'ServiceEntry default/mysql-cloud' };
      await until(async () =>
        (await egress()).some((row) => Object.entries(allowed).every(([key, value]) => row[key as 'by'] === value)),
      );
    });

    test('B6, B2: a review is posted through the mesh and leads back to the page; each has its own rating', async () => {
      const posted = await post(ANN);
      expect([posted.status, posted.headers.get('location')]).toEqual([302, `${mesh.gateway}/productpage`]);
      expect((await reviewsOnPage())['black']).toEqual([...BOTH, ['Ann', 3]]);
      for (const rating of ['1', '2', '5']) await post({ ...ANN, rating });
      expect(await ratings()).toEqual({ Reviewer1: 4, Reviewer2: 5, Reviewer3: 3, Reviewer4: 1, Reviewer5: 2 });
      expect((await reviewsOnPage())['red']).toEqual([...BOTH, ['Ann', 3], ['Ann', 1], ['Ann', 2]]);
    });

    test('B6, B2: all are deleted, which leads back to the page, and no rating outlives its review', async () => {
      const removed = await fetch(`${mesh.gateway}/deleteReviews`, { redirect: 'manual' });
      expect([removed.status, removed.headers.get('location')]).toEqual([302, `${mesh.gateway}/productpage`]);
      for (const page of await mesh.pages(3))
        expect([page.status, page.stars, page.body.includes(NO_REVIEWS)]).toEqual([200, 0, true]);
      expect(await ratings()).toEqual({});
    });

    test('B1: the loader run again makes the data anew; without its environment it says so, and fails', async () => {
      await load();
      expect((await reviewsOnPage())['red']).toEqual(BOTH);
      const without = (await world.config('mysql-data')).replace(
        /valueFrom: \{ secretKeyRef: \{ name: demo-credentials, key: password \} \}/,
        "value: ''",
      );
      expect(await runLoader(without, 'Failed')).toContain('Environment variables not found.');
    });

    test('B2: a database that fails under load degrades the pages; when it is back, so are they', async () => {
      const pods = await podNames();
      await using load = mesh.load({ fine: ({ status, body }) => status === 200 && body.endsWith('</html>\n') });
      await until(() => load.requests() > 4);
      await world.fail();
      const down = await mesh.page();
      expect([down.status, down.body.includes(NO_DETAILS), down.body.includes(NO_REVIEWS)]).toEqual([200, true, true]);
      await world.heal();
      await until(async () => isWhole(await mesh.page()));
      expect((await load.stop()).failed).toEqual([]);
      expect(await podNames()).toEqual(pods);
      expect(await restarts()).toEqual(new Set(['0']));
    });

    test('B4: without the ServiceEntry new connections are blocked again, and open ones live on', async () => {
      const open = await connection();
      await mesh.kubectl('delete', 'serviceentry', 'mysql-cloud');
      await world.settled();
      expect(await world.connect('app=details')).toMatchObject({
        ok: false,
        reason: expect.stringContaining('REGISTRY_ONLY'),
      });
      expect(await open.execute('SELECT COUNT(*) AS n FROM reviews', [], 2000)).toMatchObject({ rows: [{ n: 2 }] });
      await world.restart();
      for (const page of await mesh.pages(6)) {
        expect(page.body).toContain(NO_DETAILS);
        expect(page.body).toContain(NO_REVIEWS);
      }
      open.end();
    });

    test('B4: what `lateen egress --propose` prints lets them out as well', async () => {
      await until(async () => (await egress('--since', '2s')).length >= 4);
      const { stdout } = await lateen('egress', '--propose', '--blocked');
      expect(stdout).toContain(`# details-v1 was kept from ${world.place} (tcp)`);
      expect(await world.apply(stdout)).toMatch(/^serviceentry\.networking\.istio\.io\/ip-[\d-]+ created\n$/);
      expect((await mesh.pages(6)).filter((page) => !isWhole(page))).toEqual([]);
    });

    test('B5: addresses outside of the included ranges are reached past the proxies, which know nothing of it', async () => {
      await underLoad(async () => {
        await world.apply(await world.config('bookinfo-bypass'));
        await Promise.all(WORKLOADS.map(rolledOut));
        await mesh.kubectl('delete', 'serviceentries', '--all');
        await world.settled();
      });
      expect((await mesh.pages(6)).filter((page) => !isWhole(page))).toEqual([]);
      expect(await world.connect('app=details')).toMatchObject({ ok: false });
      for (const labels of ['app=details', 'app=ratings', 'version=v2,app=reviews', 'version=v3,app=reviews'])
        expect(series(await metrics(labels), 'istio_tcp_connections_opened_total', '')).toEqual([]);
      const log = await proxyLog('app=reviews,version=v2');
      expect(log).toContain('"path":"/reviews/0"');
      expect(log).not.toContain(world.place);
    });

    test('B5: an excluded range does the same', async () => {
      const annotations = {
        'traffic.sidecar.istio.io/includeOutboundIPRanges': null,
        'traffic.sidecar.istio.io/excludeOutboundIPRanges': `${world.host}/32`,
      };
      const patch = JSON.stringify({ spec: { template: { metadata: { annotations } } } });
      await underLoad(async () => {
        await mesh.kubectl('patch', 'deployment', 'details-v1', '-p', patch);
        await rolledOut('details-v1');
      });
      const log = await proxyLog('app=details');
      expect(log).toContain('"path":"/details/0"');
      expect(log).not.toContain(world.place);
    });

    test('B5, A4–A8: rules inside the mesh hold as before', async () => {
      await underLoad(() => rules('destination-rule-all', 'virtual-service-all-v1'));
      expect((await mesh.pages(10)).map(({ colour }) => colour)).toEqual(Array(10).fill('none'));
      await underLoad(() => rules('virtual-service-reviews-jason-v2-v3'));
      expect((await mesh.pages(5)).map(({ colour }) => colour)).toEqual(Array(5).fill('red'));
      await rules('mixer-rule-deny-label');
      for (const page of await mesh.pages(5)) {
        expect([page.status, page.stars, page.errors]).toEqual([200, 0, [NO_RATINGS, NO_RATINGS]]);
        expect(reviewers(page)).toEqual(['John Doe', 'Jane Smith']);
      }
      for (const { colour, stars } of await mesh.pages(5, 'jason')) expect([colour, stars]).toEqual(['black', 9]);
    });

    test('B6, A8: while v3 is kept from ratings, posting still works, and five of more reviews are shown', async () => {
      for (const reviewer of ['Ann', 'Bob', 'Cleo', 'Dan']) expect((await post({ ...ANN, reviewer })).status).toBe(302);
      expect(reviewers(await mesh.page())).toEqual(['John Doe', 'Jane Smith', 'Ann', 'Bob', 'Cleo']);
      await mesh.kubectl('delete', '-f', 'config/bookinfo/mixer-rule-deny-label.yaml');
      await world.settled();
      expect(shown(await mesh.page())).toEqual([...BOTH, ['Ann', 3], ['Bob', 3], ['Cleo', 3]]);
    });

    test('B7: taking the rules away leads back to taking turns, without a failed page', async () => {
      await underLoad(async () => {
        await mesh.kubectl('delete', 'virtualservices', 'reviews', 'ratings', 'details', 'productpage');
        await mesh.kubectl('delete', 'destinationrules', '--all');
        await world.settled();
      });
      expect(Object.keys(await reviewsOnPage()).sort()).toEqual(['black', 'none', 'red']);
    });

    test('B7: the gateway goes and comes back, the application goes, and the control plane lives', async () => {
      const gateway = ['-f', 'config/bookinfo-mysql/bookinfo-gateway.yaml'];
      await mesh.kubectl('delete', ...gateway);
      const { hostname, port } = new URL(mesh.gateway);
      await until(async () => !(await accepts(hostname, Number(port))));
      await mesh.kubectl('apply', ...gateway);
      await world.settled();
      expect(isWhole(await mesh.page())).toBe(true);
      await mesh.kubectl('delete', ...gateway);
      await mesh.kubectl('delete', '-f', 'config/bookinfo-mysql/bookinfo-mysql.yaml');
      await until(async () => (await mesh.kubectl('get', 'pods', '-l', 'app!=setup', '-o', 'name')) === '');
      expect(await mesh.kubectl('get', 'services,deployments', '-o', 'name')).toBe('');
      const ingress = await mesh.kubectl('-n', 'istio-system', 'get', 'pods', '--no-headers');
      expect(ingress).toMatch(/^istio-ingressgateway-\S+\s+1\/1\s+Running\s+0\s/);
      expect((await fetch(`${mesh.control}/lateen/v1/proxies`)).status).toBe(200);
    });

    const lateen = (...args: readonly string[]) => run('./lateen', [...args, '--server', mesh.control]);
    const egress = async (...args: readonly string[]): Promise<readonly EgressView[]> =>
      JSON.parse((await lateen('egress', '-o', 'json', ...args)).stdout) as EgressView[];

    /** Runs `change` while whole pages are loaded without pause; not one may fail, nor any request at a hop behind them. */
    const underLoad = async (
      change: () => Promise<unknown>,
      options: LoadOptions = { fine: isWhole },
    ): Promise<void> => {
      await using load = mesh.load(options);
      await until(() => load.requests() > 4);
      await change();
      const sofar = load.requests();
      await until(() => load.requests() > sofar + 4);
      expect((await load.stop()).failed).toEqual([]);
    };

    const rules = async (...names: readonly string[]): Promise<void> => {
      for (const each of names) await mesh.kubectl('apply', '-f', `config/bookinfo/${each}.yaml`);
      await world.settled();
    };
    const rolledOut = (deployment: string): Promise<string> =>
      mesh.kubectl('rollout', 'status', `deployment/${deployment}`, '--timeout=30s');

    /** By colour: reviewers and their stars, on one page of each version of reviews. */
    const reviewsOnPage = async (): Promise<Record<string, Shown>> => {
      const pages = await mesh.pages(3);
      expect(pages.map(isWhole)).toEqual([true, true, true]);
      return Object.fromEntries(pages.map((page) => [page.colour, shown(page)]));
    };

    const post = (form: Record<string, string>): Promise<Response> =>
      fetch(`${mesh.gateway}/postReview`, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' });

    const ratings = async (): Promise<unknown> => {
      const said = await mesh.kubectl(
        ...['exec', 'deployment/reviews-v2', '-c', 'reviews', '--', 'curl', '-sS', 'http://ratings:9080/ratings/0'],
      );
      return (JSON.parse(said) as { ratings: unknown }).ratings;
    };

    /** The loader runs to its end; what it printed. */
    const runLoader = async (text: string, phase: 'Succeeded' | 'Failed'): Promise<string> => {
      await mesh.kubectl('delete', 'pod', 'setup', '--ignore-not-found');
      await world.apply(text);
      await mesh.kubectl('wait', `--for=jsonpath={.status.phase}=${phase}`, 'pod/setup', '--timeout=20s');
      return mesh.kubectl('logs', 'setup', '-c', 'setup');
    };
    const load = async (): Promise<void> => {
      expect(await runLoader(await world.config('mysql-data'), 'Succeeded')).toBe(
        'bookinfo_db has its book and its reviews.\n',
      );
      expect(await mesh.kubectl('get', 'pod', 'setup', '--no-headers')).toMatch(/^setup\s+\d\/2\s+Completed\s+0\s/);
    };

    const connection = async () => {
      const link = await world.connect('app=details');
      if (!('execute' in link)) throw new Error(link.reason);
      return link;
    };

    const metrics = async (labels: string): Promise<string> => {
      const { ip } = await world.pod(labels);
      return (await fetch(`http://${ip}:15090/stats/prometheus`)).text();
    };

    const proxyLog = async (labels: string): Promise<string> =>
      mesh.kubectl('logs', (await world.pod(labels)).name, '-c', 'istio-proxy');

    const podNames = (): Promise<string> => mesh.kubectl('get', 'pods', '-l', 'app!=setup', '-o', 'name');
    const restarts = async (): Promise<Set<string>> =>
      new Set(
        (await mesh.kubectl('get', 'pods', '--no-headers', '-l', 'app!=setup'))
          .trim()
          .split('\n')
          .map((line) => line.split(/\s+/)[3]!),
      );
  });
}

type Secret = { readonly data: Readonly<Record<string, string>> };
const BOTH: Shown = [
  ['John Doe', 4],
  ['Jane Smith', 5],
];

const isWhole = ({ status, errors, body }: Page): boolean =>
  status === 200 &&
  errors.length === 0 &&
  ['272 pages', 'Simon and Schuster', '0743484886', '978-0743484886', 'John Doe', 'Jane Smith'].every((mark) =>
    body.includes(mark),
  );

/** Vitest's own limit ends it when that never comes. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
