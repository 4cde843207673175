import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { openStore, type HistoryStore } from '../open-store.ts';
import { seed } from '../seed.ts';
import type { StoreEvent } from '../store.ts';
import { ingestFiles, type FileIngest } from './file.ts';

const KUBECTL = { via: 'kubectl', user: 'local' };
const log = pino({ enabled: false });
const cleanups: (() => void)[] = [];
afterEach(() =>
  cleanups
    .splice(0)
    .reverse()
    .forEach((cleanup) => cleanup()),
);

function setup(files: Record<string, string>): {
  store: HistoryStore;
  dir: string;
  write: (path: string, text: string) => void;
  start: () => FileIngest;
} {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-files-'));
  const store = openStore({ dir: null });
  seed(store);
  cleanups.push(
    () => rmSync(dir, { recursive: true }),
    () => store.close(),
  );
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  const start = (): FileIngest => {
    const ingest = ingestFiles({
      dir,
      store,
      log,
      watch: (path, changed) => {
        const watcher = watch(path, changed);
        return { refresh() {}, close: () => watcher.close() };
      },
    });
    cleanups.push(() => ingest.close());
    return ingest;
  };
  return { store, dir, write, start };
}

const vs = (name: string, subset = 'v1'): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec:
  hosts: [${name}]
  http: [{ route: [{ destination: { host: ${name}, subset: ${subset} } }] }]
