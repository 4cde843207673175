/** Resources → snapshot: debounced, compiled whole, published when something changed. The last good one is kept, on disk too. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compile } from '../compile/compile.ts';
import type { MeshSettings } from '../compile/defaults.ts';
import type { Problem } from '../istio/problem.ts';
import { ResourceSet } from '../istio/resource.ts';
import type { Discovery } from '../snapshot/endpoints.ts';
import type { NameTable } from '../snapshot/name-table.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { SourceLog, Update } from './source.ts';

export type Applied = {
  readonly snapshot: Snapshot;
  readonly discovery: Discovery;
  /** What its DNS answers. */
  readonly names: NameTable;
  readonly problems: readonly Problem[];
  readonly revision: number;
};

export type Publish = {
  /** `snapshot` is null when only endpoints and addresses changed. */
  (applied: Applied, snapshot: Snapshot | null): void;
};

const LAST_GOOD = 'last-good.json';
const SAVE_AFTER_MS = 200;

export class Applier {
  readonly #node: ProxyNode;
  readonly #mesh: MeshSettings;
  readonly #publish: Publish;
  readonly #stateDir: string | null;
  readonly #log: SourceLog;
  #current: Applied | null = null;
  #discoveryText = '';
  #pending: Update | null = null;
  #saving: Promise<void> | null = null;

  constructor(node: ProxyNode, mesh: MeshSettings, stateDir: string | null, publish: Publish, log: SourceLog) {
    this.#node = node;
    this.#mesh = mesh;
    this.#stateDir = stateDir;
    this.#publish = publish;
    this.#log = log;
  }

  get current(): Applied | null {
    return this.#current;
  }

  /** Updates that come in one turn of the event loop are one change. */
  onUpdate(update: Update): void {
    if (this.#pending === null) setImmediate(() => this.#apply());
    this.#pending = update;
  }

  /** Starts on the configuration of the last run, for when the control API cannot be reached. True when there was one. */
  restore(): boolean {
    if (this.#stateDir === null || this.#current !== null) return false;
    try {
      const saved = JSON.parse(readFileSync(join(this.#stateDir, LAST_GOOD), 'utf8')) as Omit<Applied, 'names'> & {
        node: ProxyNode;
        names?: NameTable;
      };
      if (JSON.stringify(saved.node) !== JSON.stringify(this.#node)) return false;
      this.#accept({
        snapshot: saved.snapshot,
        discovery: saved.discovery,
        // Kept by an older version, it has none.
        names: saved.names ?? {},
        problems: saved.problems,
        revision: saved.revision,
      });
      return true;
    } catch {
      return false;
    }
  }

  #apply(): void {
    const update = this.#pending!;
    this.#pending = null;
    const { snapshot, discovery, names, problems } = compile(new ResourceSet(update.resources), this.#node, this.#mesh);
    this.#accept({
      snapshot,
      discovery,
      names,
      problems: [...update.problems, ...problems],
      revision: update.revision,
    });
  }

  #accept(next: Applied): void {
    const discoveryText = JSON.stringify(next.discovery);
    const sameSnapshot = this.#current?.snapshot.version === next.snapshot.version;
    const sameDiscovery = discoveryText === this.#discoveryText;
    const before = this.#current;
    this.#current = sameSnapshot ? { ...next, snapshot: before!.snapshot } : next;
    this.#discoveryText = discoveryText;
    if (!sameSnapshot || !sameDiscovery) this.#saveSoon();
    // Told even when nothing changed: the control API waits for the revision.
    this.#publish(this.#current, sameSnapshot ? null : next.snapshot);
  }

  /** Resolves when what is in force is on disk. */
  saved(): Promise<void> {
    return this.#saving ?? Promise.resolve();
  }

  /** Bursts of changes are written once. */
  #saveSoon(): void {
    if (this.#stateDir === null || this.#saving !== null) return;
    const dir = this.#stateDir;
    this.#saving = sleep(SAVE_AFTER_MS, undefined, { ref: false }).then(() => {
      this.#saving = null;
      this.#save(dir);
    });
  }

  #save(dir: string): void {
    try {
      mkdirSync(dir, { recursive: true });
      const file = join(dir, LAST_GOOD);
      writeFileSync(`${file}.new`, JSON.stringify({ ...this.#current, node: this.#node }));
      renameSync(`${file}.new`, file);
    } catch (error) {
      this.#log('warn', `cannot keep the configuration in ${dir}: ${(error as Error).message}`);
    }
  }
}
