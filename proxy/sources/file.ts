/** Resources from a directory of YAML files, read again when anything in it changes. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Problem } from '../istio/problem.ts';
import { parseText } from '../istio/parse.ts';
import type { Resource } from '../istio/resource.ts';
import type { Source, SourceLog, Update } from './source.ts';
import { watchTree, type TreeWatch } from './watch-tree.ts';

/** Editors write in bursts; a ConfigMap swap is several events. */
const DEBOUNCE_MS = 25;
/** A watch can miss what happens on network file systems; a look now and then costs little. */
const POLL_MS = 2000;
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** Editors' own files, `.git`, and `..data`, through which Kubernetes shows each file of a ConfigMap a second time. */
const HIDDEN = /(?:^|\/)\./;

export class FileSource implements Source {
  readonly #dir: string;
  readonly #namespace: string;
  readonly #log: SourceLog;
  #onUpdate: (update: Update) => void = () => undefined;
  #tree: TreeWatch | null = null;
  #timer: NodeJS.Timeout | null = null;
  #poll: NodeJS.Timeout | null = null;
  #seen = '';
  #reading = false;
  #again = false;
  #closed = false;
  /** An update has been told. */
  #told = false;
  /** The last version of each file that could be read without errors. */
  readonly #good = new Map<string, readonly Resource[]>();

  constructor(dir: string, namespace: string, log: SourceLog) {
    this.#dir = dir;
    this.#namespace = namespace;
    this.#log = log;
  }

  start(onUpdate: (update: Update) => void): void {
    this.#onUpdate = onUpdate;
    // Directories are watched, never a file: a file is gone after an atomic rename.
    this.#tree = watchTree(
      this.#dir,
      () => this.#soon(),
      (dir, error) => this.#log('warn', `cannot watch ${dir}: ${error.message}; looking every 2 s`),
    );
    void this.#read();
    this.#poll = setInterval(() => {
      this.#tree?.refresh();
      void this.#read();
    }, POLL_MS);
    this.#poll.unref();
  }

  close(): void {
    this.#closed = true;
    this.#tree?.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#poll !== null) clearInterval(this.#poll);
  }

  #soon(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#read();
    }, DEBOUNCE_MS);
  }

  async #read(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    try {
      do {
        this.#again = false;
        await this.#readOnce();
      } while (this.#again && !this.#closed);
    } catch (error) {
      this.#log('warn', `cannot read ${this.#dir}: ${(error as Error).message}`);
    } finally {
      this.#reading = false;
    }
  }

  async #readOnce(): Promise<void> {
    const texts = await this.#texts();
    const seen = createHash('sha256').update(JSON.stringify(texts)).digest('hex');
    if (seen === this.#seen || this.#closed) return;
    this.#seen = seen;
    const resources: Resource[] = [];
    const problems: Problem[] = [];
    const names = new Set(texts.map(([name]) => name));
    for (const name of this.#good.keys()) if (!names.has(name)) this.#good.delete(name);
    let unsafe: Problem | undefined;
    for (const [name, text] of texts) {
      const parsed = parseText(text, { file: name, defaultNamespace: this.#namespace });
      problems.push(...parsed.problems);
      // A file with an error in it changes nothing: its last good version stays in force as a whole.
      const broken = parsed.problems.some((p) => p.severity === 'error');
      if (broken && !this.#good.has(name)) unsafe ??= parsed.problems.find(mayHidePolicy);
      if (!broken || !this.#good.has(name)) this.#good.set(name, parsed.resources);
      resources.push(...(this.#good.get(name) ?? []));
    }
    if (unsafe !== undefined && !this.#told) {
      // Nothing runs yet, and what cannot be read may be a policy: to start without it would be to fail open.
      const { file, line, message } = unsafe;
      this.#log('warn', `not started: ${file ?? this.#dir}:${line ?? 1}: ${message}`);
      this.#good.clear();
      return;
    }
    this.#told = true;
    this.#onUpdate({ resources, problems, revision: 0 });
  }

  async #texts(): Promise<[string, string][]> {
    const texts: [string, string][] = [];
    for (const entry of await readdir(this.#dir, { recursive: true })) {
      if (!/\.(?:ya?ml|json)$/i.test(entry) || HIDDEN.test(entry)) continue;
      const path = join(this.#dir, entry);
      const info = await stat(path).catch(() => null);
      if (info === null || !info.isFile()) continue;
      if (info.size > MAX_FILE_BYTES) {
        this.#log('warn', `${path} has ${info.size} bytes, more than ${MAX_FILE_BYTES}: not read`);
        continue;
      }
      const text = await readFile(path, 'utf8').catch(() => null);
      if (text !== null) texts.push([relative(this.#dir, path), text]);
    }
    return texts.sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

const POLICIES = new Set([
  'AuthorizationPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'rule',
  'denier',
  'checknothing',
]);

/** An error in a policy, or in something of which not even the kind could be read. */
const mayHidePolicy = ({ severity, resource }: Problem): boolean =>
  severity === 'error' && (resource === undefined || POLICIES.has(resource.kind));
