/**
 * Hears of changes below a directory. Node's own recursive watch watches every file, and on Linux it throws where nobody can
 * catch it when one of them is a link to itself, or is not the user's to read; here directories are watched, one by one.
 */
import { readdirSync, statSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';

export type TreeWatch = {
  /** Looks which directories there are by now. Call it now and then: a directory that was away is found again so. */
  refresh(): void;
  close(): void;
};

/** Each holds something of the kernel's (inotify), of which a user has some thousands. */
const MOST_DIRECTORIES = 1000;
/** A burst of changes is looked at once. */
const SETTLE_MS = 25;

/** `changed` may be called more often than something changes. `failed`: this directory's changes will not be heard. */
export function watchTree(dir: string, changed: () => void, failed: (dir: string, error: Error) => void): TreeWatch {
  const tree = new Tree(dir, changed, failed);
  tree.refresh();
  return tree;
}

class Tree implements TreeWatch {
  readonly #root: string;
  readonly #changed: () => void;
  readonly #failed: (dir: string, error: Error) => void;
  /** By path; the inode tells whether it is still the same directory. Null: it could not be watched. */
  readonly #watched = new Map<string, { readonly inode: number; readonly watcher: FSWatcher | null }>();
  #timer: NodeJS.Timeout | null = null;

  constructor(root: string, changed: () => void, failed: (dir: string, error: Error) => void) {
    this.#root = root;
    this.#changed = changed;
    this.#failed = failed;
  }

  refresh(): void {
    const found = directories(this.#root);
    for (const [path, { inode, watcher }] of this.#watched) {
      if (found.get(path) === inode) continue;
      watcher?.close();
      this.#watched.delete(path);
    }
    for (const [path, inode] of found) {
      if (this.#watched.has(path)) continue;
      this.#watched.set(path, { inode, watcher: this.#watch(path) });
      // What was put into it before it was watched has not been heard of.
      if (path !== this.#root) this.#changed();
    }
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const { watcher } of this.#watched.values()) watcher?.close();
    this.#watched.clear();
  }

  #watch(path: string): FSWatcher | null {
    try {
      const watcher = watch(path, { persistent: false }, () => this.#heard());
      watcher.on('error', (error: Error) => this.#failed(path, error));
      return watcher;
    } catch (error) {
      this.#failed(path, error as Error);
      return null;
    }
  }

  #heard(): void {
    this.#changed();
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.refresh();
    }, SETTLE_MS).unref();
  }
}

/** The directory and those below it, with their inodes. Links are not followed: they may lead back. */
function directories(root: string): Map<string, number> {
  const found = new Map<string, number>();
  const open = [root];
  for (let path = open.pop(); path !== undefined && found.size < MOST_DIRECTORIES; path = open.pop()) {
    try {
      found.set(path, statSync(path).ino);
      for (const entry of readdirSync(path, { withFileTypes: true })) {
        if (entry.isDirectory()) open.push(join(path, entry.name));
      }
    } catch {
      // It is gone, or not ours to look into.
    }
  }
  return found;
}
