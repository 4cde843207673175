/** BookInfo's five hops in proxies of this process: what new-metrics-rule.yaml and custom-telemetry.yaml count and log of them. */
import { readFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compile } from '#proxy/compile/compile.ts';
import { DEFAULT_MESH } from '#proxy/compile/defaults.ts';
import { canonicalOf } from '#proxy/compile/workloads.ts';
import { parseText } from '#proxy/istio/parse.ts';
import { ResourceSet } from '#proxy/istio/resource.ts';
import type { ProxyNode } from '#proxy/snapshot/node.ts';
import { seriesPages } from '#proxy/telemetry/exposition-writer.ts';
import { NODE, startProxy, type TestProxy } from '../kit/proxy.ts';

const GATEWAY = 'istio-ingressgateway';
const IPS: Readonly<Record<string, string>> = {
  [GATEWAY]: '127.63.0.1',
  productpage: '127.63.0.2',
  details: '127.63.0.3',
  reviews: '127.63.0.4',
  ratings: '127.63.0.5',
};
/** Whom each application asks for its answer. */
const ASKS: Readonly<Record<string, readonly string[]>> = { productpage: ['details', 'reviews'], reviews: ['ratings'] };
const MESH = { ...DEFAULT_MESH, accessLog: false };

const namespaceOf = (app: string): string => (app === GATEWAY ? 'istio-system' : 'default');

/** A Service, its endpoint and its pod. */
const running = (app: string): string => `
apiVersion: v1
kind: Service
metadata: { name: ${app}, namespace: ${namespaceOf(app)} }
spec: { selector: { app: ${app} }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${app}-1, namespace: ${namespaceOf(app)}, labels: { kubernetes.io/service-name: ${app} } }
addressType: IPv4
ports: [{ name: http, port: 9080 }]
endpoints: [{ addresses: ['${IPS[app]}'], conditions: { ready: true } }]
---
apiVersion: v1
kind: Pod
metadata: { name: ${app}-0, namespace: ${namespaceOf(app)}, labels: { app: ${app}, version: v1 } }
spec: { containers: [{ name: app, image: app }] }
status: { podIP: ${IPS[app]}, phase: Running, conditions: [{ type: Ready, status: 'True' }] }
---`;

const MESH_YAML = `${Object.keys(IPS).map(running).join('')}
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: bookinfo }
spec: { selector: { app: ${GATEWAY} }, servers: [{ port: { number: 9080, name: http, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bookinfo }
spec: { hosts: ['*'], gateways: [bookinfo], http: [{ route: [{ destination: { host: productpage, port: { number: 9080 } } }] }] }
`;

/** The published form has every document twice. */
const twice = (file: string): string => {
  const text = readFileSync(`config/bookinfo/${file}.yaml`, 'utf8');
  return `---\n${text}\n---\n${text}`;
};

type Hop = { readonly proxy: TestProxy; readonly node: ProxyNode; readonly app: Server | null };

function get(host: string, port: number, headers: Record<string, string>): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  request({ host, port, headers, agent: false }, (response: IncomingMessage) => {
    response.resume().on('end', () => resolve(response.statusCode ?? 0));
  })
    .on('error', reject)
    .end();
  return promise;
}

/** Answers when those it asks have answered, by way of its own sidecar. */
function application(app: string): Server {
  return createServer((_, response) => {
    const asked = (ASKS[app] ?? []).map((other) =>
      get(IPS[app]!, DEFAULT_MESH.ports.outbound, { host: `${other}:9080` }),
    );
    void Promise.all(asked).then((statuses) => response.writeHead(Math.max(200, ...statuses)).end('x'.repeat(178)));
  });
}

async function start(app: string): Promise<Hop> {
  const server = app === GATEWAY ? null : application(app).listen(0, '127.0.0.1');
  if (server !== null) await new Promise((resolve) => server.once('listening', resolve));
  const labels = { app, version: 'v1' };
  const node: ProxyNode = {
    ...NODE,
    ...canonicalOf(labels, app),
    role: app === GATEWAY ? 'gateway' : 'sidecar',
    name: `${app}-0`,
    namespace: namespaceOf(app),
    workload: app,
    labels,
    ip: IPS[app]!,
    appPorts: server === null ? {} : { 9080: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } },
  };
  return { proxy: await startProxy({ node }), node, app: server };
}

