import { describe, expect, test } from 'vitest';
import type { Exchange } from '../live/exchange.ts';
import type { Connection } from '../live/connection.ts';
import { sightingOf, type Sighting } from './egress-sighting.ts';
import { EgressSightings } from './egress-sightings.ts';
import { exchange, liveCluster, liveEndpoint, namedRoute, workload } from './sample-exchange.ts';

const passthrough = () => liveCluster('PassthroughCluster', null);

/** A cluster as a ServiceEntry makes it: called by its host. */
function external(host: string) {
  const cluster = liveCluster(`outbound|443||${host}`, host);
  const settings = { ...cluster.settings, service: { host, name: host, namespace: 'default' } };
  return Object.assign(cluster, { settings });
}

function request(authority: string, change: Partial<Exchange> = {}): Exchange {
  return Object.assign(exchange('outbound'), { authority, bytesReceived: 3, bytesSent: 5, ...change });
}

/** A TCP connection that was made to an address outside. */
function connection(to: Partial<Connection>, change: Partial<Exchange> = {}): Exchange {
  const x = request('', { method: '', ...change });
  Object.assign(x.connection, { localAddress: '203.0.113.7', localPort: 3306, redirected: true, ...to });
  return x;
}

const told = (x: Exchange): string => {
  const s = sightingOf(x);
  return s === null ? 'nothing' : `${s.verdict} ${s.protocol} ${s.host}[${s.address}]:${s.port} ${s.service}`.trim();
};

describe('a sighting', () => {
  const blockAll = namedRoute('block_all');
  const reviews = liveCluster('outbound|9080||reviews.default.svc.cluster.local', 'reviews');
  const pod = liveEndpoint(workload('reviews', 'v1', '127.1.0.4'));
  const outside = liveEndpoint(null, '203.0.113.7', 443);

  test.each<[string, Exchange, string]>([
    [
      'a request that REGISTRY_ONLY refused',
      request('API.Example.com:8080', { route: blockAll, details: 'direct_response' }),
      'blocked http api.example.com[]:8080',
    ],
    ['one without a port', request('api.example.com', { route: blockAll }), 'blocked http api.example.com[]:80'],
    ['one to an address', request('[2001:db8::1]:81', { route: blockAll }), 'blocked http [2001:db8::1]:81'],
    [
      'a CONNECT that was refused',
      request('db.example.com:3306', { method: 'CONNECT', details: 'direct_response' }),
      'blocked tcp db.example.com[]:3306',
    ],
    [
      'a CONNECT to an address that a captured port refused',
      request('203.0.113.7:443', { method: 'CONNECT', cluster: liveCluster('BlackHoleCluster', null) }),
      'blocked tls [203.0.113.7]:443',
    ],
    [
      'a redirected connection into the black hole',
      connection({}, { cluster: liveCluster('BlackHoleCluster', null) }),
      'blocked tcp [203.0.113.7]:3306',
    ],
    [
      'one with a server name',
      connection({ serverName: 'api.example.com', localPort: 443 }, { cluster: liveCluster('BlackHoleCluster', null) }),
      'blocked tls api.example.com[203.0.113.7]:443',
    ],
    [
      'what passed',
      request('api.example.com', { cluster: passthrough(), endpoint: liveEndpoint(null, 'api.example.com', 80) }),
      'passed http api.example.com[]:80',
    ],
    [
      'a ServiceEntry, by its own name and port, whoever was asked for',
      request('ratings', { cluster: external('api.example.com'), endpoint: outside }),
      'allowed http api.example.com[203.0.113.7]:443 api.example.com',
    ],
    [
      'a wildcard, by the name that was asked for',
      request('en.example.com', { cluster: external('*.example.com'), endpoint: outside }),
      'allowed http en.example.com[203.0.113.7]:443 *.example.com',
    ],
    [
      'a ServiceEntry that nobody answers for',
      request('api.example.com', { cluster: external('api.example.com'), flags: 'UH' }),
      'allowed http api.example.com[]:80 api.example.com',
    ],
    ['nothing of a pod', request('reviews:9080', { cluster: reviews, endpoint: pod }), 'nothing'],
    ['nothing of a pod by its address', request('127.1.0.4', { cluster: passthrough(), endpoint: pod }), 'nothing'],
    ['nothing of a Service without pods', request('reviews:9080', { cluster: reviews, flags: 'UH' }), 'nothing'],
    ['nothing of a policy', request('x', { details: 'rbac_access_denied_matched_policy[a]' }), 'nothing'],
    [
      'nothing of a direct response',
      request('x', { route: namedRoute('teapot'), details: 'direct_response' }),
      'nothing',
    ],
    ['nothing of a loop', request('x', { cluster: passthrough(), details: 'loop_detected' }), 'nothing'],
    ['nothing of what comes in', Object.assign(exchange('inbound'), { route: blockAll }), 'nothing'],
  ])('tells of %s', (_, x, want) => {
    expect(told(x)).toBe(want);
  });

  test('says why the destination was not reached, and nothing of a client that left', () => {
    const to = { cluster: external('a.example.com'), endpoint: outside };
    expect(sightingOf(request('a', { ...to, flags: 'UF', transportFailure: 'connect ECONNREFUSED' }))?.failure).toBe(
      'connect ECONNREFUSED',
    );
    expect(sightingOf(request('a', { ...to, flags: 'UT', reason: 'no answer' }))?.failure).toBe('no answer');
    expect(sightingOf(request('a', { ...to, flags: 'DC', reason: 'gone' }))?.failure).toBe('');
    expect(sightingOf(request('a', to))?.received).toBe(5);
    expect(sightingOf(request('a', { ...to, headMs: 0 }))?.received).toBe(0);
  });

  test('counts a connection when it is made, and its bytes when it ends', () => {
    const x = connection({}, { cluster: passthrough(), endpoint: liveEndpoint(null, '203.0.113.7', 3306), endMs: 0 });
    x.bytesReceived = x.bytesSent = 0;
    x.upstreamLocal = '127.0.0.1:4000';
    const seen = new EgressSightings();
    seen.see(sightingOf(x)!);
    Object.assign(x, { bytesReceived: 10, bytesSent: 20, endMs: 5 });
    seen.see(sightingOf(x)!);
    expect(seen.drain()).toMatchObject([{ count: 1, sent: 10, received: 20 }]);
  });

  test('bounds and escapes what a hostile caller names', () => {
    const named = (authority: string) => sightingOf(request(authority, { route: blockAll }))!.host;
    expect(named('a\u001b[2J"\\\u00e9')).toBe('a\\x1b[2j\\x22\\x5c\\xe9');
    expect(named('x'.repeat(100_000))).toHaveLength(253);
    expect(named('\u0007'.repeat(100_000))).toHaveLength(253);
  });
});

