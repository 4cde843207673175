/** What the benchmark needs to know of something it measures. */
import type { Target } from '../load/load.ts';

export type Profile =
  /** Forward, nothing else. */
  | 'plain'
  /** Everything a sidecar does: routes by header and weight, authorization, header operations, B3, request id, metrics, JSON access log, 1 % of traces. */
  | 'full'
  /** `full` with every request traced. */
  | 'traced';

export type Place = { readonly host: string; readonly port: number };

export type Surroundings = {
  readonly origin: Place;
  /** Takes Zipkin spans and forgets them. */
  readonly collector: Place;
  /** A loopback address of the candidate's own. */
  readonly address: string;
  /** A folder of its own, removed afterwards. */
  readonly dir: string;
};

export type Running = AsyncDisposable & {
  /** The process whose tree is accounted. */
  readonly pid: number;
  readonly target: Target;
};

export type Candidate = {
  /** Chosen with `--only`. */
  readonly id: string;
  readonly profile: Profile;
  readonly version: () => string | null;
  /** Why it cannot run here, or null when it can. */
  readonly missing: () => string | null;
  readonly start: (around: Surroundings) => Promise<Running>;
};