`;
const names = (store: HistoryStore): string[] => store.list('VirtualService').map((r) => r.metadata.name);
const subsetOf = (store: HistoryStore, name: string): unknown =>
  JSON.stringify(store.get('VirtualService', 'default', name)?.spec).match(/"subset":"(\w+)"/)?.[1];

describe('files', () => {
  test('what files say is in the store, from any depth and any number of documents', () => {
    const { store, start } = setup({
      'a.yaml': `${vs('one')}---\n${vs('two')}`,
      'deep/er/b.yml': vs('three'),
      'note.txt': 'no',
      '.#a.yaml': vs('lock'),
      '..data/a.yaml': vs('one'),
    });
    expect(start().problems()).toEqual([]);
    expect(names(store)).toEqual(['one', 'three', 'two']);
    expect(store.history({ name: 'one' })[0]).toMatchObject({ author: { via: 'files' }, verb: 'create' });
  });

  test('a file that changes changes the store by itself; one that goes takes its resources along', async () => {
    const { store, dir, write, start } = setup({ 'a.yaml': vs('one'), 'b.yaml': vs('two') });
    start();
    const next = (type: StoreEvent['type']): Promise<StoreEvent> =>
      new Promise((resolve) => {
        const stop = store.subscribe((event) => {
          if (event.type !== type) return;
          stop();
          resolve(event);
        });
      });
    const modified = next('MODIFIED');
    write('a.yaml', vs('one', 'v2'));
    expect((await modified).resource.metadata.name).toBe('one');
    expect(subsetOf(store, 'one')).toBe('v2');
    const deleted = next('DELETED');
    unlinkSync(join(dir, 'b.yaml'));
    expect((await deleted).resource.metadata.name).toBe('two');
  });

  test('a broken file keeps what it said last, tells where it is broken, and lets the others through', () => {
    const { store, write, start } = setup({ 'a.yaml': `${vs('one')}---\n${vs('two')}`, 'b.yaml': vs('three') });
    const ingest = start();
    write('a.yaml', `${vs('one', 'v3')}---\n${vs('two').replace('hosts', 'hostz')}`);
    write('b.yaml', vs('three', 'v2'));
    ingest.rescan();
    expect(names(store)).toEqual(['one', 'three', 'two']);
    expect([subsetOf(store, 'one'), subsetOf(store, 'three')]).toEqual(['v3', 'v2']);
    expect(ingest.problems()).toMatchObject([{ severity: 'error', file: 'a.yaml', path: 'spec.hostz', line: 12 }]);
    write('a.yaml', vs('one', 'v3'));
    ingest.rescan();
    expect(ingest.problems()).toEqual([]);
    expect(names(store)).toEqual(['one', 'three']);
  });

  test('what kubectl made is neither changed nor removed, and that is told', () => {
    const { store, dir, start } = setup({ 'a.yaml': vs('mine') });
    const metadata = { name: 'mine', namespace: 'default' };
    const made = store.put(
      { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata, spec: { hosts: ['x'] } },
      KUBECTL,
    );
    const ingest = start();
    expect(ingest.problems()).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('not made from a file') as string },
    ]);
    unlinkSync(join(dir, 'a.yaml'));
    ingest.rescan();
    expect(store.get('VirtualService', 'default', 'mine')).toBe(made);
    expect(ingest.problems()).toEqual([]);
  });

  test('a copy of a file’s resource under another name is not the file’s', () => {
    const { store, start } = setup({ 'a.yaml': vs('one') });
    const ingest = start();
    const one = store.get('VirtualService', 'default', 'one')!;
    store.put({ ...one, metadata: { ...one.metadata, name: 'copy' } }, KUBECTL);
    ingest.rescan();
    expect(names(store)).toEqual(['copy', 'one']);
  });

  test('a change made with kubectl outlives a restart, until the file itself changes', () => {
    const { store, write, start } = setup({ 'a.yaml': vs('one') });
    start().close();
    const one = store.get('VirtualService', 'default', 'one')!;
    store.put(
      { ...one, spec: { hosts: ['one'], http: [{ route: [{ destination: { host: 'one', subset: 'v9' } }] }] } },
      KUBECTL,
    );
    const again = start();
    expect(subsetOf(store, 'one')).toBe('v9');
    write('a.yaml', vs('one', 'v2'));
    again.rescan();
    expect(subsetOf(store, 'one')).toBe('v2');
  });

  test('what a file stopped saying while nobody watched is removed at the start', () => {
    const { store, write, start } = setup({ 'a.yaml': `${vs('one')}---\n${vs('two')}` });
    start().close();
    write('a.yaml', vs('one'));
    start();
    expect(names(store)).toEqual(['one']);
  });

  test('a directory that goes away takes nothing along, and counts again when it is back', () => {
    const { store, dir, write, start } = setup({ 'a.yaml': vs('one') });
    const ingest = start();
    rmSync(dir, { recursive: true });
    ingest.rescan();
    expect(names(store)).toEqual(['one']);
    write('b.yaml', vs('two'));
    ingest.rescan();
    expect(names(store)).toEqual(['two']);
  });

  test('a file that is too large is told of and keeps what it said', () => {
    const { store, write, start } = setup({ 'a.yaml': vs('one') });
    const ingest = start();
    write('a.yaml', `# ${'x'.repeat(5_000_000)}`);
    ingest.rescan();
    expect(ingest.problems()).toMatchObject([
      { severity: 'error', file: 'a.yaml', message: expect.stringContaining('4194304') as string },
    ]);
    expect(names(store)).toEqual(['one']);
  });

  test('of two files that say the same, the first by name counts', () => {
    const { store, start } = setup({ 'a.yaml': vs('one', 'v1'), 'b.yaml': vs('one', 'v2') });
    expect(start().problems()).toMatchObject([{ file: 'b.yaml', message: 'a.yaml says this too; only one file can' }]);
    expect(subsetOf(store, 'one')).toBe('v1');
  });

  test('links to devices, to nowhere and to themselves are no files', () => {
    const { store, dir, start } = setup({ 'z.yaml': vs('one') });
    for (const [name, target] of Object.entries({ device: '/dev/zero', nowhere: 'none', loop: 'loop.yaml' })) {
      symlinkSync(target, join(dir, `${name}.yaml`));
    }
    expect(start().problems()).toEqual([]);
    expect(names(store)).toEqual(['one']);
  });
});