const seenAt = (host: string, change: Partial<Sighting> = {}): Sighting => ({
  verdict: 'blocked',
  protocol: 'http',
  host,
  address: '',
  port: 80,
  count: 1,
  service: '',
  sent: 1,
  received: 2,
  failure: '',
  ...change,
});

describe('sightings', () => {
  test('are counted by destination, with the times of the first and the last', () => {
    const seen = new EgressSightings();
    seen.see(seenAt('a', { failure: 'refused', address: '203.0.113.1' }), 1000);
    seen.see(seenAt('b'), 1500);
    seen.see(seenAt('a'), 2000);
    seen.see(seenAt('a', { verdict: 'passed' }), 2500);
    const rows = seen.drain();
    expect(rows.map((r) => `${r.verdict} ${r.host} ${r.count}`)).toEqual(['blocked a 2', 'blocked b 1', 'passed a 1']);
    expect(rows[0]).toEqual({
      ...seenAt('a', { address: '203.0.113.1', count: 1 }),
      count: 2,
      sent: 2,
      received: 4,
      failures: 1,
      failure: 'refused',
      firstSeen: 1000,
      lastSeen: 2000,
    });
    expect(seen.drain()).toEqual([]);
  });

  test('of requests to one endpoint are told apart by name and by how they ended, and begin anew when they are taken', () => {
    const seen = new EgressSightings(2);
    const endpoint = liveEndpoint(null, '203.0.113.7', 443);
    const cluster = external('*.example.com');
    const note = (authority: string, change: Partial<Exchange> = {}): void =>
      seen.note(request(authority, { cluster, endpoint, ...change }));
    const counts = (): string[] => seen.drain().map((r) => `${r.host} ${r.count} ${r.failures} ${r.sent}`);
    for (let i = 0; i < 3; i++) note('a.example.com');
    note('b.example.com');
    note('a.example.com', { flags: 'UF', transportFailure: 'refused' });
    note('a.example.com');
    expect(counts()).toEqual(['a.example.com 5 1 15', 'b.example.com 1 0 3']);
    note('a.example.com');
    for (let i = 0; i < 2; i++) for (const name of ['b', 'c', 'd']) note(`${name}.example.com`);
    note('d.example.com');
    expect(counts()).toEqual(['a.example.com 1 0 3', 'b.example.com 2 0 6', ' 5 0 15']);
    seen.note(request('reviews', { cluster, endpoint: liveEndpoint(workload('reviews', 'v1', '127.1.0.4')) }));
    expect(seen.size).toBe(0);
  });

  test('of 100,000 names fit in 500 rows and one more, and none is lost from the count', () => {
    const seen = new EgressSightings(500);
    for (let i = 0; i < 100_000; i++) seen.see(seenAt(`host-${i}.example.com`), i);
    expect(seen.size).toBe(501);
    const rows = seen.drain();
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(100_000);
    expect(rows.at(-1)).toMatchObject({ protocol: 'other', host: '', port: 0, count: 99_500, lastSeen: 99_999 });
  });
});
