import { describe, expect, test } from 'vitest';
import { clusterName, ms } from '../core/brand.ts';
import { LiveEndpoint } from '../live/endpoint.ts';
import { Exchange } from '../live/exchange.ts';
import { LiveCluster } from '../live/cluster.ts';
import type { HeaderOps } from '../snapshot/route.ts';
import { requestOps, responseOps } from './header-ops.ts';

const nothing: HeaderOps = { set: [], add: [], remove: [] };

describe('header operations', () => {
  for (const [name, ops, before, after] of [
    [
      'set replaces every line, and keeps the place',
      { set: [['X', 'n']] },
      ['a', '1', 'x', 'o', 'X', 'o'],
      ['a', '1', 'x', 'n'],
    ],
    [
      'set makes what is not there, in the case that was written',
      { set: [['X-New', 'n']] },
      ['a', '1'],
      ['a', '1', 'X-New', 'n'],
    ],
    ['add makes another line', { add: [['x', 'n']] }, ['x', 'o'], ['x', 'o', 'x', 'n']],
    ['remove takes every line', { remove: ['x'] }, ['X', '1', 'a', '2', 'x', '3'], ['a', '2']],
    [
      'first remove, then set, then add',
      { remove: ['x'], set: [['x', 's']], add: [['x', 'a']] },
      ['x', 'o'],
      ['x', 's', 'x', 'a'],
    ],
    [
      'a value that comes out empty does nothing',
      { set: [['x', '%REQ(none)%']], add: [['y', '%REQ(none)%']] },
      ['x', 'o'],
      ['x', 'o'],
    ],
    [
      'Host, pseudo headers and framing stay',
      {
        set: [
          ['Host', 'evil'],
          [':path', '/x'],
          ['Content-Length', '0'],
        ],
        add: [['transfer-encoding', 'chunked']],
        remove: ['host', 'content-length'],
      },
      ['content-length', '5'],
      ['content-length', '5'],
    ],
    ['a value has no line ends (B8)', { set: [['x', 'a\r\nb: c']] }, [], ['x', 'a b: c']],
  ] satisfies [string, Partial<HeaderOps>, string[], string[]][]) {
    test(name, () => {
      const x = exchange(before);
      requestOps({ ...nothing, ...ops })(x);
      expect(x.headers).toEqual(after);
      const headers = [...before];
      responseOps({ ...nothing, ...ops })(exchange([]), headers);
      expect(headers).toEqual(after);
    });
  }

  test('every value sees the headers after removing and before setting', () => {
    const x = exchange(['a', '1', 'b', '2']);
    requestOps({
      set: [
        ['a', '%REQ(b)%'],
        ['b', '%REQ(a)%'],
      ],
      add: [['c', '%REQ(gone)%|%REQ(a)%']],
      remove: ['gone'],
    })(x);
    expect(x.headers).toEqual(['a', '2', 'b', '1', 'c', '|1']);
  });
});

describe('templates', () => {
  for (const [template, value] of [
    ['%REQ(X-User)%', 'jason,jim'],
    ['%REQ(none?x-user):5%', 'jason'],
    ['%REQ(:method)% %REQ(:authority)%%REQ(:path)% %REQ(:scheme)%', 'GET reviews:9080/a?b http'],
    ['%RESP(x-up)%', 'yes'],
    ['%PROTOCOL%', 'HTTP/1.1'],
    ['%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%', '200 - via_upstream'],
    ['%UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%', '10.0.0.9:9080 10.0.0.9 9080'],
    ['%UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS%', 'outbound|9080||reviews 10.0.0.2:4000'],
    ['%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%', '[::1]:1234 ::1'],
    [
      '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_PORT%',
      '[::1]:1234 10.0.0.2:80 80',
    ],
    ['%BYTES_RECEIVED%/%BYTES_SENT% %DURATION%', '3/4 20'],
    ['%TRACE_ID%', '0af7651916cd43dd8448eb211c80319c'],
    ['100%%', '100%'],
  ] as const) {
    test(`${template} gives ${value}`, () => {
      const headers = ['x-up', 'yes'];
      responseOps({ ...nothing, set: [['out', template]] })(exchange(['x-user', 'jason', 'X-User', 'jim']), headers);
      expect(headers).toEqual(['x-up', 'yes', 'out', value]);
    });
  }

  test('%START_TIME% is the time of day the request began', () => {
    const x = exchange([]);
    requestOps({ ...nothing, set: [['t', '%START_TIME%']] })(x);
    expect(Math.abs(Date.parse(x.headers[1]!) - (performance.timeOrigin + x.startMs))).toBeLessThan(1);
  });

  test('what is not known yet is left out', () => {
    const x = new Exchange(
      {
        id: 1,
        remoteAddress: '',
        remotePort: 0,
        localAddress: '',
        localPort: 0,
        redirected: false,
        peer: null,
        serverName: '',
      },
      'outbound',
    );
    requestOps({
      ...nothing,
      set: [
        ['a', '%UPSTREAM_HOST%%UPSTREAM_CLUSTER%%RESP(x)%%TRACE_ID%%ROUTE_NAME%'],
        ['b', '%NOPE%'],
      ],
    })(x);
    expect(x.headers).toEqual([]);
  });
});

function exchange(headers: string[]): Exchange {
  const connection = {
    id: 1,
    remoteAddress: '::1',
    remotePort: 1234,
    localAddress: '10.0.0.2',
    localPort: 80,
    redirected: false,
    peer: null,
    serverName: '',
  };
  const x = new Exchange(connection, 'outbound');
  const cluster = new LiveCluster({
    name: clusterName('outbound|9080||reviews'),
    discovery: { kind: 'endpoints' },
    service: null,
    direction: 'outbound',
    protocol: 'http',
    balancing: { kind: 'RANDOM' },
    connectTimeout: ms(1),
    idleTimeout: ms(1),
    tcpIdleTimeout: ms(1),
    maxConnectionDuration: ms(0),
    keepAlive: null,
    sourceAddress: null,
    proxyProtocol: null,
    tunnel: null,
    mayPointInside: true,
    maxConnections: 1,
    maxPendingRequests: 1,
    maxRequests: 1,
    maxRequestsPerConnection: 0,
    tls: null,
    source: null,
  });
  const trace = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: '1', parentId: null, sampled: true };
  const endpoint = new LiveEndpoint('10.0.0.9', 9080);
  const facts = {
    startMs: 100,
    endMs: 120,
    status: 200,
    details: 'via_upstream',
    bytesReceived: 3,
    bytesSent: 4,
    upstreamLocal: '10.0.0.2:4000',
  };
  return Object.assign(x, {
    method: 'GET',
    authority: 'reviews:9080',
    path: '/a?b',
    headers: [...headers],
    cluster,
    endpoint,
    trace,
    ...facts,
  });
}
