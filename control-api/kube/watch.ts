/** Watches: a stream of changes from a revision on (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes). */
import type { Resource } from '#proxy/istio/resource.ts';
import type { StoreEvent } from '../store.ts';
import type { Call, KubeContext } from './call.ts';
import { formOf, represent } from './represent.ts';
import { fieldSelector, type Predicate } from './selector.ts';
import { badRequest, expired } from './status-error.ts';
import { selectorOf, stored } from './verbs.ts';

/** Where a stream writes to. */
export type Sink = {
  write(text: string): void;
  end(): void;
};

/** An answer that goes on. `start` returns the function that stops it. */
export type Stream = { readonly stream: true; readonly type: string; start(sink: Sink): () => void };

const BOOKMARK_EVERY_MS = 60_000;
/** A watch ends by itself after this long, and its client starts another; the real API server chooses 30 to 60 minutes. */
const LONGEST_MS = 60 * 60_000;

export function watch({ store }: KubeContext, call: Call): Stream {
  const from = revisionOf(call.query.get('resourceVersion'));
  const timeout = timeoutOf(call.query);
  const matches = matcherOf(call);
  const bookmarks = call.query.get('allowWatchBookmarks') === 'true';
  const initial = call.query.get('sendInitialEvents') === 'true';
  // 0 or nothing: what is there now, then changes.
  const listFirst = initial || from === null || from === 0;
  const missed = listFirst ? [] : store.since(from);
  // A number that has not been given out yet is of an earlier life of the mesh: its client has to list again.
  if (missed === null || (from ?? 0) > store.revision)
    throw expired(`${missed === null ? 'too old' : 'unknown'} resource version: ${from} (${store.revision})`);
  formOf(call.accept);

  return {
    stream: true,
    type: 'application/json',
    start(sink) {
      const form = formOf(call.accept);
      let headed = false;
      const send = (type: string, resource: Resource): void => {
        sink.write(`${JSON.stringify({ type, object: body(call, resource, headed) })}\n`);
        // Only the first table of a watch has the columns.
        headed = form === 'table';
      };
      const bookmark = (annotations?: object): void => sink.write(bookmarkOf(call, store.revision, annotations));
      if (listFirst) for (const resource of stored({ store }, call).filter(matches)) send('ADDED', resource);
      for (const event of missed) tell(event, matches, send);
      if (initial && bookmarks) bookmark({ 'k8s.io/initial-events-end': 'true' });
      const stop = store.subscribe((event) => tell(event, matches, send));
      const beat = setInterval(() => bookmarks && bookmark(), BOOKMARK_EVERY_MS);
      const end = setTimeout(() => sink.end(), timeout);
      return () => {
        stop();
        clearInterval(beat);
        clearTimeout(end);
      };
    },
  };
}

/** Something that begins or ceases to match a selector is ADDED or DELETED for this watcher. */
function tell(
  { type, resource, before }: StoreEvent,
  matches: Predicate,
  send: (type: string, r: Resource) => void,
): void {
  const was = before !== null && matches(before);
  const is = type !== 'DELETED' && matches(resource);
  if (is) send(was ? 'MODIFIED' : 'ADDED', resource);
  else if (was) send('DELETED', type === 'DELETED' ? resource : lastSeen(before, resource));
}

/** As the watcher knew it, at the revision at which it lost it. */
function lastSeen(before: Resource, { metadata }: Resource): Resource {
  return { ...before, metadata: { ...before.metadata, resourceVersion: metadata.resourceVersion! } };
}

function matcherOf({ target, query }: Call): Predicate {
  const { info, namespace, name } = target;
  const selected = selectorOf(query);
  const named = name === null ? fieldSelector(null) : (r: Resource) => r.metadata.name === name;
  return (r) =>
    r.kind === info.kind && (namespace === '' || r.metadata.namespace === namespace) && named(r) && selected(r);
}

function body(call: Call, resource: Resource, headed: boolean): object {
  const shown = represent(call, resource);
  return headed ? { ...shown, columnDefinitions: null } : shown;
}

function bookmarkOf(call: Call, revision: number, annotations?: object): string {
  const { kind } = call.target.info;
  const metadata = {
    resourceVersion: String(revision),
    creationTimestamp: null,
    ...(annotations === undefined ? {} : { annotations }),
  };
  const apiVersion = call.target.group === '' ? call.target.version : `${call.target.group}/${call.target.version}`;
  const object =
    formOf(call.accept) === 'table'
      ? {
          kind: 'Table',
          apiVersion: 'meta.k8s.io/v1',
          metadata: { resourceVersion: String(revision) },
          columnDefinitions: null,
          rows: [{ cells: null, object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata } }],
        }
      : { kind, apiVersion, metadata };
  return `${JSON.stringify({ type: 'BOOKMARK', object })}\n`;
}

function revisionOf(text: string | null): number | null {
  if (text === null || text === '') return null;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw badRequest(`resourceVersion: Invalid value: "${text}": expected a number`);
  return value;
}

function timeoutOf(query: URLSearchParams): number {
  const seconds = Number(query.get('timeoutSeconds') ?? 0);
  if (!Number.isFinite(seconds) || seconds < 0)
    throw badRequest(`timeoutSeconds: expected a number of seconds, got "${query.get('timeoutSeconds')}"`);
  return seconds === 0 ? LONGEST_MS : Math.min(seconds * 1000, LONGEST_MS);
}
