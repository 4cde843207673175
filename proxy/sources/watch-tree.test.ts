import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { watchTree, type TreeWatch } from './watch-tree.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0).reverse()) one();
});

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-watch-'));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** `heard`: a change comes after `act`, however often it takes to do it. */
function watched(dir: string): { tree: TreeWatch; failed: string[]; heard: (act: () => void) => Promise<void> } {
  let changes = 0;
  const failed: string[] = [];
  const tree = watchTree(
    dir,
    () => (changes += 1),
    (path) => failed.push(path),
  );
  undo.push(() => tree.close());
  return {
    tree,
    failed,
    async heard(act) {
      const before = changes;
      act();
      await vi.waitFor(() => expect(changes).toBeGreaterThan(before), { timeout: 5000 });
    },
  };
}

describe('watching a tree', () => {
  test('hears of files in the directory and in those below it, also in new ones', async () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'below'));
    const { heard, failed } = watched(dir);
    await heard(() => writeFileSync(join(dir, 'a.yaml'), 'a'));
    await heard(() => writeFileSync(join(dir, 'below', 'b.yaml'), 'b'));
    await heard(() => {
      mkdirSync(join(dir, 'new', 'deep'), { recursive: true });
    });
    await heard(() => writeFileSync(join(dir, 'new', 'deep', 'c.yaml'), 'c'));
    expect(failed).toEqual([]);
  });

  test('links to nowhere, to themselves and to the directory around them do no harm', async () => {
    const dir = tempDir();
    const { heard, failed } = watched(dir);
    symlinkSync('loop.yaml', join(dir, 'loop.yaml'));
    symlinkSync('.', join(dir, 'around'));
    await heard(() => symlinkSync('user@host.17', join(dir, '.#edited.yaml')));
    await heard(() => writeFileSync(join(dir, 'a.yaml'), 'a'));
    expect(failed).toEqual([]);
  });

  test('a directory that was replaced is heard of once it has been looked for', async () => {
    const dir = join(tempDir(), 'config');
    const { tree, heard } = watched(dir);
    mkdirSync(dir);
    tree.refresh();
    await heard(() => writeFileSync(join(dir, 'a.yaml'), 'a'));
    renameSync(dir, `${dir}.old`);
    mkdirSync(dir);
    tree.refresh();
    await heard(() => writeFileSync(join(dir, 'b.yaml'), 'b'));
  });
});
