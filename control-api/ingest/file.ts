/** Resources out of a directory of YAML files, kept in step with it: what a file says is put, what it no longer says is removed. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Logger } from 'pino';
import { parseText } from '#proxy/istio/parse.ts';
import type { Problem } from '#proxy/istio/problem.ts';
import { keyOf, type Resource } from '#proxy/istio/resource.ts';
import type { Store } from '../store.ts';
import { fileStore, type FileStore } from './file-store.ts';

export type FileIngestOptions = {
  readonly dir: string;
  readonly store: Store;
  readonly log: Logger;
  /** Of resources that name none. */
  readonly defaultNamespace?: string;
  /** Hears of changes sooner than the next look, which comes every 5 s. */
  readonly watch?: Watch;
};

/** `proxy/sources/watch-tree.ts`, which the control plane itself does not see. */
export type Watch = (
  dir: string,
  changed: () => void,
  failed: (dir: string, error: Error) => void,
) => { refresh(): void; close(): void };

export type FileIngest = {
  /** What is wrong with the files as they stand. */
  problems(): readonly Problem[];
  /** Looks at the files now, rather than when the system reports a change. */
  rescan(): void;
  close(): void;
};

/** Editors write a file in several steps. */
const DEBOUNCE_MS = 50;
/** Some file systems (network, container mounts) report no changes; this finds them all the same. */
const RESCAN_MS = 5000;
const MAX_FILE = 4 * 1024 * 1024;
const MAX_FILES = 10_000;
/** Editors' own files, `.git`, and `..data`, through which Kubernetes shows each file of a ConfigMap a second time. */
const HIDDEN = /(?:^|\/)\./;

type File = {
  readonly hash: string;
  readonly problems: readonly Problem[];
  /** Keys of what it says, or said when it last could be read. */
  readonly keys: ReadonlySet<string>;
};

/** Reads the directory at once, so that when this returns the store has what the files say. Never throws for their content. */
export function ingestFiles(options: FileIngestOptions): FileIngest {
  const { dir, log } = options;
  const files = new Files(options);
  let timer: NodeJS.Timeout | null = null;
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = null;
      files.rescan();
    }, DEBOUNCE_MS);
  };
  files.rescan();
  const watcher = options.watch?.(dir, soon, (path, error) =>
    log.warn({ dir: path, err: error }, 'cannot watch the files; looking now and then'),
  );
  const again = setInterval(() => {
    watcher?.refresh();
    files.rescan();
  }, RESCAN_MS);
  again.unref();
  return {
    problems: () => files.problems(),
    rescan: () => files.rescan(),
    close() {
      watcher?.close();
      clearInterval(again);
      if (timer !== null) clearTimeout(timer);
    },
  };
}

class Files {
  readonly #options: FileIngestOptions;
  readonly #into: FileStore;
  #files = new Map<string, File>();
  /** What kept resources that can be read from being put. */
  #placing: readonly Problem[] = [];

  constructor(options: FileIngestOptions) {
    this.#options = options;
    this.#into = fileStore(options.store);
  }

  problems(): readonly Problem[] {
    return [...[...this.#files.values()].flatMap((file) => file.problems), ...this.#placing];
  }

  rescan(): void {
    const { dir, log } = this.#options;
    const next = new Map<string, File>();
    const changed = new Map<string, readonly Resource[]>();
    const paths = yamlFiles(dir, log);
    // It cannot be read now: that takes nothing away from what it said.
    if (paths === null) return;
    for (const path of paths) {
      const text = read(join(dir, path));
      const known = this.#files.get(path);
      const hash = createHash('sha256')
        .update(text ?? '')
        .digest('base64');
      if (text === null || known?.hash === hash) {
        if (known !== undefined) next.set(path, known);
      } else changed.set(path, this.#parse(path, text, hash, next));
    }
    this.#files = next;
    const told = [...changed].flatMap(([path, resources]) => place(this.#into, path, resources, next));
    report(log, told);
    this.#placing = [...this.#placing.filter(({ file }) => next.has(file!) && !changed.has(file!)), ...told];
    this.#into.removeAllBut((path, key) => next.get(path)?.keys.has(key) === true);
  }

  #parse(path: string, text: string, hash: string, next: Map<string, File>): readonly Resource[] {
    const { log, defaultNamespace = 'default' } = this.#options;
    const { resources, problems } = parseText(text, { file: path, defaultNamespace });
    report(log, problems);
    const broken = problems.some((p) => p.severity === 'error');
    // A broken file keeps what it said last: only what it says well now is new.
    const kept = broken ? [...(this.#files.get(path)?.keys ?? this.#into.keysOf(path))] : [];
    next.set(path, { hash, problems, keys: new Set([...kept, ...resources.map(keyOf)]) });
    return resources;
  }
}

/** Puts what one file says. What another file says already, or somebody else made, stays as it is; that is a problem. */
function place(
  into: FileStore,
  path: string,
  resources: readonly Resource[],
  files: ReadonlyMap<string, File>,
): Problem[] {
  const problems: Problem[] = [];
  const namespacesFirst = resources.toSorted((a, b) => Number(b.kind === 'Namespace') - Number(a.kind === 'Namespace'));
  for (const resource of namespacesFirst) {
    const key = keyOf(resource);
    const other = [...files].find(([file, { keys }]) => file < path && keys.has(key))?.[0];
    const message = other === undefined ? into.put(resource, path) : `${other} says this too; only one file can`;
    if (message === null) continue;
    const { kind, metadata } = resource;
    const about = { kind, namespace: metadata.namespace, name: metadata.name };
    problems.push({ severity: 'warning', path: '', message, resource: about, file: path });
  }
  return problems;
}

/** In the order of their paths, which decides who comes first when two say the same. Null: there is no such directory now. */
function yamlFiles(dir: string, log: Logger): string[] | null {
  try {
    const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((e) => (e.isFile() || e.isSymbolicLink()) && /\.(?:ya?ml|json)$/.test(e.name))
      .map((e) => relative(dir, join(e.parentPath, e.name)))
      .filter((path) => !HIDDEN.test(path));
    if (paths.length > MAX_FILES) log.error(`${dir} has ${paths.length} files of YAML; only ${MAX_FILES} are read`);
    return paths.sort().slice(0, MAX_FILES);
  } catch (error) {
    log.warn({ dir, err: error }, 'cannot read the directory of files');
    return null;
  }
}

/** Null: it cannot be read now (it may just be in the middle of being replaced). */
function read(path: string): string | null {
  try {
    const info = statSync(path);
    // Reading a pipe would wait for its writer, and a device has no end.
    if (!info.isFile()) return null;
    const { size } = info;
    // The parser says what is wrong with it, without having it in memory.
    return size > MAX_FILE ? ' '.repeat(MAX_FILE + 1) : readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function report(log: Logger, problems: readonly Problem[]): void {
  for (const { severity, file, line, column, path, message } of problems) {
    const place = `${file}${line === undefined ? '' : `:${line}:${column}`}`;
    log[severity === 'error' ? 'error' : 'warn'](`${place}: ${path === '' ? '' : `${path}: `}${message}`);
  }
}
