/** B1–B7 in the mesh of docker-compose.yml: BookInfo's data in a database outside of it, which nobody reaches until it is declared. */
import { strict as assert } from 'node:assert';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EgressView } from '#control-api/egress.ts';
import { reviewers, series, shown, sum } from '../kit/book-page.ts';
import { startComposeMesh, type ComposeMesh } from '../kit/compose-mesh.ts';
import { docker, dockerReason } from '../kit/docker.ts';
import { KUBECTL } from '../kit/kubectl.ts';
import type { Page } from '../kit/page.ts';
import { lines, until } from '../kit/traffic-scenarios.ts';

const why = KUBECTL === null ? 'kubectl is not installed' : dockerReason();
const HOST = 'book-database.example.com';
const NO_DETAILS = 'Sorry, product details are currently unavailable for this book.';
const NO_REVIEWS = 'Be the first one to review this book!';
const BOTH = ['John Doe', 'Jane Smith'];
const USERS = ['details-v1', 'reviews-v1', 'reviews-v2', 'reviews-v3'];
const ENTRY = 'config/bookinfo-mysql/mysql-egress-dns.yaml';

describe.skipIf(why !== null)(`BookInfo's data outside the mesh${why === null ? '' : ` (left out: ${why})`}`, () => {
  let mesh: ComposeMesh;

  beforeAll(async () => {
    const env = { COMPOSE_PROFILES: 'database', MYSQL_DB_HOST: HOST, OUTBOUND_POLICY: 'REGISTRY_ONLY' };
    mesh = await startComposeMesh('lt-database', { env });
    await mesh.kubectl('apply', '-f', 'config/bookinfo-mysql/bookinfo-gateway.yaml');
    await mesh.settled();
  });
  afterAll(() => mesh?.[Symbol.asyncDispose]());

  test('B1: the loader has filled the database, and ended', async () => {
    await until(async () => (await mesh.inspect('mysql-setup')).State.Status === 'exited');
    expect((await mesh.inspect('mysql-setup')).State.ExitCode).toBe(0);
    expect(await mesh.logs('mysql-setup')).toContain('bookinfo_db has its book and its reviews.');
  });

  test('B3: nobody has declared the database: it is blocked, and the page is 200 and says so', async () => {
    for (const page of await mesh.pages(6)) expect(state(page)).toEqual({ status: 200, details: false, reviewers: [] });
  });

  test('B3: `lateen egress`, metrics and log name who was kept from where', async () => {
    const place = `${await databaseIp()}:3306`;
    const blocked = async (): Promise<string[]> =>
      (await egress())
        .filter(({ verdict }) => verdict === 'blocked')
        .map((row) => `${row.workload} ${row.address}:${row.port}`);
    await expect
      .poll(blocked, { timeout: 10_000 })
      .toEqual(expect.arrayContaining(USERS.map((name) => `${name} ${place}`)));
    expect((await mesh.lateen('egress', '--blocked')).stdout).toMatch(/^details-v1 .* 3306 +tcp +blocked /m);
    const counted = series(await metrics('details-v1'), 'istio_tcp_connections_opened_total', 'BlackHoleCluster');
    expect(counted).toEqual([expect.stringContaining(`destination_service="${place}"`)]);
    let line: string | undefined;
    await until(async () => {
      line = lines(await mesh.logs('reviews-v2-sidecar')).find((each) => each.includes('"BlackHoleCluster"'));
      return line !== undefined;
    });
    expect(JSON.parse(line!)).toMatchObject({
      downstream_local_address: place,
      reason: expect.stringContaining('REGISTRY_ONLY); ./lateen egress --propose shows a ServiceEntry'),
    });
    const problem = /"path":"\/details\/0","status":500,.*"problem":"/;
    await until(async () => problem.test(await mesh.logs('details-v1')));
  });

  test('B4: a ServiceEntry of its name lets it out, with nothing restarted', async () => {
    const before = await started();
    // Its name has an address that the sidecars answer with: nothing to warn of.
    expect(await mesh.tryKubectl(['apply', '-f', ENTRY])).toMatchObject({ code: 0, stderr: '' });
    await mesh.settled();
    expect(await perColour()).toEqual({ none: [0, 0], black: [4, 5], red: [4, 5] });
    expect(await started()).toEqual(before);
    for (const what of ['connections_opened', 'sent_bytes', 'received_bytes'])
      await until(async () => {
        const counted = series(await metrics('details-v1'), `istio_tcp_${what}_total`, `destination_service="${HOST}"`);
        return sum(counted) > 0;
      });
    const allowed = { workload: 'details-v1', verdict: 'allowed', by: 'ServiceEntry default/mysql-cloud' };
    await until(async () => (await egress()).some((row) => row.workload === 'details-v1' && row.verdict === 'allowed'));
    expect(await egress()).toContainEqual(expect.objectContaining(allowed));
  });

  test('B6: a review is posted through the mesh and leads back to the page; all are deleted', async () => {
    const form = new URLSearchParams({ reviewer: 'Ann', rating: '3', review: 'Good fun' });
    const posted = await fetch(`${mesh.gateway}/postReview`, { method: 'POST', body: form, redirect: 'manual' });
    expect([posted.status, posted.headers.get('location')]).toEqual([302, `${mesh.gateway}/productpage`]);
    expect(await perColour()).toEqual({ none: [0, 0, 0], black: [4, 5, 3], red: [4, 5, 3] });
    const removed = await fetch(`${mesh.gateway}/deleteReviews`, { redirect: 'manual' });
    expect(removed.status).toBe(302);
    for (const page of await mesh.pages(3)) expect(state(page)).toEqual({ status: 200, details: true, reviewers: [] });
    // The loader run once more makes the data anew.
    await mesh.compose(['run', '--rm', '-T', '-e', 'MYSQL_SETUP_KEEP=false', 'mysql-setup']);
    expect(reviewers(await mesh.page())).toEqual(BOTH);
  });

  test('B4: without the ServiceEntry new connections are blocked again', async () => {
    await mesh.kubectl('delete', '-f', ENTRY);
    await mesh.settled();
    // What is open lives on; the database cuts it.
    await docker(['restart', '--time', '2', await mesh.project.container('mysql')]);
    await until(async () => !state(await mesh.page()).details);
    for (const page of await mesh.pages(3)) expect(state(page)).toMatchObject({ status: 200, reviewers: [] });
    await mesh.kubectl('apply', '-f', ENTRY);
    await mesh.settled();
    await until(async () => (await mesh.pages(3)).every(isWhole));
  });

  test('a wrong password: the page is 200, and every log says what it is; the right one heals it', async () => {
    const up = ['up', '--detach', '--no-deps', 'details-v1', 'mysql-setup'];
    await mesh.compose(up, { MYSQL_DB_PASSWORD: 'wrong' });
    await mesh.whole();
    await until(async () => !state(await mesh.page()).details);
    expect((await mesh.page()).status).toBe(200);
    for (const service of ['details-v1', 'mysql-setup', 'mysql'])
      await until(async () => /Access denied for user 'book_user'/.test(await mesh.logs(service)));
    await mesh.compose(up);
    await until(async () => (await mesh.pages(3)).every(isWhole));
    await until(async () => (await mesh.inspect('mysql-setup')).State.Status === 'exited');
    expect((await mesh.inspect('mysql-setup')).State.ExitCode).toBe(0);
  });

  test('B5: beside the ranges of the mesh nothing is redirected: no ServiceEntry, and the sidecars see no connection', async () => {
    await mesh.kubectl('delete', '-f', ENTRY);
    const subnet = await docker([
      'network',
      'inspect',
      '--format',
      '{{(index .IPAM.Config 0).Subnet}}',
      'lt-database_mesh',
    ]);
    const ranges = { INCLUDE_OUTBOUND_IP_RANGES: `${subnet.trim()},10.96.0.0/16,240.240.0.0/16` };
    await mesh.compose(['up', '--detach'], ranges);
    await mesh.whole();
    await until(async () => (await mesh.pages(3)).every(isWhole));
    for (const workload of USERS)
      expect(series(await metrics(workload), 'istio_tcp_connections_opened_total', '')).toEqual([]);
    // Rules of the mesh hold as before.
    await mesh.kubectl('apply', '-f', 'config/bookinfo/mixer-rule-deny-label.yaml');
    await mesh.settled();
    const colours = (await mesh.pages(6)).map(({ colour }) => colour);
    expect(new Set(colours)).toEqual(new Set(['none', 'black']));
  });

  test('B7: the rules and the gateway go and come back; the control plane lives', async () => {
    await mesh.kubectl('delete', '-f', 'config/bookinfo/mixer-rule-deny-label.yaml');
    await mesh.kubectl('delete', 'gateways,virtualservices', '--all');
    await mesh.settled();
    await until(async () => (await mesh.page().catch(() => null))?.status !== 200);
    await mesh.kubectl('apply', '-f', 'config/bookinfo-mysql/bookinfo-gateway.yaml');
    await mesh.settled();
    expect(Object.keys(await perColour()).sort()).toEqual(['black', 'none', 'red']);
  });

  const egress = async (): Promise<readonly EgressView[]> =>
    JSON.parse((await mesh.lateen('egress', '-o', 'json')).stdout) as EgressView[];
  const databaseIp = async (): Promise<string> =>
    (
      await docker([
        ...['inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'],
        await mesh.project.container('mysql'),
      ])
    ).trim();
  const metrics = async (pod: string): Promise<string> => {
    const ip = await mesh.kubectl('get', 'pod', pod, '-o', 'jsonpath={.status.podIP}');
    return (await fetch(`http://${ip}:15090/stats/prometheus`)).text();
  };
  const started = async (): Promise<string[]> =>
    Promise.all(USERS.map(async (name) => (await mesh.inspect(name)).State.StartedAt));

  /** By colour: the stars of each review, on one page of each version of reviews. */
  const perColour = async (): Promise<Record<string, number[]>> =>
    Object.fromEntries((await mesh.pages(3)).map((page) => [page.colour, shown(page).map(([, stars]) => stars)]));
});

const state = (page: Page): { status: number; details: boolean; reviewers: string[] } => {
  assert.equal(page.body.includes(NO_DETAILS), !page.body.includes('272 pages'));
  assert.equal(page.body.includes(NO_REVIEWS), reviewers(page).length === 0);
  return { status: page.status, details: page.body.includes('272 pages'), reviewers: reviewers(page) };
};
const isWhole = (page: Page): boolean =>
  page.status === 200 && page.body.includes('272 pages') && reviewers(page).join() === BOTH.join();
