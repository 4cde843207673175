/** What leaves the mesh: blocked by default under REGISTRY_ONLY, and let out by a ServiceEntry, for TCP and for HTTP. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startMysqlServer, type MysqlServer } from '#bookinfo/mysql/server/server.ts';
import { startMesh, type Mesh } from '../kit/mesh.ts';
import { KUBECTL } from '../kit/kubectl.ts';

const kubectlIsThere = KUBECTL !== null;

describe.skipIf(!kubectlIsThere)('B3, B4: hosts outside the mesh', () => {
  let mesh: Mesh;
  let database: MysqlServer;
  let mysql: Awaited<ReturnType<typeof hostOutside>>;
  let books: Awaited<ReturnType<typeof hostOutside>>;

  beforeAll(async () => {
    database = await startMysqlServer({
      host: '127.0.0.1',
      port: 0,
      data: ':memory:',
      users: new Map([['root', 'password']]),
    });
    const { port } = database;
    mysql = await hostOutside(
      createServer((socket) => {
        const far = connect(port, '127.0.0.1');
        socket.on('error', () => far.destroy()).pipe(far);
        far.on('error', () => socket.destroy()).pipe(socket);
      }),
    );
    books = await hostOutside(createHttpServer((_, response) => response.end('from outside\n')));
    mesh = await startMesh({ empty: true });
    for (const name of [
      'bookinfo',
      'bookinfo-gateway',
      'destination-rule-all',
      'virtual-service-reviews-v3',
      'sidecar-registry-only',
    ])
      await mesh.kubectl('apply', '-f', `config/bookinfo/${name}.yaml`);
    await put(RATINGS_ON_MYSQL);
    await mesh.kubectl('wait', '--for=condition=Available', 'deployment', '--all', '--timeout=60s');
    await mesh.settled();
  });
  afterAll(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await mysql?.close();
    await database?.close();
    await books?.close();
  });

  test('B3: a database that the mesh does not know is not reached; the page stays 200', async () => {
    const page = await mesh.page();
    expect([page.status, page.errors]).toEqual([200, [UNAVAILABLE, UNAVAILABLE]]);
    expect(await askRatings()).toBe('{"error":"could not connect to ratings database"}');
    expect(mysql.connections()).toBe(0);
  });

  test('B3: the block is counted as traffic to BlackHoleCluster', async () => {
    const counted = (await metrics())
      .split('\n')
      .filter((line) => line.startsWith('istio_tcp_connections_opened_total') && line.includes('BlackHoleCluster'));
    expect(counted.length).toBeGreaterThan(0);
  });

  test('B4: a ServiceEntry lets it out, without a restart; without it new connections are blocked again', async () => {
    const entry = serviceEntry(
      'mysql-external',
      'mysql.example.com',
      { number: 3306, name: 'tcp-mysql', protocol: 'TCP' },
      mysql.port,
    );
    await put(entry);
    expect(await askRatings()).toBe('{"id":0,"ratings":{"Reviewer1":5,"Reviewer2":4}}');
    const reached = mysql.connections();
    expect(reached).toBeGreaterThan(0);
    expect(await metrics()).toMatch(/istio_tcp_connections_opened_total\{[^}]*mysql\.example\.com/);
    await mesh.kubectl('delete', 'serviceentry', 'mysql-external');
    await mesh.settled();
    // What is open lives on.
    expect(await askRatings()).toBe('{"id":0,"ratings":{"Reviewer1":5,"Reviewer2":4}}');
    mysql.cut();
    expect(await askRatings()).toBe('{"error":"could not connect to ratings database"}');
    expect(mysql.connections()).toBe(reached);
  });

  test('I7: an HTTP host is 502 until a ServiceEntry adds it to the registry', async () => {
    expect(await curl('http://books.example.com/')).toBe('502');
    await put(serviceEntry('books', 'books.example.com', { number: 80, name: 'http', protocol: 'HTTP' }, books.port));
    expect(await curl('http://books.example.com/')).toBe('200');
    expect(books.connections()).toBeGreaterThan(0);
    await mesh.kubectl('delete', 'serviceentry', 'books');
    await mesh.settled();
    expect(await curl('http://books.example.com/')).toBe('502');
  });

  const put = async (resource: object): Promise<void> => {
    const { code, stderr } = await mesh.tryKubectl(['apply', '-f', '-'], JSON.stringify(resource));
    if (code !== 0) throw new Error(stderr);
    await mesh.settled();
  };

  const inRatings = (...command: string[]): Promise<string> =>
    mesh.kubectl('exec', 'deployment/ratings-v2-mysql', '-c', 'ratings', '--', ...command);
  /** Its own service, by way of the mesh. */
  const askRatings = (): Promise<string> => inRatings('curl', '-sS', 'http://ratings:9080/ratings/0');
  const curl = (url: string): Promise<string> => inRatings('curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', url);

  const metrics = async (): Promise<string> => {
    const ip = await mesh.kubectl('get', 'pod', '-l', 'version=v2-mysql', '-o', 'jsonpath={.items[0].status.podIP}');
    return (await fetch(`http://${ip}:15090/stats/prometheus`)).text();
  };
});

const UNAVAILABLE = 'Ratings service is currently unavailable';

/** Ratings v2 on MySQL in place of ratings v1; it reaches the database at the port its sidecar opens on the Pod's address. */
const RATINGS_ON_MYSQL = {
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'ratings-v2-mysql' },
      spec: {
        selector: { matchLabels: { app: 'ratings', version: 'v2-mysql' } },
        template: {
          metadata: { labels: { app: 'ratings', version: 'v2-mysql' } },
          spec: {
            containers: [
              {
                name: 'ratings',
                image: 'registry.istio.io/release/examples-bookinfo-ratings-v2:1.20.3',
                ports: [{ containerPort: 9080 }],
                env: [
                  { name: 'DB_TYPE', value: 'mysql' },
                  { name: 'MYSQL_DB_HOST', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
                  { name: 'MYSQL_DB_PORT', value: '3306' },
                  { name: 'MYSQL_DB_USER', value: 'root' },
                  { name: 'MYSQL_DB_PASSWORD', value: 'password' },
                ],
              },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'ratings' },
      spec: { hosts: ['ratings'], http: [{ route: [{ destination: { host: 'ratings', subset: 'v2-mysql' } }] }] },
    },
  ],
};

const serviceEntry = (
  name: string,
  host: string,
  port: { name: string; number: number; protocol: string },
  at: number,
): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name },
  spec: {
    hosts: [host],
    location: 'MESH_EXTERNAL',
    resolution: 'STATIC',
    ports: [port],
    endpoints: [{ address: '127.0.0.1', ports: { [port.name]: at } }],
  },
});

/** A server on a free port of this machine that counts who comes. */
async function hostOutside(server: Server) {
  let connections = 0;
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    connections++;
    sockets.add(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    cut,
    close: () => {
      cut();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
