/** Traffic of every kind on BookInfo, for as long as it is looked at: pages, faults, denials, TCP, and calls that leave the mesh or try to. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import type { Mesh } from '../kit/mesh.ts';
import { pause } from '../kit/prometheus-on-mesh.ts';

/** Where a workload's own sidecar lets its TCP out: into the mesh, to a host outside, and to one that nobody declared. */
const PORTS = { mysqldb: 3306, outside: 3307, nowhere: 3308 };

/** Resolves when everything is set up; from then on traffic flows until it is disposed of. */
export async function startTraffic(mesh: Mesh): Promise<AsyncDisposable> {
  const books = await listen(createHttpServer((_, response) => response.end('from outside\n')));
  const store = await listen(createServer((socket) => socket.on('error', () => {}).pipe(socket)));
  const leash = await listen(createServer((socket) => socket.on('error', () => {}).resume()));
  const files = ['destination-rule-all', 'authorization-policy-deny-label'].flatMap((name) => [
    '-f',
    `config/bookinfo/${name}.yaml`,
  ]);
  const apply = ['apply', '-f', '-'];
  const [{ code, stderr }] = await Promise.all([
    mesh.tryKubectl([...apply, ...files], JSON.stringify(resources(books.port, store.port))),
    // What is refused counts, too.
    mesh.tryKubectl(apply, JSON.stringify(resource('VirtualService', 'wrong', { hosts: 'no list' }))),
  ]);
  if (code !== 0) throw new Error(stderr);
  await mesh.kubectl('wait', '--for=condition=Available', 'deployment', '--all', '--timeout=60s');
  await mesh.settled();

  const end = new AbortController();
  const keepAsking = async (path: string, every: number): Promise<void> => {
    while (!end.signal.aborted) {
      await (await fetch(mesh.gateway + path)).arrayBuffer();
      await pause(every);
    }
  };
  const loops = [
    keepAsking('/productpage', 100),
    keepAsking('/nowhere', 200),
    inPod(mesh, leash.port, 'ratings-v1', 'ratings', [
      ...Object.values(PORTS).map((port) => `tcp(${port})`),
      `http('http://books.example.com/')`,
      `http('http://blocked.example.com/')`,
    ]),
    inPod(mesh, leash.port, 'details-v1', 'details', [
      `http('http://127.0.0.1:${books.port}/')`,
      `http('http://undeclared.test/')`,
    ]),
  ];
  return {
    async [Symbol.asyncDispose]() {
      end.abort();
      await leash.close();
      await Promise.allSettled(loops);
      await books.close();
      await store.close();
    },
  };
}

/** Runs the calls again and again, in the pod, while its connection to `leash` is open. */
async function inPod(
  mesh: Mesh,
  leash: number,
  deployment: string,
  container: string,
  calls: readonly string[],
): Promise<void> {
  const program = `
    const net = require('node:net'), client = require('node:http');
    const proxy = new URL(process.env.http_proxy);
    const http = (path) => client.get({ host: proxy.hostname, port: proxy.port, path, headers: { host: new URL(path).host } },
      (r) => r.resume()).on('error', () => {});
    const tcp = (port) => net.connect(port, proxy.hostname, function () { this.write('hello'); }).on('data', function () { this.end(); })
      .on('error', () => {}).setTimeout(1000, function () { this.destroy(); });
    setInterval(() => { ${calls.join(';')} }, 200);
    net.connect(${leash}, '127.0.0.1').on('error', () => {}).on('close', () => process.exit());
  `;
  await mesh.tryKubectl(['exec', `deployment/${deployment}`, '-c', container, '--', process.execPath, '-e', program]);
}

function resources(books: number, store: number): object {
  const items = [
    deployment('mysqldb', 'lateen/bookinfo-mysql', PORTS.mysqldb),
    resource(
      'Service',
      'mysqldb',
      { selector: { app: 'mysqldb' }, ports: [{ name: 'tcp', port: PORTS.mysqldb }] },
      'v1',
    ),
    resource('ServiceEntry', 'books', outside('books.example.com', 80, 'http', books)),
    resource('ServiceEntry', 'store', outside('store.example.com', PORTS.outside, 'tcp', store)),
    resource('Sidecar', 'ratings', {
      workloadSelector: { labels: { app: 'ratings' } },
      outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' },
      egress: [
        egress(PORTS.mysqldb, './mysqldb.default.svc.cluster.local'),
        egress(PORTS.outside, './store.example.com'),
        egress(PORTS.nowhere, './nowhere.example.com'),
        { hosts: ['./*', 'istio-system/*'] },
      ],
    }),
    resource('VirtualService', 'details', {
      hosts: ['details'],
      http: [
        {
          fault: { abort: { httpStatus: 500, percentage: { value: 30 } } },
          route: [{ destination: { host: 'details', subset: 'v1' } }],
        },
      ],
    }),
  ];
  return { apiVersion: 'v1', kind: 'List', items };
}

const resource = (kind: string, name: string, spec: object, apiVersion = 'networking.istio.io/v1'): object => ({
  apiVersion,
  kind,
  metadata: { name },
  spec,
});

const egress = (number: number, host: string): object => ({
  port: { number, name: `tcp-${number}`, protocol: 'TCP' },
  captureMode: 'NONE',
  hosts: [host],
});

const outside = (host: string, number: number, name: string, at: number): object => ({
  hosts: [host],
  location: 'MESH_EXTERNAL',
  resolution: 'STATIC',
  ports: [{ number, name, protocol: name.toUpperCase() }],
  endpoints: [{ address: '127.0.0.1', ports: { [name]: at } }],
});

const deployment = (name: string, image: string, containerPort: number): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name, version: 'v1' } },
      spec: { containers: [{ name, image, ports: [{ containerPort }] }] },
    },
  },
});

async function listen(server: Server) {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
