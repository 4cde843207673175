import { afterEach, describe, expect, test } from 'vitest';
import { parseObject } from '#proxy/istio/parse.ts';
import type { EgressRow } from '#proxy/core/egress.ts';
import type { Proposals } from './egress-proposal.ts';
import type { EgressView } from './egress.ts';
import { EgressStore } from './egress-store.ts';
import { call, start, stopAll } from './server.kit.ts';
import type { ControlApi } from './server.ts';

afterEach(stopAll);

const row = (host: string, change: Partial<EgressRow> = {}): EgressRow => ({
  verdict: 'blocked',
  protocol: 'http',
  host,
  address: '',
  port: 80,
  service: '',
  count: 1,
  failures: 0,
  failure: '',
  sent: 0,
  received: 0,
  firstSeen: Date.now(),
  lastSeen: Date.now(),
  ...change,
});

let seq = 0;
async function report(
  api: ControlApi,
  rows: readonly unknown[],
  { proxy = 'details-v1-0.default', workload = 'details-v1', number = ++seq } = {},
): Promise<number> {
  const body = { run: '1', seq: number, workload, rows };
  return (await call(api, 'PUT', `/lateen/v1/proxies/${proxy}/egress`, body)).status;
}

const list = async (api: ControlApi, query = ''): Promise<readonly EgressView[]> =>
  (await call(api, 'GET', `/lateen/v1/egress${query}`)).body.egress as EgressView[];
const proposals = async (api: ControlApi): Promise<Proposals> =>
  (await call(api, 'GET', '/lateen/v1/egress/proposals')).body as Proposals;
const shown = (rows: readonly EgressView[]): string[] =>
  rows.map((r) => `${r.namespace}/${r.workload} ${r.verdict} ${r.host || r.address}:${r.port} ${r.count}`);

const entry = (name: string, spec: object, namespace = 'default'): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name, namespace },
  spec: { location: 'MESH_EXTERNAL', resolution: 'DNS', ...spec },
});

async function create(api: ControlApi, object: { metadata?: { namespace?: string } } & object): Promise<void> {
  const path = `/apis/networking.istio.io/v1/namespaces/${object.metadata?.namespace}/serviceentries`;
  expect((await call(api, 'POST', path, object)).status).toBe(201);
}

describe('GET /lateen/v1/egress', () => {
  test('sums up proxies of one workload; what was blocked comes first', async () => {
    const api = await start();
    await report(api, [row('b.example.com', { verdict: 'passed' }), row('a.example.com')]);
    await report(api, [row('a.example.com', { count: 2 })], { proxy: 'details-v1-1.default' });
    await report(api, [row('a.example.com')], { proxy: 'x-0.prod', workload: 'x' });
    expect(shown(await list(api))).toEqual([
      'default/details-v1 blocked a.example.com:80 3',
      'prod/x blocked a.example.com:80 1',
      'default/details-v1 passed b.example.com:80 1',
    ]);
    expect(shown(await list(api, '?namespace=prod'))).toHaveLength(1);
    expect(shown(await list(api, '?workload=details-v1&verdict=blocked'))).toHaveLength(1);
    await call(api, 'DELETE', '/lateen/v1/egress');
    expect(await list(api)).toEqual([]);
  });

  test('counts a report that was sent twice once, and one of a new process anew', async () => {
    const api = await start();
    await report(api, [row('a.example.com')], { number: 7 });
    await report(api, [row('a.example.com')], { number: 7 });
    expect((await list(api))[0]!.count).toBe(1);
    const again = { run: '2', seq: 1, workload: 'details-v1', rows: [row('a.example.com')] };
    await call(api, 'PUT', '/lateen/v1/proxies/details-v1-0.default/egress', again);
    expect((await list(api))[0]!.count).toBe(2);
  });

  test('takes a time to begin at', async () => {
    const api = await start();
    const old = Date.now() - 600_000;
    await report(api, [row('old.example.com', { firstSeen: old, lastSeen: old }), row('new.example.com')]);
    expect(shown(await list(api, '?since=5m'))).toHaveLength(1);
    expect(shown(await list(api, '?since=15m'))).toHaveLength(2);
    expect(shown(await list(api, `?since=${new Date(old + 1).toISOString()}`))).toHaveLength(1);
    expect((await call(api, 'GET', '/lateen/v1/egress?since=soon')).body.message).toMatch(/expected a duration/);
    expect((await call(api, 'GET', '/lateen/v1/egress?verdict=odd')).body.message).toMatch(/blocked, passed, allowed/);
  });

  test('names the resource that stands for a destination, and leaves out what is inside the mesh', async () => {
    const api = await start();
    const ports = [{ number: 80, name: 'http', protocol: 'HTTP' }];
    await create(api, entry('api', { hosts: ['api.example.com'], ports }));
    await create(api, entry('wild', { hosts: ['*.example.org'], ports, resolution: 'NONE' }));
    const vm = { hosts: ['vm.example.com'], ports, location: 'MESH_INTERNAL' };
    await create(api, entry('vm', vm));
    const prod = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'prod' } };
    expect((await call(api, 'POST', '/api/v1/namespaces', prod)).status).toBe(201);
    await create(api, entry('theirs', { hosts: ['theirs.example.com'], ports, exportTo: ['.'] }, 'prod'));
    const allowed = { verdict: 'allowed' } as const;
    await report(api, [
      row('api.example.com', { ...allowed, service: 'api.example.com' }),
      row('en.example.org', { ...allowed, service: '*.example.org' }),
      row('vm.example.com', { ...allowed, service: 'vm.example.com' }),
      row('api.example.com'),
      row('api.example.com', { port: 81 }),
      row('theirs.example.com'),
    ]);
    expect((await list(api)).map((r) => `${r.verdict} ${r.host}:${r.port} ${r.by}`)).toEqual([
      'blocked api.example.com:80 ServiceEntry default/api',
      'blocked api.example.com:81 null',
      'blocked theirs.example.com:80 null',
      'allowed api.example.com:80 ServiceEntry default/api',
      'allowed en.example.org:80 ServiceEntry default/wild',
    ]);
  });

  test.each<[string, unknown]>([
    ['rows\\[0\\].verdict: expected one of', row('a', { verdict: 'odd' as never })],
    ['rows\\[0\\].port: expected a whole number', row('a', { port: -1 })],
    ['rows\\[0\\].host: expected a string', { ...row('a'), host: 7 }],
    ['rows\\[0\\]: expected an object', null],
  ])('refuses a report: %s', async (want, bad) => {
    const api = await start();
    const body = { run: '1', seq: 1, workload: 'w', rows: [bad] };
    const { status, body: said } = await call(api, 'PUT', '/lateen/v1/proxies/a-0.default/egress', body);
    expect(status).toBe(400);
    expect(said.message).toMatch(new RegExp(want));
  });

  test('refuses a report of nobody, and one that is too long', async () => {
    const api = await start();
    expect(await report(api, [], { proxy: 'nobody' })).toBe(400);
    expect(await report(api, Array<EgressRow>(1001).fill(row('a')))).toBe(400);
  });
});