/** `source -> destination: value` of all series of a name, from all proxies. */
function counted(hops: readonly Hop[], name: string): string[] {
  return hops
    .flatMap(({ proxy }) => [...seriesPages(proxy.series, 'text')].join('').split('\n'))
    .filter((line) => line.startsWith(`${name}{`))
    .map((line) => line.slice(name.length))
    .sort();
}

describe('metrics and logs of your own', () => {
  let hops: readonly Hop[];

  beforeAll(async () => {
    hops = await Promise.all(Object.keys(IPS).map(start));
    await apply('');
  });
  afterAll(async () => {
    for (const { proxy, app } of hops) {
      await proxy[Symbol.asyncDispose]();
      app?.close();
    }
  });

  async function apply(more: string): Promise<void> {
    const { resources, problems } = parseText(MESH_YAML + more, { defaultNamespace: 'default' });
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    for (const { proxy, node } of hops) {
      const { snapshot, discovery } = compile(new ResourceSet(resources), node, MESH);
      await proxy.apply(snapshot, discovery);
    }
  }

  async function pages(count: number): Promise<void> {
    for (let i = 0; i < count; i++) expect(await get(IPS[GATEWAY]!, 9080, { host: 'bookinfo' })).toBe(200);
  }

  const double = (suffix: string, value: number): string[] =>
    [
      ['details', 'productpage'],
      [GATEWAY, 'unknown'],
      ['productpage', GATEWAY],
      ['ratings', 'reviews'],
      ['reviews', 'productpage'],
    ]
      .map(([to, from]) => {
        const host = (app: string): string => `${app}.${namespaceOf(app)}.svc.cluster.local`;
        const source = from === 'unknown' ? from : suffix === '' ? from! : host(from!);
        return `{source="${source}",destination="${host(to!)}",message="twice the fun!"} ${value}`;
      })
      .sort();

  test('each request counts twice, once a hop; definitions come and go without a restart', async () => {
    await pages(1);
    expect(counted(hops, 'istio_double_request_count')).toEqual([]);

    await apply(twice('new-metrics-rule'));
    await pages(3);
    await expect.poll(() => counted(hops, 'istio_double_request_count')).toEqual(double('host', 6));
    // What stays the same keeps its series, whatever else comes.
    await apply(twice('new-metrics-rule') + twice('custom-telemetry'));
    await pages(2);
    await expect.poll(() => counted(hops, 'istio_double_request_count')).toEqual(double('host', 10));
    await expect.poll(() => counted(hops, 'double_request_count')).toEqual(double('', 4));

    await apply('');
    expect(counted(hops, 'istio_double_request_count')).toEqual([]);
    expect(counted(hops, 'double_request_count')).toEqual([]);
    await pages(1);
    expect(counted(hops, 'istio_double_request_count')).toEqual([]);

    await apply(twice('new-metrics-rule'));
    await pages(1);
    await expect.poll(() => counted(hops, 'istio_double_request_count')).toEqual(double('host', 2));
  });

  test('each request is one line a hop', async () => {
    const lines: Record<string, unknown>[] = [];
    for (const { proxy } of hops) lines.push(...(await proxy.log()));
    const newlog = lines.filter((line) => line['instance'] === 'newlog.logentry.istio-system');
    const by = Object.groupBy(newlog, (line) => `${String(line['source'])} > ${String(line['destination'])}`);
    expect(Object.fromEntries(Object.entries(by).map(([hop, of]) => [hop, of?.length]))).toEqual({
      [`unknown > ${GATEWAY}`]: 6,
      [`${GATEWAY} > productpage`]: 6,
      'productpage > details': 6,
      'productpage > reviews': 6,
      'reviews > ratings': 6,
    });
    const line = by['productpage > details']![0]!;
    expect(Object.keys(line).join(' ')).toBe(
      'level ts instance destination latency responseCode responseSize source user',
    );
    expect(line).toMatchObject({ level: 'warn', responseCode: 200, responseSize: 178, user: 'unknown' });
    expect(line['ts']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(line['latency']).toMatch(/^\d+(\.\d+)?(µs|ms|s)$/);
    expect(lines.filter((of) => of['instance'] === 'newlog.istio-system')).toHaveLength(10);
    expect(lines).toHaveLength(40);
  });
});
