/** What to say to whoever asks for something that nobody here will do: pods of this mesh are containers that someone else runs. */
import { isDeepStrictEqual } from 'node:util';
import type { Resource } from '#proxy/istio/resource.ts';
import { isRegistered } from '../registered-pod.ts';
import type { Deployment, PodTemplate } from '../runner/object.ts';
import type { Store } from '../store.ts';
import { podsFound, RESTARTED_AT } from './found-deployment.ts';

const WHO = 'pods of this mesh are containers that someone else runs';
const SEE = 'see docs/compose.md';
const RUN_BY_OTHERS: ReadonlySet<string> = new Set(['Pod', 'ReplicaSet', 'Job']);

/** Of an object that may be stored, after `before` (null: it is new): sentences for `Warning:` headers. */
export function advice(store: Store, before: Resource | null, after: Resource): readonly string[] {
  const { kind, metadata } = after;
  if (
    RUN_BY_OTHERS.has(kind) &&
    !isRegistered(after) &&
    (before === null || !isDeepStrictEqual(before.spec, after.spec))
  )
    return [`${WHO}; nothing starts the ${kind} ${metadata.name}: start a container that registers itself, ${SEE}`];
  if (kind !== 'Deployment') return [];
  return [
    ...aboutReplicas(store, before as Deployment | null, after as Deployment),
    ...aboutTemplate(before as Deployment | null, after as Deployment),
  ];
}

function aboutReplicas(store: Store, before: Deployment | null, after: Deployment): string[] {
  const wanted = after.spec.replicas ?? 1;
  if (before !== null && (before.spec.replicas ?? 1) === wanted) return [];
  const { name } = after.metadata;
  const found = podsFound(store, after).length;
  if (found < wanted) {
    // One that is not there yet may be on its way.
    if (wanted === 1) return [];
    const more = wanted - found === 1 && found > 0 ? 'another' : String(wanted - found);
    return [`${WHO}; ${name} has ${found} of ${wanted}: start ${more} with docker compose, ${SEE}`];
  }
  if (found === wanted) return [];
  return [`${WHO}; ${name} has ${found} and is to have ${wanted}: stop ${found - wanted} with docker compose, ${SEE}`];
}

function aboutTemplate(before: Deployment | null, after: Deployment): string[] {
  if (before === null || isDeepStrictEqual(before.spec.template, after.spec.template)) return [];
  const { name } = after.metadata;
  const restart = restartOf(before.spec.template) !== restartOf(after.spec.template);
  return [
    restart
      ? `${WHO}; nothing restarts ${name} here: ./lateen roll ${name} does, ${SEE}`
      : `${WHO}; the template of ${name} has changed, but nothing starts its pods anew: change docker-compose.yml, ${SEE}`,
  ];
}

const restartOf = ({ metadata }: PodTemplate): string | undefined => metadata?.annotations?.[RESTARTED_AT];
