/** Out of the mesh by way of an egress gateway, from Istio's resources to real sockets: HTTP, TLS by its server name, and TCP. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compile } from '#proxy/compile/compile.ts';
import { DEFAULT_MESH } from '#proxy/compile/defaults.ts';
import { parseText } from '#proxy/istio/parse.ts';
import { ResourceSet } from '#proxy/istio/resource.ts';
import type { ProxyNode } from '#proxy/snapshot/node.ts';
import { nodeHello } from '../kit/client-hello.ts';
import { NODE, rawOrigin, startProxy, type TestProxy } from '../kit/proxy.ts';

const SIDECAR = '127.41.0.1';
const GATEWAY = '127.41.0.2';
const PORT_MAP = { '80': 8080, '443': 8443, '3306': 13306 };

const resources = (http: number, tls: number, tcp: number): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ext }
spec:
  hosts: [www.example.com]
  addresses: [203.0.113.7]
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }, { number: 443, name: tls, protocol: TLS }, { number: 3306, name: tcp, protocol: TCP }]
  endpoints: [{ address: 127.0.0.1, ports: { http: ${http}, tls: ${tls}, tcp: ${tcp} } }]
---
apiVersion: v1
kind: Service
metadata: { name: egress, namespace: istio-system }
spec:
  clusterIP: 10.96.0.9
  selector: { istio: egress }
  ports: [{ name: http, port: 80, targetPort: 8080 }, { name: tls, port: 443, targetPort: 8443 }, { name: tcp, port: 3306, targetPort: 13306 }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: egress-1, namespace: istio-system, labels: { kubernetes.io/service-name: egress } }
addressType: IPv4
ports: [{ name: http, port: 8080 }, { name: tls, port: 8443 }, { name: tcp, port: 13306 }]
endpoints: [{ addresses: [${GATEWAY}], conditions: { ready: true } }]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: egress }
spec:
  selector: { istio: egress }
  servers:
    - { port: { number: 80, name: http, protocol: HTTP }, hosts: [www.example.com] }
    - { port: { number: 443, name: tls, protocol: TLS }, hosts: [www.example.com], tls: { mode: PASSTHROUGH } }
    - { port: { number: 3306, name: tcp, protocol: TCP }, hosts: [www.example.com] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ext }
spec:
  hosts: [www.example.com]
  gateways: [mesh, egress]
  http:
    - { match: [{ gateways: [mesh] }], route: [{ destination: { host: egress.istio-system.svc.cluster.local, port: { number: 80 } } }] }
    - { match: [{ gateways: [egress] }], route: [{ destination: { host: www.example.com, port: { number: 80 } } }] }
  tls:
    - { match: [{ gateways: [mesh], sniHosts: [www.example.com] }], route: [{ destination: { host: egress.istio-system.svc.cluster.local } }] }
    - { match: [{ gateways: [egress], sniHosts: [www.example.com] }], route: [{ destination: { host: www.example.com } }] }
  tcp:
    - { match: [{ gateways: [mesh] }], route: [{ destination: { host: egress.istio-system.svc.cluster.local } }] }
    - { match: [{ gateways: [egress] }], route: [{ destination: { host: www.example.com } }] }
`;

const to = (port: number, address = '203.0.113.7') => ({ address, port });
type Going = ReturnType<typeof to>;

async function run(yaml: string, node: Partial<ProxyNode>, redirect: (() => Going | null) | null): Promise<TestProxy> {
  const { resources: all } = parseText(yaml, { defaultNamespace: 'default' });
  const mesh = { ...DEFAULT_MESH, outboundTrafficPolicy: 'REGISTRY_ONLY' } as const;
  const { snapshot, discovery } = compile(new ResourceSet(all), { ...NODE, ...node }, mesh);
  const proxy = await startProxy(redirect === null ? {} : { redirect });
  await proxy.apply(snapshot, discovery);
  return proxy;
}

/** What comes back from the outbound port until the other end says good-bye. */
function sendTo(host: string, bytes: string | Buffer): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = '';
  const socket = connect({ host, port: DEFAULT_MESH.ports.outbound }, () => socket.write(bytes));
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('end', () => resolve(text)).on('error', () => resolve(`${text} reset`));
  return promise.finally(() => socket.destroy());
}

