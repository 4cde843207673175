/** What statistics, taps and logs are asked about: `deploy/reviews-v3`, `svc/reviews`, `ns`, `ns/default`. */
import { InvalidArgumentError } from 'commander';

export type Target = {
  readonly kind: 'workload' | 'service' | 'namespace' | 'pod';
  /** Null: all of them. */
  readonly name: string | null;
};

const KINDS: Readonly<Record<string, Target['kind']>> = {
  deploy: 'workload',
  deployment: 'workload',
  deployments: 'workload',
  workload: 'workload',
  svc: 'service',
  service: 'service',
  services: 'service',
  ns: 'namespace',
  namespace: 'namespace',
  namespaces: 'namespace',
  po: 'pod',
  pod: 'pod',
  pods: 'pod',
};

/** A name alone is that of a Deployment. */
export function target(text: string): Target {
  const slash = text.indexOf('/');
  const kind = KINDS[slash < 0 ? text : text.slice(0, slash)];
  const name = slash < 0 ? (kind === undefined ? text : null) : text.slice(slash + 1);
  if ((kind === undefined && slash >= 0) || (name !== null && !/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name))) {
    throw new InvalidArgumentError(
      `Expected deploy/NAME, svc/NAME, pod/NAME or ns/NAME, or one of deploy, svc, pod, ns alone, got ${JSON.stringify(text.slice(0, 200))}.`,
    );
  }
  return { kind: kind ?? 'workload', name };
}
