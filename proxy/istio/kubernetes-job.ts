/** Jobs: pods that run to their end (Kubernetes API reference, batch/v1), with the fields Lateen uses. */
import { anything, bool, enumeration, ignored, int32, openObject, required } from './field.ts';
import { podSelector, podTemplate } from './kubernetes-pod.ts';
import type { Infer } from './schema.ts';

const jobSpec = openObject(
  {
    parallelism: int32('Pods at a time, at most', { min: 0, default: 1 }),
    completions: int32('Pods that have to succeed', { min: 0 }),
    backoffLimit: int32('Failures before the job has failed', { min: 0, default: 6 }),
    activeDeadlineSeconds: int32('Seconds until the job has failed, whatever runs', { min: 1 }),
    ttlSecondsAfterFinished: int32('Seconds until a job that has ended is deleted', { min: 0 }),
    suspend: bool('Whether it waits', { default: false }),
    completionMode: enumeration(['NonIndexed', 'Indexed'], 'Whether each pod has a number', {
      default: 'NonIndexed',
      refused: { Indexed: 'pods of a job have no numbers here' },
    }),
    podFailurePolicy: ignored(anything('Which failures count'), 'every failure counts'),
    selector: podSelector,
    manualSelector: bool('Whether the selector was written by hand'),
    template: required(podTemplate),
  },
  'What is to run to its end, and how often',
);
export type JobSpec = Infer<typeof jobSpec>;

export const jobFields = openObject(
  { spec: required(jobSpec), status: openObject({}, 'What is the case; written by Lateen') },
  'Runs pods until enough of them have succeeded',
);
