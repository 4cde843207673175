import { afterEach, describe, expect, test } from 'vitest';
import type { Resource } from '#proxy/istio/resource.ts';
import { openStore, type HistoryStore } from './open-store.ts';
import { call, start, stopAll, VS, vs, type Answer } from './server.kit.ts';
import type { ControlApi } from './server.ts';
import type { Author } from './store.ts';

afterEach(stopAll);

const AGENT = { 'user-agent': 'lateen' };
const RUNNER: Author = { via: 'runner', user: 'system:lateen' };

const roll = (api: ControlApi, body: unknown, headers: Record<string, string> = AGENT): Promise<Answer> =>
  call(api, 'POST', '/lateen/v1/rollback', body, headers);
const only = (name: string, kind = 'VirtualService', namespace = 'default'): object[] => [{ kind, namespace, name }];
const subsetOf = (resource: Resource | undefined): unknown =>
  (resource?.spec as { http: { route: { destination: { subset: string } }[] }[] } | undefined)?.http[0]!.route[0]!
    .destination.subset;
const subset = (api: ControlApi, name: string): unknown => subsetOf(api.store.get('VirtualService', 'default', name));
const outcomes = ({ body }: Answer): string[] =>
  (body.items as { kind: string; name: string; outcome: string }[]).map((i) => `${i.kind}/${i.name} ${i.outcome}`);

async function put(api: ControlApi, name: string, to: string, metadata: object = {}): Promise<number> {
  const there = api.store.get('VirtualService', 'default', name) !== undefined;
  const { status } = there
    ? await call(api, 'PUT', `${VS}/${name}`, vs(name, to, metadata))
    : await call(api, 'POST', VS, vs(name, to, metadata));
  expect(status).toBeLessThan(300);
  return api.store.revision;
}

describe('rollback of one resource', () => {
  test('brings back spec, labels and annotations, and is a change of its own', async () => {
    const api = await start();
    const then = await put(api, 'reviews', 'v1', { labels: { team: 'a' } });
    await put(api, 'reviews', 'v3', { labels: { team: 'b', more: 'c' } });
    const uid = api.store.get('VirtualService', 'default', 'reviews')!.metadata.uid;
    const answer = await roll(api, { revision: then, only: only('reviews') });
    expect([answer.status, outcomes(answer)]).toEqual([200, ['VirtualService/reviews configured']]);
    expect(subset(api, 'reviews')).toBe('v1');
    expect(api.store.get('VirtualService', 'default', 'reviews')!.metadata).toMatchObject({
      uid,
      labels: { team: 'a' },
      generation: 3,
      resourceVersion: String(answer.body.revision),
    });
    const [newest] = api.store.history({ name: 'reviews', limit: 1 });
    expect(newest).toMatchObject({
      revision: answer.body.revision,
      verb: 'update',
      author: { via: 'lateen', user: 'local', message: `rollback to ${then}` },
    });
  });

  test('can be rolled back itself', async () => {
    const api = await start();
    const one = await put(api, 'reviews', 'v1');
    const two = await put(api, 'reviews', 'v2');
    await roll(api, { revision: one, only: only('reviews') });
    await roll(api, { revision: two, only: only('reviews') });
    expect(subset(api, 'reviews')).toBe('v2');
  });

  test('what is as it was then is left alone', async () => {
    const api = await start();
    const then = await put(api, 'reviews', 'v1');
    await put(api, 'reviews', 'v2');
    await put(api, 'reviews', 'v1');
    const { revision } = api.store;
    for (const to of [then, revision])
      expect(outcomes(await roll(api, { revision: to, only: only('reviews') }))).toEqual([
        'VirtualService/reviews unchanged',
      ]);
    expect(api.store.revision).toBe(revision);
  });

  test('what did not exist then is deleted; what was deleted since is made again', async () => {
    const api = await start();
    const then = await put(api, 'old', 'v1');
    await put(api, 'new', 'v1');
    await call(api, 'DELETE', `${VS}/old`);
    const answer = await roll(api, { revision: then, only: [...only('old'), ...only('new')] });
    expect(outcomes(answer)).toEqual(['VirtualService/old created', 'VirtualService/new deleted']);
    expect(api.store.list('VirtualService').map((r) => r.metadata.name)).toEqual(['old']);
  });

  test('another resource that has taken its name since becomes what it was', async () => {
    const api = await start();
    const then = await put(api, 'reviews', 'v1');
    await call(api, 'DELETE', `${VS}/reviews`);
    await put(api, 'reviews', 'v3');
    expect(outcomes(await roll(api, { revision: then, only: only('reviews') }))).toEqual([
      'VirtualService/reviews configured',
    ]);
    expect(subset(api, 'reviews')).toBe('v1');
  });

  test('status is not rolled back: it says what is', async () => {
    const api = await start();
    const then = await put(api, 'reviews', 'v1');
    const stored = api.store.get('VirtualService', 'default', 'reviews')!;
    await put(api, 'reviews', 'v2');
    const now = api.store.get('VirtualService', 'default', 'reviews')!;
    api.store.put({ ...now, status: { observedGeneration: 2 } }, RUNNER);
    await roll(api, { revision: then, only: only('reviews') });
    const after = api.store.get('VirtualService', 'default', 'reviews')!;
    expect([after.spec, after.status]).toEqual([stored.spec, { observedGeneration: 2 }]);
  });

  test('what nobody knows is not found', async () => {
    const api = await start();
    const answer = await roll(api, { revision: 1, only: only('reviewz') });
    expect([answer.status, answer.body.message]).toEqual([
      404,
      'virtualservices.networking.istio.io "reviewz" not found',
    ]);
  });

  test('what only the runner made has no history', async () => {
    const api = await start();
    const pod: Resource = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'reviews-0', namespace: 'default' },
      spec: { containers: [] },
    };
    api.store.put(pod, RUNNER);
    const answer = await roll(api, { revision: 1, only: only('reviews-0', 'Pod') });
    expect([answer.status, answer.body.message]).toEqual([
      400,
      'Pod default/reviews-0 has no history: what the runner makes is not kept',
    ]);
  });
});