describe('the store of sightings', () => {
  const accept = (store: EgressStore, workload: string, rows: readonly EgressRow[], now?: number): void =>
    store.accept(`${workload}-0.default`, { run: '1', seq: ++seq, workload, rows }, now);

  test('of 100,000 names keeps a bounded part, and that of others untouched', () => {
    const store = new EgressStore();
    accept(store, 'quiet', [row('a.example.com')]);
    for (let i = 0; i < 100_000; i += 1000)
      accept(
        store,
        'loud',
        Array.from({ length: 1000 }, (_, j) => row(`host-${i + j}.example.com`)),
      );
    expect(store.size).toBe(1001);
    expect(store.list({ workload: 'quiet' })).toHaveLength(1);
    expect(store.list({ workload: 'loud' }).some((r) => r.host === 'host-99999.example.com')).toBe(true);
  });

  test('of many workloads takes from the one that has most', () => {
    const store = new EgressStore({ rows: 100 });
    accept(store, 'small', [row('a.example.com')]);
    for (let w = 0; w < 10; w++)
      accept(
        store,
        `w${w}`,
        Array.from({ length: 50 }, (_, i) => row(`host-${i}.example.com`)),
      );
    expect(store.size).toBe(100);
    expect(store.list({ workload: 'small' })).toHaveLength(1);
  });

  test('forgets after an hour, and does not believe in the future', () => {
    const store = new EgressStore();
    const now = 10_000_000;
    accept(store, 'w', [row('a', { firstSeen: 9e15, lastSeen: 9e15 })], now);
    expect(store.list({}, now)).toMatchObject([{ firstSeen: now, lastSeen: now }]);
    expect(store.list({}, now + 3_600_000)).toHaveLength(1);
    expect(store.list({}, now + 3_600_001)).toEqual([]);
    expect(store.size).toBe(0);
  });
});

