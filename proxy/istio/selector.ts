/** Shapes that several Istio kinds share: which workloads, which hosts, which port. */
import { labelKey, labelValue, namespaceRef } from './format.ts';
import { int32, list, map, object, port, refused, required, string } from './field.ts';
import type { Infer } from './schema.ts';

export const labels = (description: string) =>
  map(string('Value of the label', { format: labelValue, maxLength: 63 }), description, {
    key: labelKey,
    max: 4096,
  });

/** `selector: { matchLabels }` of the security and telemetry kinds. */
export const workloadSelector = object(
  { matchLabels: labels('Labels the workload must all have; none: every workload in scope') },
  'Which workloads this is for; absent: every workload of the namespace (of the mesh, in the root namespace)',
);
export type WorkloadSelector = Infer<typeof workloadSelector>;

/** `workloadSelector: { labels }` of Sidecar and ServiceEntry. */
export const labelSelector = object(
  { labels: labels('Labels the workload must all have') },
  'Which workloads this is for, by their labels',
);
export type LabelSelector = Infer<typeof labelSelector>;

const targetRef = object(
  {
    group: string('API group of the target; empty for the core group', { maxLength: 253 }),
    kind: required(string('Kind of the target', { minLength: 1, maxLength: 63 })),
    name: required(string('Name of the target', { minLength: 1, maxLength: 253 })),
    namespace: string('Has to stay empty: a target is looked for in the namespace of the policy', {
      format: (text) => (text === '' ? null : 'no namespace (a target is in the namespace of its policy)'),
    }),
  },
  'A Gateway API resource this attaches to',
);

const NO_GATEWAY_API = 'Lateen has no Gateway API resources that a policy could attach to; use selector';

/** The three ways to say where a policy applies; at most one of them. */
export const attachment = {
  selector: workloadSelector,
  targetRef: refused(targetRef, NO_GATEWAY_API),
  targetRefs: refused(list(targetRef, 'Gateway API resources this attaches to', { max: 16 }), NO_GATEWAY_API),
};
export const ONE_ATTACHMENT = ['selector', 'targetRef', 'targetRefs'] as const;

export const exportTo = list(
  string('A namespace, `.` (its own), `*` (all) or `~` (none)', { format: namespaceRef }),
  'Namespaces that may use this: names, `.` for its own, `*` for all',
  { default: '*' },
);

export const portSelector = object({ number: required(port('Port number')) }, 'Port of the service');

export const destination = object(
  {
    host: required(
      string('Service by name; a name without dots is looked for in the namespace of this resource', { minLength: 1 }),
    ),
    subset: string('Subset of the DestinationRule that applies to the host'),
    port: portSelector,
  },
  'A service, or a subset of it, that requests go to',
);
export type Destination = Infer<typeof destination>;

/** Relative share of several destinations. */
export const weight = int32('Relative share of the traffic; a single destination gets all of it', {
  min: 0,
  default: 0,
});
