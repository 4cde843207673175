import { afterEach, describe, expect, test } from 'vitest';
import type { Resource } from '#proxy/istio/resource.ts';
import { openStore, type HistoryStore } from './open-store.ts';
import { Proxies } from './proxies.ts';
import { readReport, type ProxyReport } from './proxy-report.ts';

const ME = { via: 'test', user: 'local' };
const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()));

function setup(): { store: HistoryStore; proxies: Proxies } {
  const store = openStore({ dir: null });
  const proxies = new Proxies(store);
  cleanups.push(
    () => proxies.close(),
    () => store.close(),
  );
  return { store, proxies };
}

type Line = { kind: string; revision: number; resources?: Resource[]; upserts?: Resource[]; deletes?: string[] };

/** A proxy's end of the stream: `next()` resolves with the next line. */
function stream(): { sink: { write(text: string): void; end(): void }; next: () => Promise<Line>; ended: boolean } {
  const lines: Line[] = [];
  let wake: (() => void) | null = null;
  const self = {
    ended: false,
    sink: {
      write(text: string): void {
        lines.push(JSON.parse(text) as Line);
        wake?.();
      },
      end: (): void => void (self.ended = true),
    },
    next: async (): Promise<Line> => {
      while (lines.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return lines.shift()!;
    },
  };
  return self;
}

const vs = (name: string, extra: object = {}): Resource => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name, namespace: 'default', ...extra },
  spec: { hosts: [name] },
});
const report = (revision: number, accepted = true): ProxyReport => ({
  revision,
  accepted,
  version: 'v',
  problems: [],
  role: 'sidecar',
  workload: 'w',
  ip: '127.1.0.1',
  metricsPort: 15_020,
  pid: 1,
  startedAt: '',
});