describe('rollback of everything', () => {
  test('concerns what people changed, not what the runner did', async () => {
    const api = await start();
    const account = (name: string): Resource => ({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name, namespace: 'default' },
      spec: undefined,
    });
    const then = await put(api, 'reviews', 'v1');
    api.store.put(account('made'), RUNNER);
    await put(api, 'reviews', 'v2');
    await put(api, 'brief', 'v2');
    await call(api, 'DELETE', `${VS}/brief`);
    await put(api, 'details', 'v2');
    const answer = await roll(api, { revision: then });
    expect(outcomes(answer)).toEqual(['VirtualService/reviews configured', 'VirtualService/details deleted']);
    expect(api.store.get('ServiceAccount', 'default', 'made')).toBeDefined();
    expect(outcomes(await roll(api, { revision: then }))).not.toContain('VirtualService/brief deleted');
  });

  test('a kind or a namespace narrows it', async () => {
    const api = await start();
    const then = api.store.revision;
    await put(api, 'reviews', 'v2');
    await call(api, 'POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'staging' },
    });
    const there = VS.replace('/default/', '/staging/');
    await call(api, 'POST', there, vs('reviews', 'v9'));
    expect(outcomes(await roll(api, { revision: then, only: [{ kind: 'Gateway' }], dryRun: true }))).toEqual([]);
    expect(outcomes(await roll(api, { revision: then, only: [{ namespace: 'staging' }] }))).toEqual([
      'VirtualService/reviews deleted',
    ]);
    expect(subset(api, 'reviews')).toBe('v2');
  });

  test('a namespace comes back before what was in it, and goes after it', async () => {
    const api = await start();
    const before = api.store.revision;
    await call(api, 'POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'staging' },
    });
    await call(api, 'POST', VS.replace('/default/', '/staging/'), vs('reviews', 'v9'));
    const full = api.store.revision;
    expect((await roll(api, { revision: before })).status).toBe(200);
    expect(api.store.get('Namespace', '', 'staging')).toBeUndefined();
    expect((await roll(api, { revision: full })).status).toBe(200);
    expect(subsetOf(api.store.get('VirtualService', 'staging', 'reviews'))).toBe('v9');
  });

  test('is all or nothing: one that does not validate any more stops it, with every problem', async () => {
    const api = await start();
    // As an earlier version, which knew less, let them in.
    const bad = { ...vs('bad'), spec: { hosts: [], http: [{ rout: [] }] } } as unknown as Resource;
    api.store.put({ ...bad, metadata: { name: 'bad', namespace: 'default' } }, { via: 'kubectl', user: 'local' });
    const then = await put(api, 'reviews', 'v1');
    await put(api, 'reviews', 'v2');
    await put(api, 'bad', 'v1');
    const { revision } = api.store;
    const answer = await roll(api, { revision: then });
    expect(answer.status).toBe(422);
    expect(answer.body.message).toMatch(
      new RegExp(`^nothing was rolled back to revision ${then}: VirtualService.networking.istio.io "bad" is invalid: `),
    );
    const fields = (answer.body.details.causes as { field: string }[]).map(({ field }) => field);
    expect(fields).toContain('VirtualService default/bad spec.http[0].rout');
    expect([api.store.revision, subset(api, 'reviews')]).toEqual([revision, 'v2']);
  });

  test('a namespace that always is stays, and so does everything else then', async () => {
    const api = await start();
    await put(api, 'reviews', 'v1');
    api.store.put(
      {
        ...api.store.get('Namespace', '', 'default')!,
        metadata: { name: 'default', namespace: '', labels: { a: 'b' } },
      },
      { via: 'kubectl', user: 'local' },
    );
    const answer = await roll(api, { revision: 0 });
    expect([answer.status, answer.body.reason]).toEqual([403, 'Forbidden']);
    expect(subset(api, 'reviews')).toBe('v1');
  });

  test('a dry run tells the same with bodies, and changes nothing', async () => {
    const api = await start();
    const then = await put(api, 'reviews', 'v1');
    await put(api, 'reviews', 'v2');
    await put(api, 'new', 'v2');
    const { revision } = api.store;
    const { body } = await roll(api, { revision: then, dryRun: true });
    expect(
      body.items.map((i: { before: Resource; after: Resource | null }) => [
        subsetOf(i.before),
        i.after && subsetOf(i.after),
      ]),
    ).toEqual([
      ['v2', 'v1'],
      ['v2', null],
    ]);
    expect([api.store.revision, subset(api, 'reviews')]).toEqual([revision, 'v2']);
  });

  test('what somebody changed after it was looked at is not rolled over', async () => {
    const api = await start();
    const then = await put(api, 'reviews', 'v1');
    const seen = await put(api, 'reviews', 'v2');
    await put(api, 'other', 'v2');
    expect((await roll(api, { revision: then, only: only('reviews'), seen })).status).toBe(200);
    await put(api, 'reviews', 'v3');
    const late = await roll(api, { revision: then, seen });
    expect([late.status, late.body.reason]).toEqual([409, 'Conflict']);
    expect(subset(api, 'reviews')).toBe('v3');
  });

  test('warns of what is wrong together once all of it is back', async () => {
    const api = await start({
      analyze: (set) =>
        set.list('VirtualService').flatMap(({ kind, metadata: { name, namespace } }) =>
          set.size > 0 && set.get('VirtualService', 'default', 'extra') === undefined
            ? [
                {
                  severity: 'warning' as const,
                  path: 'spec.http[0]',
                  message: 'lost',
                  code: 'IST0101',
                  resource: { kind, name, namespace },
                },
              ]
            : [],
        ),
    });
    const then = await put(api, 'reviews', 'v1');
    await put(api, 'extra', 'v1');
    await put(api, 'reviews', 'v2');
    await put(api, 'untouched', 'v2');
    const { headers } = await roll(api, { revision: then, only: [...only('reviews'), ...only('extra')] });
    expect(headers.get('warning')).toBe('299 - "IST0101: VirtualService default/reviews spec.http[0]: lost"');
  });

  test('a disk that fills up half way is told of exactly', async () => {
    const disk = { left: Infinity };
    const api = await start({ store: onDisk(openStore({ dir: null }), disk) });
    for (const name of ['reviews', 'details']) await put(api, name, 'v1');
    const then = api.store.revision;
    for (const name of ['reviews', 'details']) await call(api, 'DELETE', `${VS}/${name}`);
    disk.left = 1;
    const { status, body } = await roll(api, { revision: then });
    expect([status, body.message]).toEqual([
      500,
      'VirtualService default/reviews could not be put back (disk full). Done: VirtualService default/details. Not done: VirtualService default/reviews.',
    ]);
    expect(api.store.list('VirtualService').map((r) => r.metadata.name)).toEqual(['details']);
  });
});

