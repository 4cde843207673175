import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';
import type { Resource } from '#proxy/istio/resource.ts';
import { openStore, type HistoryStore } from './open-store.ts';
import { ConflictError, type Author, type StoreEvent } from './store.ts';

const ME: Author = { via: 'kubectl', user: 'local' };
const RUNNER: Author = { via: 'runner', user: 'system' };

const open: HistoryStore[] = [];
const dirs: string[] = [];
afterEach(() => {
  for (const store of open.splice(0)) store.close();
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

function store(dir: string | null = null): HistoryStore {
  const opened = openStore({ dir });
  open.push(opened);
  return opened;
}

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-store-'));
  dirs.push(dir);
  return dir;
}

const vs = (name: string, spec: object = { hosts: [name] }, extra: object = {}): Resource => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name, namespace: 'default' },
  spec,
  ...extra,
});
const pod = (name: string): Resource => ({ ...vs(name), apiVersion: 'v1', kind: 'Pod' });

describe('store', () => {
  test('a new resource gets an identity, generation 1 and the number of its revision', () => {
    const s = store();
    const stored = s.put(vs('reviews'), ME);
    expect(stored.metadata).toMatchObject({ generation: 1, resourceVersion: '1' });
    expect(stored.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(stored.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(s.revision).toBe(1);
  });

  test('a resource equal to what is stored changes nothing, whatever server-owned fields it carries', () => {
    const s = store();
    const stored = s.put(vs('reviews'), ME);
    const again = { ...vs('reviews'), metadata: { ...vs('reviews').metadata, resourceVersion: '9', generation: 7 } };
    expect(s.put(again, ME)).toBe(stored);
    expect(s.revision).toBe(1);
  });

  for (const { change, next, generation } of [
    { change: 'of the spec', next: vs('reviews', { hosts: ['a'] }), generation: 2 },
    { change: 'of the status alone', next: vs('reviews', undefined, { status: { ok: true } }), generation: 1 },
    {
      change: 'of labels',
      next: { ...vs('reviews'), metadata: { ...vs('x').metadata, name: 'reviews', labels: { a: 'b' } } },
      generation: 1,
    },
  ]) {
    test(`a change ${change} leaves generation ${generation}, the uid and the time of creation`, () => {
      const s = store();
      const before = s.put(vs('reviews'), ME);
      const after = s.put(next, ME);
      const { uid, creationTimestamp } = before.metadata;
      expect(after.metadata).toMatchObject({ uid, creationTimestamp, generation, resourceVersion: '2' });
    });
  }

  test('what is stored is frozen, and apart from what was given', () => {
    const s = store();
    const given = vs('reviews', { hosts: ['reviews'] });
    const stored = s.put(given, ME);
    (given.spec as { hosts: string[] }).hosts.push('other');
    expect(stored.spec).toEqual({ hosts: ['reviews'] });
    expect(() => (stored.spec as { hosts: string[] }).hosts.push('x')).toThrow(TypeError);
  });

  test('putting in place of another resourceVersion than is stored is a conflict and changes nothing', () => {
    const s = store();
    const { resourceVersion } = s.put(vs('reviews'), ME).metadata;
    s.put(vs('reviews', { hosts: ['a'] }), ME, resourceVersion);
    expect(() => s.put(vs('reviews', { hosts: ['b'] }), ME, resourceVersion)).toThrow(ConflictError);
    expect(() => s.put(vs('nobody'), ME, '1')).toThrow(/it is gone/);
    expect(s.revision).toBe(2);
  });

  test('lists are in the order of namespace and name', () => {
    const s = store();
    for (const name of ['b', 'c', 'a']) s.put(vs(name), ME);
    s.put({ ...vs('z'), metadata: { name: 'z', namespace: 'alpha' } }, ME);
    expect(s.list('VirtualService').map((r) => r.metadata.name)).toEqual(['z', 'a', 'b', 'c']);
    expect(s.list('VirtualService', 'alpha').map((r) => r.metadata.name)).toEqual(['z']);
    expect(s.list('Gateway')).toEqual([]);
  });

  test('listeners hear every change once, in order, even of changes made by a listener', () => {
    const s = store();
    const heard: string[] = [];
    const tell = ({ type, resource, revision }: StoreEvent): void =>
      void heard.push(`${revision} ${type} ${resource.metadata.name}`);
    s.subscribe(({ type, resource }) => {
      if (type === 'ADDED' && resource.metadata.name === 'a') s.put(vs('made-by-listener'), ME);
    });
    const stop = s.subscribe(tell);
    s.put(vs('a'), ME);
    s.put(vs('a', { hosts: ['b'] }), ME);
    s.remove('VirtualService', 'default', 'a', ME);
    expect(s.remove('VirtualService', 'default', 'a', ME)).toBeUndefined();
    stop();
    s.put(vs('c'), ME);
    expect(heard).toEqual(['1 ADDED a', '2 ADDED made-by-listener', '3 MODIFIED a', '4 DELETED a']);
  });

  test('changes since a revision are told until they are too many to keep', () => {
    const s = store();
    s.put(vs('a'), ME);
    s.put(vs('b'), ME);
    s.remove('VirtualService', 'default', 'a', ME);
    expect(s.since(1)?.map((e) => `${e.type} ${e.resource.metadata.name}`)).toEqual(['ADDED b', 'DELETED a']);
    expect(s.since(3)).toEqual([]);
    for (let i = 0; i < 3500; i++) {
      s.put(pod(`p${i % 50}`), RUNNER);
      s.remove('Pod', 'default', `p${i % 50}`, RUNNER);
    }
    expect(s.since(3)).toBeNull();
    expect(s.since(s.revision - 10)).toHaveLength(10);
  });

  test('history tells who did what, newest first, without changes of status', () => {
    const s = store();
    s.put(vs('a'), ME);
    s.put(vs('a', undefined, { status: { ready: true } }), RUNNER);
    s.put(vs('a', { hosts: ['x'] }), { via: 'files', user: 'local' });
    s.remove('VirtualService', 'default', 'a', ME);
    const told = s.history({ kind: 'VirtualService' }).map((c) => `${c.revision} ${c.verb} by ${c.author.via}`);
    expect(told).toEqual(['4 delete by kubectl', '3 update by files', '1 create by kubectl']);
    expect(s.history({ limit: 1 })[0]).toMatchObject({ resource: null, name: 'a' });
  });
});

describe('store on disk', () => {
  test('resources and history survive a restart; what the runner made does not; revisions go on', () => {
    const dir = tempDir();
    const first = openStore({ dir });
    const kept = first.put(vs('reviews'), ME);
    first.put(pod('reviews-1'), RUNNER);
    first.put({ ...pod('setup') }, ME);
    const { revision } = first;
    first.close();

    const second = store(dir);
    expect(second.get('VirtualService', 'default', 'reviews')).toEqual(kept);
    expect(second.list('Pod').map((p) => p.metadata.name)).toEqual(['setup']);
    expect(second.revision).toBe(revision);
    expect(second.put(vs('new'), ME).metadata.resourceVersion).toBe(String(revision + 1));
    expect(second.history({}).map((c) => c.name)).toEqual(['new', 'setup', 'reviews']);
    expect(second.since(revision - 1)).toBeNull();
  });

  test('a second control plane on the same directory is refused, by name', () => {
    const dir = tempDir();
    store(dir).put(vs('a'), ME);
    expect(() => openStore({ dir })).toThrow(/another control API has it open/);
  });

  test(
    'every acknowledged change survives SIGKILL, and no revision is given out twice',
    { timeout: 30_000 },
    async () => {
      const dir = tempDir();
      const child = spawn(process.execPath, [join(import.meta.dirname, 'open-store.victim.ts'), dir], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const acknowledged: { name: string; resourceVersion: string }[] = [];
      let newest = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        const [kind, name = '', resourceVersion = ''] = line.split(' ');
        newest = Number(resourceVersion);
        if (kind === 'VirtualService') acknowledged.push({ name, resourceVersion });
        if (acknowledged.length === 40) child.kill('SIGKILL');
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      expect(child.signalCode).toBe('SIGKILL');

      const s = store(dir);
      for (const { name, resourceVersion } of acknowledged) {
        expect(s.get('VirtualService', 'default', name)?.metadata.resourceVersion).toBe(resourceVersion);
      }
      expect(s.list('Pod')).toEqual([]);
      expect(s.revision).toBeGreaterThanOrEqual(newest);
    },
  );
});