describe('proxies', () => {
  test('a proxy is sent everything it needs first, without what only kubectl reads', async () => {
    const { store, proxies } = setup();
    store.put(
      vs('reviews', { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' }, managedFields: [] }),
      ME,
    );
    store.put({ ...vs('s'), apiVersion: 'v1', kind: 'Secret' }, ME);
    const { sink, next } = stream();
    proxies.connect('p.default', sink);
    const first = await next();
    expect(first).toMatchObject({ kind: 'set', revision: 2 });
    expect(first.resources?.map((r) => r.kind)).toEqual(['VirtualService']);
    expect(first.resources?.[0]?.metadata).not.toHaveProperty('annotations');
    expect(first.resources?.[0]?.metadata).not.toHaveProperty('managedFields');
  });

  test('of the ConfigMaps, a proxy is told of the mesh’s own', async () => {
    const { store, proxies } = setup();
    const map = (name: string, mesh: string): Resource =>
      ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace: 'istio-system' },
        data: { mesh },
      }) as unknown as Resource;
    store.put(map('istio', 'a: b'), ME);
    store.put(map('other', ''), ME);
    const { sink, next } = stream();
    proxies.connect('p.default', sink);
    expect((await next()).resources).toMatchObject([{ metadata: { name: 'istio' }, data: { mesh: 'a: b' } }]);
    store.put(map('other', 'c: d'), ME);
    store.put(map('istio', 'e: f'), ME);
    expect((await next()).upserts).toMatchObject([{ metadata: { name: 'istio' }, data: { mesh: 'e: f' } }]);
  });

  test('changes that come together are one line, with the last state of each resource', async () => {
    const { store, proxies } = setup();
    store.put(vs('old'), ME);
    const { sink, next } = stream();
    proxies.connect('p.default', sink);
    await next();
    store.put(vs('a'), ME);
    store.put({ ...vs('a'), spec: { hosts: ['changed'] } }, ME);
    store.remove('VirtualService', 'default', 'old', ME);
    const line = await next();
    expect(line).toMatchObject({ kind: 'change', revision: store.revision, deletes: ['VirtualService/default/old'] });
    expect(line.upserts?.map((r) => r.spec)).toEqual([{ hosts: ['changed'] }]);
  });

  test('it is STALE until it reports the revision, then SYNCED with the time that took, and DISCONNECTED in the end', async () => {
    const { store, proxies } = setup();
    store.put({ ...vs('p'), apiVersion: 'v1', kind: 'Pod' }, ME);
    const { sink, next } = stream();
    const gone = proxies.connect('p.default', sink);
    proxies.report('p.default', report((await next()).revision));
    expect(proxies.list()).toMatchObject([{ proxy: 'p.default', sync: 'SYNCED', workload: 'w' }]);
    store.put(vs('a'), ME);
    expect(proxies.list()).toMatchObject([{ sync: 'STALE' }]); // before it has been told
    const { revision } = await next();
    expect(proxies.list()).toMatchObject([{ sync: 'STALE', sent: revision, revision: revision - 1 }]);
    proxies.report('p.default', report(revision));
    expect(proxies.list()).toMatchObject([{ sync: 'SYNCED', revision }]);
    expect(proxies.list()[0]?.pushMs).toBeGreaterThan(0);
    gone();
    expect(proxies.list()).toMatchObject([{ sync: 'DISCONNECTED' }]);
    store.remove('Pod', 'default', 'p', ME);
    expect(proxies.list()).toEqual([]);
  });

  test('a pod that has run to its end stays listed, its proxy does not', async () => {
    const { store, proxies } = setup();
    const pod = (phase: string) => store.put({ ...vs('p'), apiVersion: 'v1', kind: 'Pod', status: { phase } }, ME);
    pod('Running');
    const gone = proxies.connect('p.default', stream().sink);
    pod('Succeeded');
    expect(proxies.list()).toHaveLength(1);
    gone();
    expect(proxies.list()).toEqual([]);
    pod('Running');
    proxies.connect('p.default', stream().sink)();
    expect(proxies.list()).toMatchObject([{ sync: 'DISCONNECTED' }]);
    pod('Failed');
    expect(proxies.list()).toEqual([]);
  });

  test('a revision it does not accept shows as REJECTED', async () => {
    const { proxies } = setup();
    const { sink, next } = stream();
    proxies.connect('p.default', sink);
    proxies.report('p.default', report((await next()).revision, false));
    expect(proxies.list()).toMatchObject([{ sync: 'REJECTED', accepted: false }]);
  });

  test('settled waits for every connected proxy, but not for one that goes, nor for changes that are none of its business', async () => {
    const { store, proxies } = setup();
    const [a, b] = [stream(), stream()];
    proxies.connect('a.default', a.sink);
    const bGone = proxies.connect('b.default', b.sink);
    proxies.report('a.default', report((await a.next()).revision));
    proxies.report('b.default', report((await b.next()).revision));
    store.put({ ...vs('e'), apiVersion: 'v1', kind: 'Event' }, ME);
    await proxies.settled(store.revision);

    store.put(vs('x'), ME);
    let done = false;
    const settled = proxies.settled(store.revision).then(() => (done = true));
    proxies.report('a.default', report((await a.next()).revision));
    await Promise.resolve();
    expect(done).toBe(false);
    bGone();
    await settled;
  });

  test('a second stream of the same proxy ends the first', () => {
    const { proxies } = setup();
    const [first, second] = [stream(), stream()];
    const firstGone = proxies.connect('p.default', first.sink);
    proxies.connect('p.default', second.sink);
    firstGone();
    expect(first.ended).toBe(true);
    expect(proxies.list()[0]?.sync).toBe('STALE');
  });
});

describe('reports', () => {
  const read = (body: unknown): ProxyReport => readReport(Buffer.from(JSON.stringify(body)), 'application/json');
  test('are taken as they are, missing parts empty', () => {
    expect(read({ revision: 3, accepted: true, pid: 7 })).toMatchObject({
      revision: 3,
      accepted: true,
      pid: 7,
      workload: '',
    });
  });
  for (const [body, says] of [
    [[], /as a JSON object/],
    [{ accepted: true }, /revision: expected a whole number/],
    [{ revision: 1.5, accepted: true }, /revision/],
    [{ revision: 1, accepted: 'yes' }, /accepted: expected true or false/],
    [{ revision: 1, accepted: true, problems: {} }, /problems: expected a list/],
  ] as const) {
    test(`${JSON.stringify(body)} is refused, naming the field`, () => expect(() => read(body)).toThrow(says));
  }
});
