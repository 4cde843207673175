import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from 'vitest';
import type { Resource } from '#proxy/istio/resource.ts';
import { openJournal, type Change, type Journal, type JournalLimits } from './journal.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0).reverse()) one();
});

const LIMITS: JournalLimits = {
  changes: 10,
  bytes: 100_000,
  pruneEvery: { changes: 5, bytes: 50_000 },
  toldCharacters: 60_000,
};

function journal(dir: string | null): Journal {
  const opened = openJournal(dir, LIMITS);
  undo.push(() => opened.close(0));
  return opened;
}

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-journal-'));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const change = (revision: number, size = 10): Change => ({
  revision,
  at: '2026-01-01T00:00:00.000Z',
  author: { via: 'kubectl', user: 'local' },
  verb: 'update',
  kind: 'ConfigMap',
  namespace: 'default',
  name: 'a',
  resource: { apiVersion: 'v1', kind: 'ConfigMap', metadata: {}, data: { a: 'x'.repeat(size) } } as unknown as Resource,
});
const revisions = (of: Journal): number[] => of.history({ limit: 100 }).map(({ revision }) => revision);

describe('journal', () => {
  test('the history keeps the newest changes, so many of them', () => {
    const j = journal(null);
    for (let i = 1; i <= 15; i++) j.append(change(i), false);
    expect(revisions(j)).toEqual([15, 14, 13, 12, 11, 10, 9, 8, 7, 6]);
  });

  test('large changes push the older out sooner, and one answer tells only as many as are worth sending', () => {
    const j = journal(null);
    for (let i = 1; i <= 6; i++) j.append(change(i, 40_000), false);
    expect(revisions(j)).toEqual([6, 5]);
    for (let i = 7; i <= 10; i++) j.append(change(i), false);
    expect(revisions(j)).toEqual([10, 9, 8, 7, 6, 5]);
  });

  test('nobody but its owner can read what it keeps: Secrets are in it', () => {
    const dir = tempDir();
    journal(dir).append(change(1), false);
    const files = readdirSync(dir).filter((file) => file.startsWith('journal.db'));
    expect(files.length).toBeGreaterThan(1);
    for (const file of files) expect([file, statSync(join(dir, file)).mode & 0o077]).toEqual([file, 0]);
  });

  test('tells what a resource was at a revision: as it was, not there, or no longer known', () => {
    const j = journal(null);
    const key = { kind: 'ConfigMap', namespace: 'default', name: 'a' };
    j.append({ ...change(1), verb: 'create' }, false);
    j.append(change(2, 20), false);
    j.append({ ...change(3), verb: 'delete', resource: null }, false);
    const size = (revision: number): number | null | undefined => {
      const found = j.at(revision, key);
      return found && (found as unknown as { data: { a: string } }).data.a.length;
    };
    expect([0, 1, 2, 3, 9].map(size)).toEqual([null, 10, 20, null, null]);
    j.append({ ...change(4), name: 'b' }, false);
    expect(j.at(3, { ...key, name: 'b' })).toBeUndefined();
  });

  test('tells what people changed since, as far back as it reaches', () => {
    const j = journal(null);
    for (let i = 1; i <= 4; i++) j.append({ ...change(i), name: `n${i % 2}` }, false);
    j.append({ ...change(5), name: 'runner', author: { via: 'runner', user: 'x' } }, false);
    const since = (revision: number): string[] | undefined => j.changedSince(revision)?.map(({ name }) => name);
    expect([since(0), since(3), since(4)]).toEqual([['n0', 'n1'], ['n0'], []]);
    for (let i = 6; i <= 15; i++) j.append(change(i), false);
    expect(revisions(j).at(-1)).toBe(6);
    expect([since(4), since(5)]).toEqual([undefined, ['a']]);
  });

  test('keeps what a change was for, also in a file of before there were messages', () => {
    const dir = tempDir();
    const old = new DatabaseSync(join(dir, 'journal.db'));
    old.exec(`CREATE TABLE changes (revision INTEGER PRIMARY KEY, at TEXT NOT NULL, via TEXT NOT NULL, user TEXT NOT NULL,
      verb TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body TEXT) STRICT;
      INSERT INTO changes VALUES (1, '2026-01-01T00:00:00.000Z', 'kubectl', 'local', 'create', 'ConfigMap', 'default', 'a', NULL)`);
    old.close();
    const j = journal(dir);
    j.append({ ...change(2), author: { via: 'lateen', user: 'local', message: 'rollback to 1' } }, false);
    expect(j.history({}).map(({ author }) => author)).toEqual([
      { via: 'lateen', user: 'local', message: 'rollback to 1' },
      { via: 'kubectl', user: 'local' },
    ]);
  });
});
