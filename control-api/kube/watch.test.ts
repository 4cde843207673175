import { afterEach, describe, expect, test } from 'vitest';
import { openStore } from '../open-store.ts';
import { call, start, stopAll, VS, vs, watch } from '../server.kit.ts';

afterEach(stopAll);

describe('watching', () => {
  test('tells of changes after a revision, as they happen, and of what begins or ceases to match', async () => {
    const api = await start();
    await call(api, 'POST', VS, vs('before', 'v1', { labels: { team: 'x' } }));
    const { revision } = api.store;
    await call(api, 'POST', VS, vs('missed', 'v1', { labels: { team: 'x' } }));
    const w = await watch(api, `${VS}?watch=true&resourceVersion=${revision}&labelSelector=team%3Dx`);
    expect(await w.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'missed' } } });
    await call(api, 'POST', VS, vs('other'));
    await call(api, 'PUT', `${VS}/before`, vs('before', 'v1', { labels: { team: 'y' } }));
    expect(await w.next()).toMatchObject({
      type: 'DELETED',
      object: { metadata: { name: 'before', labels: { team: 'x' } } },
    });
    await call(api, 'PUT', `${VS}/before`, vs('before', 'v1', { labels: { team: 'x' } }));
    expect(await w.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'before' } } });
    await call(api, 'DELETE', `${VS}/missed`);
    expect(await w.next()).toMatchObject({
      type: 'DELETED',
      object: { metadata: { name: 'missed', resourceVersion: String(api.store.revision) } },
    });
    w.stop();
  });

  test('streams a list first when asked, ending it with a bookmark', async () => {
    const api = await start();
    await call(api, 'POST', VS, vs('a'));
    const w = await watch(
      api,
      `${VS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan`,
    );
    expect(await w.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'a' } } });
    expect(await w.next()).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'VirtualService', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
    w.stop();
  });

  test('gives tables: columns once, then rows', async () => {
    const api = await start();
    await call(api, 'POST', VS, vs('a'));
    const w = await watch(api, `${VS}?watch=true`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    const first = await w.next();
    expect(first.object.columnDefinitions[0].name).toBe('Name');
    await call(api, 'POST', VS, vs('b'));
    expect((await w.next()).object).toMatchObject({
      columnDefinitions: null,
      rows: [{ object: { metadata: { name: 'b' } } }],
    });
    w.stop();
  });

  test('ends when its time is over', async () => {
    const api = await start();
    const w = await watch(api, `${VS}?watch=true&timeoutSeconds=0.05`);
    await w.ended();
  });

  test('from a revision that is not kept any more is 410 Gone', async () => {
    const store = openStore({ dir: null });
    const api = await start({ store });
    for (let i = 0; i < 7000; i++) {
      store.put(
        { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e', namespace: 'default' }, spec: { i } },
        { via: 'runner', user: '' },
      );
    }
    const { status, body } = await call(api, 'GET', `${VS}?watch=true&resourceVersion=3`);
    expect([status, body.reason]).toEqual([410, 'Expired']);
  });

  test('a revision that was never given out is of another mesh: its client has to list again', async () => {
    const api = await start();
    const { status, body } = await call(api, 'GET', `${VS}?watch=1&resourceVersion=${api.store.revision + 1}`);
    expect([status, body.reason]).toEqual([410, 'Expired']);
  });
});
