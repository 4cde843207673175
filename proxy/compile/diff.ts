/** What changed between two snapshots, by name: for the log line that tells of a reload. */
import type { Authz } from '../snapshot/authz.ts';
import type { Listener } from '../snapshot/listener.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

export type Changes = {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
};

export type SnapshotDiff = {
  readonly listeners: Changes;
  readonly tables: Changes;
  readonly clusters: Changes;
  /** `DENY default/denyreviewsv3`, wherever it is enforced. */
  readonly policies: Changes;
  readonly telemetry: boolean;
  /** The new mode; null: the same as before. */
  readonly pathNormalization: Snapshot['pathNormalization'] | null;
};

/** Null before: the first snapshot, everything in it is new. */
export function diffSnapshots(before: Snapshot | null, after: Snapshot): SnapshotDiff {
  return {
    listeners: compare(listenersOf(before), listenersOf(after)),
    tables: compare(Object.entries(before?.tables ?? {}), Object.entries(after.tables)),
    clusters: compare(Object.entries(before?.clusters ?? {}), Object.entries(after.clusters)),
    policies: compare(policiesOf(before), policiesOf(after)),
    telemetry: before !== null && !same(before.telemetry, after.telemetry),
    pathNormalization:
      before === null || before.pathNormalization === after.pathNormalization ? null : after.pathNormalization,
  };
}

/** `2 tables changed (9080, 80), 1 cluster added (…)`; "nothing" when all is equal. */
export function describeDiff(diff: SnapshotDiff): string {
  const parts: string[] = [];
  for (const what of ['listeners', 'tables', 'clusters', 'policies'] as const) {
    for (const how of ['added', 'changed', 'removed'] as const) {
      const names = diff[what][how];
      if (names.length > 0)
        parts.push(`${names.length} ${names.length === 1 ? ONE[what] : what} ${how} (${shortened(names)})`);
    }
  }
  if (diff.telemetry) parts.push('telemetry changed');
  if (diff.pathNormalization !== null) parts.push(`path normalization is now ${diff.pathNormalization}`);
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

const ONE = { listeners: 'listener', tables: 'table', clusters: 'cluster', policies: 'policy' } as const;
const SHOWN = 5;

function shortened(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return names.slice(0, SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

type Named = readonly (readonly [name: string, value: unknown])[];

/** Without their policies, which are told apart. */
const listenersOf = (snapshot: Snapshot | null): Named =>
  (snapshot?.listeners ?? []).map((listener) => [
    listener.name,
    JSON.stringify(listener, (key, value: unknown) => (key === 'authz' ? null : value)),
  ]);

/** Of a listener, and of each port that is redirected to it. */
function authzOf(listener: Listener): readonly (Authz | null)[] {
  if (listener.kind === 'tcp' || listener.captured === null) return [listener.authz];
  const { ports, unknown } = listener.captured;
  return [listener.authz, ...Object.values(ports).map((p) => p.authz), unknown.authz];
}

function policiesOf(snapshot: Snapshot | null): Named {
  const found = new Map<string, unknown[]>();
  for (const listener of snapshot?.listeners ?? []) {
    for (const [i, authz] of authzOf(listener).entries()) {
      if (authz === null) continue;
      for (const action of ['deny', 'allow', 'audit'] as const) {
        for (const policy of authz[action]) {
          const key = `${action.toUpperCase()} ${policy.namespace}/${policy.name}`;
          const uses = found.get(key) ?? [];
          found.set(key, uses);
          uses.push([listener.name, i, policy]);
        }
      }
    }
  }
  return [...found];
}

function compare(before: Named, after: Named): Changes {
  const [old, fresh] = [new Map(before), new Map(after)];
  return {
    added: [...fresh.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !fresh.has(name)),
    changed: [...fresh.keys()].filter((name) => old.has(name) && !same(old.get(name), fresh.get(name))),
  };
}

const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);
