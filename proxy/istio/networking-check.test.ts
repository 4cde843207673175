/** DestinationRule, Gateway, ServiceEntry, WorkloadEntry and Sidecar: what is accepted in silence, and what is said of the rest. */
import { describe, expect, test } from 'vitest';
import { parseObject } from './parse.ts';

function said(kind: string, spec: unknown): string[] {
  const resource = { apiVersion: 'networking.istio.io/v1', kind, metadata: { name: 'a', namespace: 'prod' }, spec };
  return parseObject(resource, { defaultNamespace: 'default' }).problems.map(
    (p) => `${p.severity} ${p.path}: ${p.message}`,
  );
}

const policy = (trafficPolicy: object) => ({ host: 'reviews', trafficPolicy });
const server = { port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] };
const https = { number: 443, name: 'https', protocol: 'HTTPS' };
const db = { number: 3306, name: 'mysql', protocol: 'TCP' };
const web = { number: 80, name: 'http', protocol: 'HTTP' };
const entry = { hosts: ['a.com'], ports: [web], resolution: 'DNS' };

describe('networking kinds', () => {
  test.each<[string, object]>([
    ['DestinationRule', { host: 'reviews', subsets: [{ name: 'v1', labels: { version: 'v1' } }, { name: 'v2' }] }],
    [
      'DestinationRule',
      policy({
        loadBalancer: { simple: 'RANDOM' },
        connectionPool: { tcp: { maxConnections: 1, idleTimeout: '0s' }, http: { http1MaxPendingRequests: 1 } },
      }),
    ],
    [
      'DestinationRule',
      policy({ tls: { mode: 'SIMPLE' }, portLevelSettings: [{ port: { number: 443 }, tls: { mode: 'DISABLE' } }] }),
    ],
    [
      'DestinationRule',
      { host: '*.prod.svc.cluster.local', exportTo: ['.'], workloadSelector: { matchLabels: { app: 'a' } } },
    ],
    ['Gateway', { selector: { istio: 'ingressgateway' }, servers: [server] }],
    [
      'Gateway',
      {
        servers: [
          {
            ...server,
            port: { ...server.port, protocol: 'http' },
            hosts: ['./a.com', '*/b.com'],
            tls: { httpsRedirect: true },
          },
        ],
      },
    ],
    [
      'DestinationRule',
      policy({
        connectionPool: {
          tcp: { maxConnectionDuration: '1h', tcpKeepalive: { probes: 3, time: '10s', interval: '5s' } },
        },
        tunnel: { targetHost: 'a.com', targetPort: 443 },
      }),
    ],
    ['DestinationRule', policy({ proxyProtocol: { version: 'V2' } })],
    [
      'Gateway',
      {
        servers: [
          { ...server, port: { number: 443, name: 'tls', protocol: 'TLS' }, tls: { mode: 'PASSTHROUGH' } },
          { ...server, port: { number: 444, name: 'https', protocol: 'HTTPS' }, tls: {} },
          { ...server, port: { number: 27017, name: 'mongo', protocol: 'MONGO' } },
        ],
      },
    ],
    ['ServiceEntry', { ...entry, hosts: ['*.a.com'], resolution: 'DYNAMIC_DNS', subjectAltNames: ['a.com'] }],
    ['ServiceEntry', { ...entry, hosts: ['a.com', 'b.com'], ports: [db], addresses: ['10.0.0.1'], resolution: 'NONE' }],
    ['ServiceEntry', entry],
    [
      'ServiceEntry',
      {
        ...entry,
        resolution: 'STATIC',
        endpoints: [{ address: '10.0.0.1', ports: { http: 8080 }, labels: { version: 'v1' } }],
      },
    ],
    ['ServiceEntry', { hosts: ['*.a.com'], ports: [{ number: 443, name: 'tls', protocol: 'TLS' }], exportTo: ['~'] }],
    ['ServiceEntry', { hosts: ['db.a.com'], addresses: ['10.0.0.0/24'], ports: [db], resolution: 'NONE' }],
    ['WorkloadEntry', { address: '10.0.0.1', labels: { app: 'a' } }],
    ['WorkloadGroup', { template: { serviceAccount: 'a', ports: { http: 80 } } }],
    ['Sidecar', { egress: [{ hosts: ['./*', 'istio-system/*', '~prod/secret.prod.svc.cluster.local'] }] }],
    ['Sidecar', { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } }],
    [
      'Sidecar',
      { ingress: [{ port: { number: 9080, protocol: 'HTTP', name: 'http' }, defaultEndpoint: '127.0.0.1:8080' }] },
    ],
    [
      'Sidecar',
      {
        egress: [
          { port: { number: 3306, protocol: 'MYSQL' }, bind: '127.0.0.1', captureMode: 'NONE', hosts: ['*/db.a.com'] },
          { hosts: ['*/*'] },
        ],
      },
    ],
  ])('a %s %j passes without a word', (kind, spec) => {
    expect(said(kind, spec)).toEqual([]);
  });

  test.each<[object, string]>([
    [{}, 'error spec.host: is required'],
    [{ host: '10.0.0.1' }, 'error spec.host: expected the name of a service, got the address 10.0.0.1'],
    [
      { host: 'a', subsets: [{ name: 'v1' }, { name: 'v1' }] },
      'error spec.subsets[1].name: expected names that differ, got "v1" again',
    ],
    [
      { host: 'a', subsets: [{ name: 'v 1' }] },
      'error spec.subsets[0].name: expected letters, digits and `-`, at most 63, got "v 1"',
    ],
    [
      { host: 'a', exportTo: ['b'], workloadSelector: {} },
      'error spec.exportTo: expected `.` beside a workloadSelector',
    ],
    [policy({}), 'error spec.trafficPolicy: expected at least one setting, got none'],
    [policy({ connectionPool: {} }), 'error spec.trafficPolicy.connectionPool: expected tcp or http, got neither'],
    [
      policy({ connectionPool: { tcp: { maxConnections: -1 } } }),
      'error spec.trafficPolicy.connectionPool.tcp.maxConnections: expected a whole number of at least 0, got -1',
    ],
    [
      policy({ portLevelSettings: [{ port: { number: 80 } }] }),
      'error spec.trafficPolicy.portLevelSettings[0]: expected at least one setting for port 80, got none',
    ],
    [
      policy({ loadBalancer: { simple: 'RANDOM', consistentHash: { useSourceIp: true } } }),
      'error spec.trafficPolicy.loadBalancer: expected at most one of simple, consistentHash',
    ],
    [
      policy({ loadBalancer: { consistentHash: { useSourceIp: true } } }),
      'warning spec.trafficPolicy.loadBalancer.consistentHash: has no effect',
    ],
    [
      policy({ outlierDetection: {} }),
      'warning spec.trafficPolicy.outlierDetection: has no effect: Lateen does not eject endpoints so far',
    ],
    [
      policy({ tls: { mode: 'MUTUAL', privateKey: 'k' } }),
      'error spec.trafficPolicy.tls.clientCertificate: is required with mode MUTUAL',
    ],
    [
      policy({ tunnel: { targetHost: 'a b', targetPort: 1 } }),
      'error spec.trafficPolicy.tunnel.targetHost: expected a DNS name or an IP address, got "a b"',
    ],
    [
      policy({ tls: { mode: 'ISTIO_MUTUAL' } }),
      'warning spec.trafficPolicy.tls.mode: ISTIO_MUTUAL has no effect: Lateen sends plain text until its mutual TLS arrives',
    ],
    [
      policy({ tls: { mode: 'SIMPLE', credentialName: 'a' } }),
      'error spec.trafficPolicy.tls.credentialName: not supported',
    ],
    [
      policy({ tls: { mode: 'SIMPLE', insecureSkipVerify: true, subjectAltNames: ['a'] } }),
      'error spec.trafficPolicy.tls.insecureSkipVerify: expected false beside caCertificates or subjectAltNames',
    ],
  ])('says of a DestinationRule %j: %s', (spec, message) => {
    expect(said('DestinationRule', spec)).toContainEqual(expect.stringContaining(message));
  });

  test.each<[object, string]>([
    [{}, 'error spec.servers: expected at least one server, got none'],
    [{ servers: [{ ...server, hosts: [] }] }, 'error spec.servers[0].hosts: expected at least 1 item, got none'],
    [{ servers: [{ ...server, hosts: ['a/b/c'] }] }, 'error spec.servers[0].hosts[0]: expected `dns.name`'],
    [{ servers: [server, server] }, 'error spec.servers[1].port.name: expected names that differ, got "http" again'],
    [
      { servers: [{ ...server, tls: { mode: 'SIMPLE' } }] },
      'error spec.servers[0].tls.mode: expected none: an HTTP server has no TLS settings but httpsRedirect',
    ],
    [{ servers: [{ ...server, port: https }] }, 'error spec.servers[0].tls: is required with protocol HTTPS'],
    [
      { servers: [{ ...server, port: https, tls: { mode: 'SIMPLE', credentialName: 'a' } }] },
      "error spec.servers[0].port.protocol: HTTPS is not supported: Lateen's gateways do not terminate TLS so far",
    ],
    [
      { servers: [{ ...server, port: https, tls: { mode: 'AUTO_PASSTHROUGH' } }] },
      'error spec.servers[0].tls.mode: AUTO_PASSTHROUGH is not supported',
    ],
    [
      { servers: [{ ...server, port: https, tls: { mode: 'PASSTHROUGH', privateKey: 'a' } }] },
      'warning spec.servers[0].tls.privateKey: has no effect: with mode PASSTHROUGH',
    ],
    [
      { servers: [{ ...server, port: https, tls: { httpsRedirect: true } }] },
      'warning spec.servers[0].tls.httpsRedirect: has no effect: only plain HTTP is redirected',
    ],
    [
      { servers: [{ ...server, port: { ...https, protocol: 'TCP' }, tls: { mode: 'PASSTHROUGH' } }] },
      'error spec.servers[0].tls.mode: expected none: TLS settings need protocol HTTPS or TLS, got TCP',
    ],
    [
      { servers: [{ ...server, port: { ...https, protocol: 'QUIC' } }] },
      'error spec.servers[0].port.protocol: expected one of HTTP',
    ],
    [
      { servers: [{ ...server, port: { ...https, protocol: 'HTTP2' } }] },
      'warning spec.servers[0].port.protocol: is served as HTTP',
    ],
    [
      { servers: [{ ...server, bind: 'localhost' }] },
      'error spec.servers[0].bind: expected an IP address, got "localhost"',
    ],
  ])('says of a Gateway %j: %s', (spec, message) => {
    expect(said('Gateway', spec)).toContainEqual(expect.stringContaining(message));
  });

  test.each<[object, string]>([
    [{ ports: [web] }, 'error spec.hosts: is required'],
    [{ ...entry, hosts: ['*'] }, 'error spec.hosts[0]: expected a host narrower than `*`, got "*"'],
    [{ ...entry, hosts: ['a'] }, 'warning spec.hosts[0]: is a short name'],
    [
      { ...entry, addresses: ['10.0.0.0/33'] },
      'error spec.addresses[0]: expected an IP address or a CIDR range such as 10.0.0.0/8, got "10.0.0.0/33"',
    ],
    [
      { ...entry, addresses: ['10.0.0.0/8'] },
      'error spec.addresses[0]: expected an address: ranges need resolution NONE or STATIC, got "10.0.0.0/8"',
    ],
    [{ ...entry, ports: [web, web] }, 'error spec.ports[1].name: expected names that differ, got "http" again'],
    [{ ...entry, ports: [{ ...web, protocol: 'SMTP' }] }, 'error spec.ports[0].protocol: expected one of HTTP'],
    [
      { ...entry, hosts: ['a.com', 'b.com'], ports: [db] },
      'error spec.hosts: expected one host, or HTTP or TLS ports alone',
    ],
    [
      { ...entry, resolution: 'NONE', endpoints: [{ address: '10.0.0.1' }] },
      'error spec.endpoints: expected none with resolution NONE',
    ],
    [
      { ...entry, resolution: 'STATIC' },
      'error spec.endpoints: expected endpoints or a workloadSelector with resolution STATIC, got neither',
    ],
    [
      { ...entry, resolution: 'STATIC', endpoints: [{ address: 'b.com' }] },
      'error spec.endpoints[0].address: expected an IP address with resolution STATIC, got "b.com"',
    ],
    [
      { ...entry, endpoints: [{ address: 'b.com', ports: { grpc: 1 } }] },
      'error spec.endpoints[0].ports.grpc: expected one of the service\'s ports (http), got "grpc"',
    ],
    [
      { ...entry, hosts: ['*.a.com'] },
      'error spec.hosts[0]: expected a name that DNS can resolve, or endpoints, got "*.a.com"',
    ],
    [
      { ...entry, resolution: 'DNS_ROUND_ROBIN', endpoints: [{ address: 'a.b' }, { address: 'a.c' }] },
      'error spec.endpoints: expected at most one endpoint',
    ],
    [{ ...entry, resolution: 'DYNAMIC_DNS' }, 'error spec.hosts[0]: expected a wildcard with resolution DYNAMIC_DNS'],
    [
      { ...entry, hosts: ['*.a.com'], resolution: 'DYNAMIC_DNS', addresses: ['10.0.0.1'] },
      'error spec.addresses: expected none with resolution DYNAMIC_DNS',
    ],
    [
      { ...entry, hosts: ['*.a.com'], resolution: 'DYNAMIC_DNS', endpoints: [{ address: 'a.b' }] },
      'error spec.endpoints: expected none with resolution DYNAMIC_DNS',
    ],
    [
      { ...entry, hosts: ['*.a.com'], resolution: 'DYNAMIC_DNS', ports: [db] },
      'error spec.ports[0].protocol: expected one of HTTP, HTTP2, GRPC, TLS, HTTPS with DYNAMIC_DNS',
    ],
    [
      { ...entry, hosts: ['a.com', 'b.com'], ports: [db], addresses: ['10.0.0.1'] },
      'error spec.hosts: expected one host, or HTTP or TLS ports alone',
    ],
    [
      { ...entry, resolution: 'NONE', workloadSelector: { labels: { app: 'a' } } },
      'warning spec.workloadSelector: is of little use with resolution NONE',
    ],
    [
      { ...entry, resolution: 'STATIC', endpoints: [{ address: 'unix:///run/a.sock' }] },
      'warning spec.endpoints[0].address: has no effect: Lateen reaches endpoints by IP address or DNS name',
    ],
  ])('says of a ServiceEntry %j: %s', (spec, message) => {
    expect(said('ServiceEntry', spec)).toContainEqual(expect.stringContaining(message));
  });

  test.each<[string, object, string]>([
    ['WorkloadEntry', {}, 'error spec.address: is required'],
    ['WorkloadEntry', { address: 'a b' }, 'error spec.address: expected an IP address or a DNS name, got "a b"'],
    ['WorkloadEntry', { address: 'unix:///a' }, 'warning spec.address: has no effect: Lateen reaches endpoints by'],
    ['WorkloadEntry', { address: 'unix://a' }, 'error spec.address: expected `unix:///path` or `unix://@name`'],
    [
      'WorkloadEntry',
      { address: 'unix:///a', ports: { http: 1 } },
      'error spec.ports: expected none with a unix socket, got some',
    ],
    ['WorkloadGroup', { template: { address: '10.0.0.1' } }, 'error spec.template.address: expected none'],
    ['WorkloadGroup', {}, 'error spec.template: is required'],
    [
      'Sidecar',
      {},
      'error spec: expected ingress, egress, outboundTrafficPolicy or inboundConnectionPool, got none of them',
    ],
    [
      'Sidecar',
      { egress: [{ hosts: [] }] },
      'error spec.egress[0].hosts: expected at least one host such as `./*`, got none',
    ],
    ['Sidecar', { egress: [{ hosts: ['a'] }] }, 'error spec.egress[0].hosts[0]: expected `namespace/dnsName`'],
    [
      'Sidecar',
      { egress: [{ hosts: ['./*'] }, { hosts: ['./a.b'] }] },
      'error spec.egress[0].port: is required: only the last listener may be without a port',
    ],
    [
      'Sidecar',
      { egress: [{ bind: '127.0.0.1', hosts: ['./*'] }] },
      'error spec.egress[0].port: is required beside bind',
    ],
    [
      'Sidecar',
      { ingress: [{ port: { number: 1 }, defaultEndpoint: 'db:1' }] },
      'error spec.ingress[0].defaultEndpoint: expected 127.0.0.1:PORT',
    ],
    [
      'Sidecar',
      { ingress: [{ port: { number: 1 } }, { port: { number: 1 } }] },
      'error spec.ingress[1].port: expected ports that differ, got 1 again',
    ],
    ['Sidecar', { ingress: [{ port: { number: 1 }, tls: {} }] }, 'error spec.ingress[0].tls: not supported'],
    [
      'Sidecar',
      { outboundTrafficPolicy: { egressProxy: { host: 'a', port: { number: 1 } } } },
      'error spec.outboundTrafficPolicy.egressProxy: expected none with mode REGISTRY_ONLY',
    ],
    [
      'Sidecar',
      { outboundTrafficPolicy: { mode: 'ALLOW_ANY', egressProxy: { host: 'a' } } },
      'error spec.outboundTrafficPolicy.egressProxy.port: is required',
    ],
  ])('says of a %s %j: %s', (kind, spec, message) => {
    expect(said(kind, spec)).toContainEqual(expect.stringContaining(message));
  });
});
