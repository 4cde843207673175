/** Puts resources back to what they were at a revision: each through the same admission as an apply, all of them or none. */
import { KINDS, type KindInfo } from '#proxy/istio/kinds.ts';
import { keyOf, ResourceSet, type Resource } from '#proxy/istio/resource.ts';
import { createAdmit, meshResources, type Analyze } from './admit.ts';
import type { Key } from './journal.ts';
import type { Call, KubeContext } from './kube/call.ts';
import { storedVersion } from './kube/catalogue.ts';
import { remove } from './kube/delete.ts';
import type { JsonObject } from './kube/json.ts';
import { badRequest, conflict, expired, notFound, StatusError, type Cause } from './kube/status-error.ts';
import { requireNamespace, write } from './kube/write.ts';
import type { HistoryStore } from './open-store.ts';
import { whatChanged } from './revise.ts';
import type { RollbackWish, Selection } from './rollback-input.ts';
import type { Author } from './store.ts';

export type RollbackContext = {
  readonly store: HistoryStore;
  readonly runtime: KubeContext['runtime'];
  readonly analyze: Analyze;
};

/** `created`: again, it had been deleted. `deleted`: it did not exist then. */
export type Outcome = 'unchanged' | 'configured' | 'created' | 'deleted';

export type RolledBack = Key & {
  readonly outcome: Outcome;
  readonly before: Resource | null;
  readonly after: Resource | null;
};

export type RollbackAnswer = {
  /** Of the store, after it. */
  readonly revision: number;
  readonly items: readonly RolledBack[];
  /** What is wrong together with the rest. */
  readonly warnings: readonly string[];
};

/** What one resource shall be: null, not there. */
type Step = Key & { readonly info: KindInfo; readonly was: Resource | null };

/** More would not be read. */
const MAX_WARNINGS = 20;

/** Nobody else can write while this runs, so what passed its trial can be done. Throws a StatusError. */
export function rollback(context: RollbackContext, wish: RollbackWish, author: Author): RollbackAnswer {
  const { store } = context;
  const by = { ...author, message: `rollback to ${wish.revision}` };
  const kube = { store, runtime: context.runtime, admit: admission(store) };
  const { steps, unchanged } = plan(store, wish);
  const items = tryAll(kube, steps, by, wish.revision);
  const warnings = warningsOf(context, items);
  if (!wish.dryRun) doAll(kube, steps, items, by);
  return { revision: store.revision, items: [...items, ...unchanged], warnings };
}

/** What fits together is looked at once, when everything is back; the rules that a roll back takes away are what it is for. */
function admission(store: HistoryStore): KubeContext['admit'] {
  const admit = createAdmit(store, () => []);
  return (candidate, _before, options) => admit(candidate, null, options);
}

function plan(store: HistoryStore, { revision, only, seen }: RollbackWish): { steps: Step[]; unchanged: RolledBack[] } {
  if (revision > store.revision)
    throw badRequest(`revision: expected at most ${store.revision}, which is the newest, got ${revision}`);
  const changed = store.changedSince(revision);
  if (changed === null) throw expired(`the history does not reach back to revision ${revision} any more`);
  const wanted = changed.filter((key) => only === null || only.some((selection) => selects(selection, key)));
  if (seen !== null) checkSeen(store, wanted, seen);
  const steps = wanted.map((key) => stepOf(store, key, revision));
  const named = (only ?? []).filter((s): s is Key => s.name !== undefined && !wanted.some((key) => selects(s, key)));
  return {
    // What came and went since is no more than it was.
    steps: steps.filter((s) => s.was !== null || present(store, s) !== null).sort((a, b) => rank(a) - rank(b)),
    unchanged: named.map((key) => untouched(store, key)),
  };
}

const selects = (selection: Selection, key: Key): boolean =>
  (selection.kind ?? key.kind) === key.kind &&
  (selection.namespace ?? key.namespace) === key.namespace &&
  (selection.name ?? key.name) === key.name;

function checkSeen(store: HistoryStore, wanted: readonly Key[], seen: number): void {
  const meanwhile = store.changedSince(seen) ?? wanted;
  const other = wanted.find((key) => meanwhile.some((m) => selects(m, key)));
  if (other === undefined) return;
  throw conflict(
    infoOf(other.kind),
    other.name,
    `it was changed after revision ${seen}; look again at what would happen`,
  );
}

function stepOf(store: HistoryStore, key: Key, revision: number): Step {
  const info = infoOf(key.kind);
  const was = store.at(revision, key);
  if (was === undefined)
    throw expired(`what ${nameOf(key)} was at revision ${revision} is not in the history any more`);
  // It was about to go.
  return { ...key, info, was: was?.metadata['deletionTimestamp'] === undefined ? was : null };
}

function infoOf(kind: string): KindInfo {
  const info = KINDS.find((k) => k.kind === kind);
  if (info === undefined) throw badRequest(`the mesh has no kind ${kind} any more`);
  return info;
}

const present = (store: HistoryStore, { kind, namespace, name }: Key): Resource | null =>
  store.get(kind, namespace, name) ?? null;

/** Named, and people did not touch it since. */
function untouched(store: HistoryStore, key: Key): RolledBack {
  const { kind, namespace, name } = key;
  const now = present(store, key);
  if (store.history({ ...key, limit: 1 }).length > 0)
    return { kind, namespace, name, outcome: 'unchanged', before: now, after: now };
  if (now === null) throw notFound(infoOf(kind), name);
  throw badRequest(`${nameOf(key)} has no history: what the runner makes is not kept`);
}

/** A namespace is there before what is in it, and goes after it. */
function rank({ kind, was }: Step): number {
  if (kind === 'Namespace') return was === null ? 3 : 0;
  return was === null ? 2 : 1;
}