describe('proposals', () => {
  const first = { firstSeen: Date.parse('2026-11-21T10:00:00Z'), lastSeen: Date.parse('2026-11-21T10:05:00Z') };

  test('are one ServiceEntry for each host, for the callers’ namespace alone, that validates', async () => {
    const api = await start();
    await report(api, [
      row('api.example.com', { count: 2 }),
      row('api.example.com', { port: 443, protocol: 'tls', verdict: 'passed' }),
      row('api.example.com', { port: 8080 }),
      row('', { address: '203.0.113.7', port: 3306, protocol: 'tcp' }),
      row('', { address: '2001:db8::', port: 9000, protocol: 'tcp' }),
      row('db.example.com', { port: 3306 }),
      row('db.example.com', { port: 6379, protocol: 'tcp' }),
      row('db.example.com', { port: 27_017, protocol: 'tls' }),
    ]);
    const { proposals: made, notProposed } = await proposals(api);
    expect(notProposed).toEqual([]);
    expect(
      made.map(({ resource: { metadata, spec } }) => [
        `${metadata.namespace}/${metadata.name}`,
        spec.hosts.join(),
        spec.ports?.map((p) => `${p.number} ${p.name} ${p.protocol}`).join(', '),
      ]),
    ).toEqual([
      ['default/ip-2001-db8--0', 'ip-2001-db8--0.external', '9000 tcp-9000 TCP'],
      ['default/ip-203-0-113-7', 'ip-203-0-113-7.external', '3306 tcp-mysql TCP'],
      ['default/api.example.com', 'api.example.com', '80 http HTTP, 443 tls TLS, 8080 http-8080 HTTP'],
      ['default/db.example.com', 'db.example.com', '3306 tcp-mysql TCP, 6379 redis REDIS, 27017 tls-27017 TLS'],
    ]);
    expect(made[1]!.resource.spec).toMatchObject({
      addresses: ['203.0.113.7'],
      resolution: 'STATIC',
      endpoints: [{ address: '203.0.113.7' }],
      location: 'MESH_EXTERNAL',
      exportTo: ['.'],
    });
    expect(made[2]!.resource.spec).toMatchObject({ resolution: 'DNS', location: 'MESH_EXTERNAL', exportTo: ['.'] });
    for (const { resource } of made) {
      const { problems } = parseObject(resource, { defaultNamespace: 'other' });
      expect(problems.filter((p) => p.severity === 'error')).toEqual([]);
    }
  });

  test('say who called, how often and since when', async () => {
    const store = new EgressStore();
    const { propose } = await import('./egress-proposal.ts');
    const { EgressRegistry } = await import('./egress-registry.ts');
    const rows = [row('a.example.com', { ...first, count: 3 })];
    store.accept('x-0.default', { run: '1', seq: 1, workload: 'x', rows }, first.lastSeen);
    const none = new EgressRegistry({ list: () => [] });
    const made = propose(store.list({}, first.lastSeen), none, () => false).proposals;
    expect(made[0]!.notes).toEqual([
      'x was kept from a.example.com:80 (http) 3 times since 2026-11-21T10:00:00Z, last at 2026-11-21T10:05:00Z',
    ]);
  });

  test('are left out, with the reason, where they would be wrong', async () => {
    const api = await start();
    const ports = [{ number: 80, name: 'http', protocol: 'HTTP' }];
    await create(api, entry('api', { hosts: ['api.example.com'], ports }));
    const range = { hosts: ['net.example.com'], addresses: ['198.51.100.0/24'], ports, resolution: 'NONE' };
    await create(api, entry('net', range));
    await report(api, [
      row('api.example.com'),
      row('api.example.com', { port: 81 }),
      row('', { address: '198.51.100.9' }),
      row('ratings.default.svc.cluster.local'),
      row('', { address: '169.254.169.254' }),
      row('a\\x1b[2j'),
      row('1.2.3'),
      row('-x.example.com'),
      row('', { protocol: 'other', port: 0, count: 9 }),
      row('', { port: 3306, protocol: 'tcp' }),
      row('fine.example.com', { verdict: 'allowed', service: 'fine.example.com' }),
    ]);
    const { proposals: made, notProposed } = await proposals(api);
    expect(made).toEqual([]);
    expect(notProposed.map((n) => `${n.destination}:${n.port} ${n.why}`)).toEqual([
      ':0 too many destinations to tell them apart',
      ':3306 neither its name nor its address is known',
      '-x.example.com:80 it is no DNS name',
      '1.2.3:80 it is no DNS name',
      expect.stringMatching(/^169\.254\.169\.254:80 link-local addresses serve credentials/),
      '198.51.100.9:80 ServiceEntry default/net has it',
      'a\\x1b[2j:80 it is no DNS name',
      'api.example.com:80 ServiceEntry default/api has it',
      'api.example.com:81 ServiceEntry default/api has it without port 81: add it there',
      'ratings.default.svc.cluster.local:80 it is a name inside the mesh, and there is no such Service',
    ]);
  });

  test('change no ServiceEntry of the same name, and end once they are there', async () => {
    const api = await start();
    const ports = [{ number: 80, name: 'http', protocol: 'HTTP' }];
    await create(api, entry('new.example.com', { hosts: ['old.example.com'], ports }));
    await report(api, [row('new.example.com')]);
    const { proposals: made } = await proposals(api);
    expect(made[0]!.resource.metadata.name).toBe('new.example.com-2');
    await create(api, made[0]!.resource);
    expect(await proposals(api)).toMatchObject({
      proposals: [],
      notProposed: [{ why: expect.stringContaining('-2') }],
    });
  });

  test('keep namespaces apart', async () => {
    const api = await start();
    await report(api, [row('a.example.com')]);
    await report(api, [row('a.example.com')], { proxy: 'x-0.prod', workload: 'x' });
    const { proposals: made } = await proposals(api);
    expect(made.map((p) => p.resource.metadata.namespace)).toEqual(['default', 'prod']);
  });
});
