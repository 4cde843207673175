/** Keeps the objects of a mesh whose pods somebody else runs: addresses of Services, EndpointSlices, the status of Deployments. */
import { systemClock, type Clock } from '../runner/clock.ts';
import { endpointSliceController } from '../runner/endpoint-slice.ts';
import { garbageCollector } from '../runner/garbage.ts';
import type { Deployment, Pod, Service } from '../runner/object.ts';
import { matchesLabels, matchesSelector } from '../runner/selector.ts';
import { serviceController } from '../runner/service.ts';
import { WorkQueue } from '../runner/work-queue.ts';
import type { Store, StoreEvent } from '../store.ts';
import { foundDeploymentController } from './found-deployment.ts';

export type Controllers = {
  /** Resolves when they have nothing left to do for now. */
  idle(): Promise<void>;
  stop(): void;
};

/** `onError`: what goes wrong inside the controllers themselves. */
export function startControllers(
  store: Store,
  onError: (message: string) => void,
  clock: Clock = systemClock,
): Controllers {
  const queue = new WorkQueue(clock, (error, controller, key) =>
    onError(`${controller} ${key}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
  );
  const garbage = garbageCollector(store, clock);
  const slices = endpointSliceController(store);
  const services = serviceController(store);
  const deployments = foundDeploymentController(store, clock, queue);
  const unsubscribe = store.subscribe(route);
  for (const kind of ['Deployment', 'Service']) {
    for (const resource of store.list(kind)) route({ type: 'ADDED', resource, before: null, revision: store.revision });
  }
  return {
    idle: () => queue.idle(),
    stop() {
      unsubscribe();
      queue.stop();
    },
  };

  /** Whose work a change is: the object's own controller, and those of what selects it. */
  function route({ type, resource, before }: StoreEvent): void {
    const { kind, metadata } = resource;
    const { namespace, name, uid = '' } = metadata;
    const key = `${namespace}/${name}`;
    if (kind === 'Deployment') queue.add(deployments, key);
    if (kind === 'Service') {
      queue.add(services, key);
      queue.add(slices, key);
    }
    if (type === 'DELETED' && kind === 'Namespace') queue.add(garbage, `${name}/*`);
    if (type === 'DELETED' && kind === 'Service') queue.add(garbage, `${namespace}/${uid}`);
    if (kind === 'Pod') for (const pod of before === null ? [resource] : [resource, before]) touch(pod as Pod);
  }

  function touch({ metadata: { namespace, labels } }: Pod): void {
    for (const { spec, metadata } of store.list('Service', namespace) as readonly Service[])
      if (matchesLabels(spec.selector, labels)) queue.add(slices, `${namespace}/${metadata.name}`);
    for (const { spec, metadata } of store.list('Deployment', namespace) as readonly Deployment[])
      if (matchesSelector(spec.selector, labels)) queue.add(deployments, `${namespace}/${metadata.name}`);
  }
}

/** Brings every EndpointSlice up to date, now: before anybody is told what the mesh consists of. */
export function sliceNow(store: Store): void {
  const slices = endpointSliceController(store);
  for (const { metadata } of store.list('Service')) slices.reconcile(`${metadata.namespace}/${metadata.name}`);
}
