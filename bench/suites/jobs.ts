/** The jobs that several suites give to both proxies. */
import { HOST, JASON, PLAIN, type Job } from '../targets/job.ts';

/** Everything a sidecar does: the profile `full` of the comparison table. */
export const FULL: Job = {
  hosts: [JASON],
  authz: true,
  headers: true,
  weights: true,
  log: true,
  tracing: 1,
  opaque: false,
};

/** Bytes are relayed, and not read. */
export const OPAQUE: Job = { ...PLAIN, opaque: true, log: true };

/** The caller's sidecar: routes, headers, log, metrics, traces; Istio applies policies at the callee. */
export const CLIENT: Job = { ...FULL, authz: false };

/** The callee's sidecar: policy, log, metrics, traces; no routes. */
export const SERVER: Job = {
  ...PLAIN,
  hosts: [{ name: HOST, routes: [{ name: 'default', match: {} }] }],
  authz: true,
  log: true,
  tracing: 1,
};