describe('an egress gateway', () => {
  let far: AsyncDisposable[];
  let sidecar: TestProxy;
  let gateway: TestProxy;
  let going = to(0);

  beforeAll(async () => {
    const http = await rawOrigin((s) =>
      s.once('data', () => s.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhttp')),
    );
    const tls = await rawOrigin((s) => s.once('data', (bytes: Buffer) => s.end(`tls ${bytes[0]}`)));
    const tcp = await rawOrigin((s) => s.end('greeting'));
    far = [http, tls, tcp];
    const yaml = resources(http.port, tls.port, tcp.port);
    gateway = await run(
      yaml,
      { role: 'gateway', namespace: 'istio-system', labels: { istio: 'egress' }, ip: GATEWAY, portMap: PORT_MAP },
      null,
    );
    sidecar = await run(yaml, { ip: SIDECAR }, () => going);
  });
  afterAll(async () => {
    await sidecar[Symbol.asyncDispose]();
    await gateway[Symbol.asyncDispose]();
    for (const origin of far) await origin[Symbol.asyncDispose]();
  });

  /** To that port of the address of www.example.com. */
  const send = (port: number, bytes: string | Buffer): Promise<string> => {
    going = to(port);
    return sendTo(SIDECAR, bytes);
  };

  test('is the way of HTTP, TLS and TCP that mesh rules send there, and its own rules send on', async () => {
    const request = 'GET / HTTP/1.1\r\nhost: www.example.com\r\nconnection: close\r\n\r\n';
    expect(await send(80, request)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*http$/);
    expect(await send(443, nodeHello({ servername: 'www.example.com' }))).toBe('tls 22');
    expect(await send(3306, '')).toBe('greeting');
    // A name that no rule is for: REGISTRY_ONLY keeps it in.
    expect(await send(443, nodeHello({ servername: 'other.example.com' }))).toMatch(/^( reset)?$/);
    const [inside, outside] = await Promise.all([sidecar.log(), gateway.log()]);
    const clusters = (lines: readonly Record<string, unknown>[]) =>
      lines.map((line) => String(line['upstream_cluster'])).sort();
    expect(clusters(inside)).toEqual([
      'BlackHoleCluster',
      'outbound|3306||egress.istio-system.svc.cluster.local',
      'outbound|443||egress.istio-system.svc.cluster.local',
      'outbound|80||egress.istio-system.svc.cluster.local',
    ]);
    expect(clusters(outside)).toEqual([
      'outbound|3306||www.example.com',
      'outbound|443||www.example.com',
      'outbound|80||www.example.com',
    ]);
  });
});

test('an egress proxy gets what nobody knows, redirected or asked for by CONNECT', async () => {
  await using squid = await rawOrigin((s) => s.end('squid'));
  const yaml = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: squid }
spec:
  hosts: [squid.example.com]
  resolution: STATIC
  addresses: [203.0.113.9]
  ports: [{ number: 3128, name: tcp, protocol: TCP }]
  endpoints: [{ address: 127.0.0.1, ports: { tcp: ${squid.port} } }]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec: { outboundTrafficPolicy: { mode: ALLOW_ANY, egressProxy: { host: squid.example.com, port: { number: 3128 } } } }
`;
  let going: Going | null = to(9999);
  await using sidecar = await run(yaml, { ip: SIDECAR }, () => going);
  expect(await sendTo(SIDECAR, '')).toBe('squid');
  going = null;
  const connects = 'CONNECT nowhere.example.net:9999 HTTP/1.1\r\nhost: nowhere.example.net:9999\r\n\r\n';
  expect(await sendTo(SIDECAR, connects)).toMatch(/^HTTP\/1\.1 200 [^]*squid$/);
  const lines = await sidecar.log();
  expect(lines.map((line) => line['upstream_cluster'])).toEqual(Array(2).fill('outbound|3128||squid.example.com'));
});
