/**
 * Part B of the IBM pattern as in a cluster: details and productpage in pods whose connections are redirected, MariaDB on a machine outside of the
 * mesh, and a caller at the door. No application knows of any proxy.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { MARIADB, startMariadb, type Mariadb } from '../kit/mariadb.ts';
import { startNetwork, whyNoNamespaces, type Host, type Network, type Ran, type Running } from '../kit/namespace.ts';

const why = MARIADB ? whyNoNamespaces(['iptables', 'ip6tables', 'curl']) : 'MariaDB is not installed';
const required = process.env['LATEEN_REQUIRE_TOOLS'] === '1';
test.runIf(required)('the pattern can be tried in namespaces where it is required', () => assert.equal(why, null));

const APP = { uid: 1000 };
const PROXY = { uid: 1337 };
/** Addresses of Services: nobody has them. */
const SERVICES = '10.203.200.0/24';
const DETAILS = '10.203.200.1';

describe.skipIf(why !== null)(`the pattern in namespaces${why === null ? '' : ` (left out: ${why})`}`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'lateen-pattern-'));
  let network: Network;
  let database: Mariadb;
  let details: Host;
  let productpage: Host;
  let caller: Host;
  let sidecar: Running;

  beforeAll(async () => {
    network = await startNetwork();
    const mysql = await network.host('mysql');
    details = await network.host('details');
    productpage = await network.host('productpage');
    caller = await network.host('caller');
    write('registry', registry(details.ip));
    write('rules', RULES);
    database = await startMariadb(mysql.ip, [], mysql.name);
    const credentials = {
      MYSQL_DB_HOST: mysql.ip,
      MYSQL_DB_PORT: '3306',
      MYSQL_DB_USER: 'book_user',
      MYSQL_DB_PASSWORD: 'password',
    };
    const loaded = await mysql.run('./lateen', ['bookinfo', 'mysql-setup'], { env: credentials });
    assert.equal(loaded.code, 0, loaded.stderr);
    for (const pod of [details, productpage]) await iptables(pod);
    const [started] = await Promise.all([
      startSidecar(details, 'details'),
      startSidecar(productpage, 'productpage'),
      startApp(details, 'details', credentials),
      startApp(productpage, 'productpage', { DETAILS_HOSTNAME: DETAILS, REVIEWS_HOSTNAME: '10.203.200.2' }),
    ]);
    sidecar = started;
  });
  afterAll(async () => {
    await network?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const write = (name: string, text: string): void => {
    writeFileSync(join(directory, `.${name}`), text);
    renameSync(join(directory, `.${name}`), join(directory, `${name}.yaml`));
  };
  const remove = (name: string): void => rmSync(join(directory, `${name}.yaml`));

  const iptables = async (pod: Host, ...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await pod.run('./lateen', ['iptables', ...args]);
    assert.equal(code, 0, stderr);
  };

  const startApp = (pod: Host, name: string, env: Record<string, string>): Promise<Running> => {
    const service = name === 'details' ? { SERVICE_VERSION: 'v1' } : {};
    const how = { ...APP, env: { ...env, ...service, LISTEN_HOST: '0.0.0.0' }, ready: /"listening"/ };
    return pod.start('./lateen', ['bookinfo', name, '9080'], how);
  };

  const startSidecar = async (pod: Host, app: string): Promise<Running> => {
    const node = ['--ip', pod.ip, '--labels', `app=${app},version=v1`, '--workload', `${app}-v1`];
    const flags = ['--interception-mode', 'REDIRECT', '--outbound-policy', 'REGISTRY_ONLY', '--config', directory];
    const started = await pod.start('./lateen', ['sidecar', ...node, ...flags], { ...PROXY, ready: /compiled/ });
    await until(async () => (await curl(pod, `http://${pod.ip}:15021/healthz/ready`)).status === 200);
    return started;
  };

  type Answer = { readonly status: number; readonly ms: number; readonly head: string; readonly body: string };
  /** Status 0: no answer. */
  const curl = async (from: Host, url: string, ...more: readonly string[]): Promise<Answer> => {
    const started = performance.now();
    const { stdout } = await from.run('curl', ['-si', '--max-time', '10', ...more, url], APP);
    const [head = '', ...body] = stdout.split('\r\n\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
    return { status, ms: performance.now() - started, head, body: body.join('\r\n\r\n') };
  };
  const book = (from = caller): Promise<Answer> => curl(from, `http://${details.ip}:9080/details/0`);

  const metrics = async (): Promise<string> => (await curl(caller, `http://${details.ip}:15090/stats/prometheus`)).body;
  /** Of TCP, by name of the destination. */
  const counted = async (what: string, destination: string): Promise<number> =>
    (await metrics())
      .split('\n')
      .filter((line) => line.startsWith(`istio_tcp_${what}_total{`) && line.includes(`="${destination}"`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);

  const firstBytes = (as: { readonly uid: number }, times: number): Promise<Ran> => {
    const task = JSON.stringify({ host: database.host, port: database.port, times });
    return details.run(process.execPath, ['test/namespaces/first-bytes.ts', task], as);
  };
  const isBlocked = async (): Promise<boolean> => (await firstBytes(APP, 1)).stderr.includes('ECONNRESET');

  test('B3: the database is blocked at once, and counted and logged with its address', async () => {
    const answer = await book();
    assert.deepEqual([answer.status, answer.body], [500, '{"error":"the database is unavailable"}']);
    assert.ok(answer.ms < 1000, `${answer.ms} ms`);
    assert.ok(await isBlocked());
    const place = `${database.host}:${database.port}`;
    await sidecar.printed(new RegExp(`"downstream_local_address":"${place}"`));
    const line = logLines().find((l) => l['downstream_local_address'] === place);
    assert.equal(line?.['upstream_cluster'], 'BlackHoleCluster');
    assert.equal(await counted('connections_opened', 'BlackHoleCluster'), 2);
    assert.match(
      await metrics(),
      new RegExp(`destination_service="${place}"[^\n]*destination_service_name="BlackHole`),
    );
    const page = await curl(caller, `http://${productpage.ip}:9080/productpage`);
    assert.equal(page.status, 200);
    assert.match(page.body, /Sorry, product details are currently unavailable for this book\./);
  });

  test('B4: a ServiceEntry lets it out without a restart', async () => {
    write('mysql', ENTRY(database.host));
    await until(async () => (await book()).status === 200);
    assert.match((await book()).body, /"pages":272,"publisher":"Simon and Schuster"/);
    const page = await curl(caller, `http://${productpage.ip}:9080/productpage`);
    assert.match(page.body, /978-0743484886/);
    assert.ok((await counted('connections_opened', 'book-database.example.com')) >= 1);
  });

  test('B4: the server speaks first, and the proxy does not wait for the client', async () => {
    const [through, direct] = await Promise.all(
      [APP, PROXY].map(async (as) => {
        const { stdout, stderr } = await firstBytes(as, 20);
        assert.equal(stderr, '');
        return median(JSON.parse(stdout) as number[]);
      }),
    );
    assert.ok(through! < direct! + 100, `${through} ms through the proxy, ${direct} ms direct`);
    await until(async () => (await counted('connections_closed', 'book-database.example.com')) >= 20);
    assert.ok((await counted('sent_bytes', 'book-database.example.com')) > 1000);
  });

  test('HTTP between redirected pods is routed by its rules, at the port it was sent to', async () => {
    const asked = { path: `http://${DETAILS}:9080/details/0` };
    const plain = await curl(productpage, asked.path);
    assert.deepEqual([plain.status, /^x-routed: (.*)\r?$/m.exec(plain.head)?.[1]], [200, 'to v1']);
    // The port is that of the connection, whatever Host says.
    const byName = await curl(productpage, asked.path, '-H', 'Host: details');
    assert.deepEqual([byName.status, /^x-routed: (.*)\r?$/m.exec(byName.head)?.[1]], [200, 'to v1']);
    assert.equal((await curl(productpage, asked.path, '-H', 'end-user: jason')).status, 418);
    assert.equal((await curl(productpage, `http://${DETAILS}:9081/`)).status, 0);
  });

  test('B4: when the ServiceEntry goes, new connections are blocked, and open ones live on', async () => {
    assert.equal((await book()).status, 200);
    remove('mysql');
    await until(isBlocked);
    assert.equal((await book()).status, 200);
    await database.signal('SIGKILL');
    await database.start();
    assert.equal((await book()).status, 500);
  });

  test('B5: an excluded range passes the proxy by: it sees nothing, and still polices what comes in', async () => {
    await iptables(details, '-x', `${database.host}/32`);
    const before = await metrics();
    const printed = sidecar.output().length;
    assert.equal((await firstBytes(APP, 1)).stderr, '');
    assert.match((await book()).body, /"pages":272/);
    assert.deepEqual(tcpSeries(await metrics()), tcpSeries(before));
    const since = (): string => sidecar.output().slice(printed);
    await until(() => Promise.resolve(since().includes('"path":"/details/0"')));
    assert.doesNotMatch(since(), /:3306/);
    write('deny', DENY(caller.ip));
    await until(async () => (await book()).status === 403);
    assert.equal((await book()).body, 'RBAC: access denied');
    assert.equal((await curl(productpage, `http://${DETAILS}:9080/details/0`)).status, 200);
    const page = await curl(caller, `http://${productpage.ip}:9080/productpage`);
    assert.match(page.body, /272 pages/);
    remove('deny');
    await until(async () => (await book()).status === 200);
  });

  test('B5: of included ranges alone, the others pass the proxy by, and rules in the mesh hold', async () => {
    for (const pod of [details, productpage]) await iptables(pod, '-i', SERVICES);
    const before = await metrics();
    assert.equal((await book()).status, 200);
    assert.equal((await firstBytes(APP, 1)).stderr, '');
    assert.deepEqual(tcpSeries(await metrics()), tcpSeries(before));
    const routed = await curl(productpage, `http://${DETAILS}:9080/details/0`);
    assert.match(routed.head, /^x-routed: to v1\r?$/m);
  });

  const logLines = (): Record<string, unknown>[] =>
    sidecar
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{"start_time"') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
});

const tcpSeries = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('istio_tcp_'));

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** What a cluster would tell: Services with their addresses, and the pod behind details. */
const registry = (pod: string): string => `
apiVersion: v1
kind: Service
metadata: { name: details, namespace: default }
spec: { clusterIP: ${DETAILS}, selector: { app: details }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: productpage, namespace: default }
spec: { clusterIP: 10.203.200.3, selector: { app: productpage }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: details-1, namespace: default, labels: { kubernetes.io/service-name: details } }
addressType: IPv4
ports: [{ name: http, port: 9080 }]
endpoints: [{ addresses: [${pod}], conditions: { ready: true } }]
`;

const RULES = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: details, namespace: default }
spec:
  hosts: [details]
  http:
    - match: [{ headers: { end-user: { exact: jason } } }]
      fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }
      route: [{ destination: { host: details } }]
    - route: [{ destination: { host: details } }]
      headers: { response: { set: { x-routed: to v1 } } }
`;

const ENTRY = (address: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: mysql-cloud, namespace: default }
spec:
  hosts: [book-database.example.com]
  addresses: [${address}]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 3306, name: tcp-mysql, protocol: TCP }]
  endpoints: [{ address: ${address} }]
`;

const DENY = (address: string): string => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: not-from-outside, namespace: default }
spec:
  selector: { matchLabels: { app: details } }
  action: DENY
  rules: [{ from: [{ source: { ipBlocks: [${address}] } }], to: [{ operation: { ports: ['9080'] } }] }]
`;

/** Vitest's own limit ends it when that never comes. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