/** Every step as a dry run. Throws with all that is wrong with any of them. */
function tryAll(kube: KubeContext, steps: readonly Step[], author: Author, revision: number): RolledBack[] {
  const items: RolledBack[] = [];
  const refused: { readonly step: Step; readonly error: StatusError }[] = [];
  for (const step of steps) {
    const { kind, namespace, name, was } = step;
    const before = kube.store.get(kind, namespace, name) ?? null;
    try {
      const inNew = steps.some((s) => s.kind === 'Namespace' && s.name === namespace && s.was !== null);
      const after = perform(kube, step, author, { dryRun: true, inNew });
      items.push({
        kind,
        namespace,
        name,
        outcome: outcomeOf(before, after),
        before,
        after: was === null ? null : after,
      });
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      refused.push({ step, error });
    }
  }
  if (refused.length > 0) throw refusal(refused, revision);
  return items;
}

function outcomeOf(before: Resource | null, after: Resource | null): Outcome {
  if (before === null) return 'created';
  if (after === null) return 'deleted';
  return whatChanged(before, after) === 'nothing' ? 'unchanged' : 'configured';
}

/** Null: it is gone. `inNew`: its namespace comes back in the same roll back. */
function perform(
  kube: KubeContext,
  step: Step,
  author: Author,
  { dryRun, inNew }: { readonly dryRun: boolean; readonly inNew: boolean },
): Resource | null {
  const { info, namespace, name, was } = step;
  const now = kube.store.get(info.kind, namespace, name) ?? null;
  const call = callFor(step, author, dryRun);
  if (was === null) {
    if (now !== null) remove(kube, call);
    return null;
  }
  if (now === null && !inNew) requireNamespace(kube, call.target);
  if (now?.metadata['deletionTimestamp'] !== undefined)
    throw conflict(info, name, 'it is being deleted; try again when it is gone');
  return write(kube, call, asWritten(was, info), now).resource;
}

function callFor({ info, namespace, name }: Step, author: Author, dryRun: boolean): Call {
  const { group } = info;
  return {
    method: 'PUT',
    target: { group, version: info.versions[0]!, info, namespace, name, subresource: null },
    query: new URLSearchParams(dryRun ? { dryRun: 'All' } : {}),
    accept: '',
    contentType: undefined,
    body: Buffer.alloc(0),
    author,
  };
}

/** Without what the server keeps for itself: another object of the same name may have taken its place. */
function asWritten(resource: Resource, info: KindInfo): JsonObject {
  const {
    uid: _u,
    resourceVersion: _r,
    generation: _g,
    creationTimestamp: _c,
    managedFields: _m,
    ...metadata
  } = resource.metadata;
  return { ...resource, apiVersion: storedVersion(info), metadata } as unknown as JsonObject;
}

/** Only what a full disk or a bug prevents can fail here; then it is said what was done. */
function doAll(kube: KubeContext, steps: readonly Step[], tried: readonly RolledBack[], author: Author): void {
  const due = steps.filter((_, i) => tried[i]!.outcome !== 'unchanged');
  for (const [i, step] of due.entries()) {
    try {
      perform(kube, step, author, { dryRun: false, inNew: false });
    } catch (error) {
      const names = (of: readonly Step[]): string => (of.length === 0 ? 'nothing' : of.map(nameOf).join(', '));
      const why = error instanceof Error ? error.message : String(error);
      throw new StatusError(
        500,
        'InternalError',
        `${nameOf(step)} could not be put back (${why}). Done: ${names(due.slice(0, i))}. Not done: ${names(due.slice(i))}.`,
      );
    }
  }
}

function refusal(refused: readonly { step: Step; error: StatusError }[], revision: number): StatusError {
  const causes = refused.flatMap(({ step, error }): Cause[] => {
    const own = error.details?.causes ?? [{ reason: error.reason, message: error.message }];
    return own.map((c) => ({
      ...c,
      field: `${nameOf(step)}${c.field === undefined || c.field === '' ? '' : ` ${c.field}`}`,
    }));
  });
  const what = refused.length === 1 ? refused[0]!.error.message : `${refused.length} resources do not pass any more`;
  const code = refused.length === 1 ? refused[0]!.error.code : 422;
  const reason = refused.length === 1 ? refused[0]!.error.reason : 'Invalid';
  return new StatusError(code, reason, `nothing was rolled back to revision ${revision}: ${what}`, { causes });
}

/** What is said of the resources that change, once all of them are part of the mesh. */
function warningsOf({ store, analyze }: RollbackContext, items: readonly RolledBack[]): string[] {
  const changed = items.filter(({ outcome }) => outcome !== 'unchanged');
  if (changed.length === 0) return [];
  const mesh = new Map([...meshResources(store).all()].map((resource) => [keyOf(resource), resource]));
  const keys = changed.map((item) => keyOf({ kind: item.kind, metadata: item }));
  for (const [i, { after }] of changed.entries()) {
    if (after === null) mesh.delete(keys[i]!);
    else mesh.set(keys[i]!, after);
  }
  return analyze(new ResourceSet(mesh.values()))
    .filter((p) => p.resource !== undefined && keys.includes(keyOf({ kind: p.resource.kind, metadata: p.resource })))
    .slice(0, MAX_WARNINGS)
    .map(({ code, resource, path, message }) => {
      const place = `${nameOf(resource!)}${path === '' ? '' : ` ${path}`}`;
      return `${code === undefined ? '' : `${code}: `}${place}: ${message}`;
    });
}

/** `VirtualService default/reviews` */
const nameOf = ({ kind, namespace, name }: Key): string => `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