/** A store with room for so many more changes. */
function onDisk(store: HistoryStore, disk: { left: number }): HistoryStore {
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      if (key !== 'put') return value.bind(target) as unknown;
      return (...args: Parameters<HistoryStore['put']>): Resource => {
        if (disk.left <= 0) throw new Error('disk full');
        disk.left -= 1;
        return target.put(...args);
      };
    },
  });
}

describe('a request to roll back', () => {
  test.each<[unknown, number, string]>([
    [{}, 400, 'revision: expected the number of a revision, got nothing'],
    [{ revision: '41' }, 400, 'revision: expected the number of a revision, got 41'],
    [{ revision: -1 }, 400, 'revision: expected the number of a revision, got -1'],
    [{ revision: 1, to: 3 }, 400, 'unknown field "to": expected revision, only, dryRun, seen'],
    [{ revision: 1, dryRun: 'yes' }, 400, 'dryRun: expected true or false, got yes'],
    [{ revision: 1, only: [] }, 400, 'only: expected a list of 1 to 100 selections'],
    [{ revision: 1, only: ['vs'] }, 400, 'only[0]: expected an object with kind, namespace, name, got vs'],
    [
      { revision: 1, only: [{ kind: 'VirtualServise' }] },
      400,
      'only[0].kind: there is no VirtualServise; did you mean VirtualService?',
    ],
    [
      { revision: 1, only: [{ kind: 'Gateway', name: 'a' }] },
      400,
      'only[0]: a name needs its kind and its namespace ("" when the kind has none)',
    ],
    [[], 400, 'expected {"revision": N} in the body'],
    ['{', 400, "the body is not valid JSON: Expected property name or '}' in JSON at position 1 (line 1 column 2)"],
  ])('%j is refused', async (body, status, message) => {
    const api = await start();
    const answer = await roll(api, body);
    expect([answer.status, answer.body.message]).toEqual([status, message]);
  });

  test('to what is not there yet is refused, with what there is', async () => {
    const api = await start();
    const { revision } = api.store;
    expect((await roll(api, { revision: revision + 1 })).body.message).toBe(
      `revision: expected at most ${revision}, which is the newest, got ${revision + 1}`,
    );
  });

  test('of a web page of another origin is refused', async () => {
    const api = await start();
    const then = await put(api, 'reviews', 'v1');
    await put(api, 'reviews', 'v2');
    const { status } = await roll(api, { revision: then }, { origin: 'http://evil.example' });
    expect([status, subset(api, 'reviews')]).toEqual([403, 'v2']);
  });
});

test('history by people leaves out what the runner and the control plane did, and its limit counts what is left', async () => {
  const api = await start();
  await put(api, 'reviews', 'v1');
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'x', namespace: 'default' },
    spec: undefined,
  };
  for (const n of ['1', '2', '3'])
    api.store.put({ ...account, metadata: { ...account.metadata, labels: { n } } }, RUNNER);
  const names = async (query: string): Promise<string[]> =>
    (await call(api, 'GET', `/lateen/v1/history?${query}`)).body.changes.map((c: { name: string }) => c.name);
  expect(await names('limit=1&by=people')).toEqual(['reviews']);
  expect(await names('by=people')).toEqual(['reviews']);
  expect(await names('limit=2')).toEqual(['x', 'x']);
  expect((await call(api, 'GET', '/lateen/v1/history?by=me')).status).toBe(400);
});
