/** Removes what belonged to something that is gone: ReplicaSets of a Deployment, Pods of a ReplicaSet, all of a namespace. */
import { KINDS } from '#proxy/istio/kinds.ts';
import type { Store } from '../store.ts';
import { askToEnd, remove } from './author.ts';
import { timestamp, type Clock } from './clock.ts';
import { controllerOf } from './object.ts';
import type { Controller } from './work-queue.ts';

/** Kinds the runner makes, and so cleans up. */
const OWNED = ['ReplicaSet', 'Pod', 'EndpointSlice'];

/** `key`: `namespace/uid` of an owner that was deleted, or `namespace/*`: all of it. */
export function garbageCollector(store: Store, clock: Clock): Controller {
  return {
    name: 'Garbage',
    reconcile(key) {
      const [namespace = '', uid = ''] = key.split('/');
      if (uid === '*') return empty(namespace);
      for (const kind of OWNED) {
        for (const object of store.list(kind, namespace)) {
          if (controllerOf(object)?.uid !== uid) continue;
          if (kind === 'Pod') askToEnd(store, object, timestamp(clock));
          else remove(store, object);
        }
      }
    },
  };

  function empty(namespace: string): void {
    // Owners first, or they would make anew what they own.
    const kinds = KINDS.filter((k) => k.namespaced)
      .map((k) => k.kind)
      .sort((a, b) => OWNED.indexOf(a) - OWNED.indexOf(b));
    for (const kind of kinds) {
      for (const object of store.list(kind, namespace)) {
        if (kind === 'Pod') askToEnd(store, object, timestamp(clock));
        else remove(store, object);
      }
    }
  }
}
