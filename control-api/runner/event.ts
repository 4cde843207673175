/** Writes Events: what happened to an object, for `kubectl describe` and `kubectl get events`. */
import type { Resource } from '#proxy/istio/resource.ts';
import type { Store } from '../store.ts';
import { RUNNER } from './author.ts';
import { timestamp, type Clock } from './clock.ts';
import { randomSuffix } from './template-hash.ts';

/** Notes that something happened to `about`. The same thing again raises a count. */
export type Event = (
  about: Resource,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
  fieldPath?: string,
) => void;

/** Older ones go; Kubernetes keeps an hour. */
const MAX_EVENTS = 500;

export function eventRecorder(store: Store, clock: Clock): Event {
  /** What was said → name of its Event, oldest first. */
  const known = new Map<string, { readonly namespace: string; readonly name: string }>();
  return (about, type, reason, message, fieldPath) => {
    const { name, namespace, uid = '' } = about.metadata;
    const same = `${uid}/${reason}/${fieldPath ?? ''}/${message}`;
    const at = known.get(same);
    const before = at === undefined ? undefined : store.get('Event', at.namespace, at.name);
    const now = timestamp(clock);
    const count = typeof before?.['count'] === 'number' ? before['count'] + 1 : 1;
    const eventName = at?.name ?? `${name}.${randomSuffix(16)}`;
    store.put(
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: before?.metadata ?? { name: eventName, namespace: namespace === '' ? 'default' : namespace },
        involvedObject: {
          apiVersion: about.apiVersion,
          kind: about.kind,
          name,
          namespace,
          uid,
          ...(fieldPath === undefined ? {} : { fieldPath }),
        },
        type,
        reason,
        message,
        count,
        firstTimestamp: before?.['firstTimestamp'] ?? now,
        lastTimestamp: now,
        source: { component: 'lateen' },
        reportingComponent: 'lateen',
        reportingInstance: '',
      } as unknown as Resource,
      RUNNER,
    );
    known.delete(same);
    known.set(same, { namespace: namespace === '' ? 'default' : namespace, name: eventName });
    if (known.size <= MAX_EVENTS) return;
    const [oldest, gone] = known.entries().next().value!;
    known.delete(oldest);
    store.remove('Event', gone.namespace, gone.name, RUNNER);
  };
}
