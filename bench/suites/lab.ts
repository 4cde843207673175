/** What a suite works with: time limits, places, tools, and proxies that end with their block. */
import { answersLikeTheOrigin } from '../measure.ts';
import { scratchFolder, type Role } from '../process.ts';
import type { Place, Running } from '../targets/candidate.ts';
import { CONTENDERS, type Contender } from '../targets/contender.ts';
import type { Job, Probe } from '../targets/job.ts';

export type Lab = {
  /** Only to see that it works: everything short and small. */
  readonly quick: boolean;
  readonly rounds: number;
  /** Of each load. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Kept alive, where a suite does not say otherwise. */
  readonly connections: number;
  /** Requests/s of the low fixed rate. */
  readonly rate: number;
  /** Candidate ids, or parts of them; empty means all. */
  readonly only: readonly string[];
  readonly origin: Place & { readonly kind: 'nginx' | 'node' };
  readonly collector: Place;
  /** wrk's path; null where it is not installed. */
  readonly wrk: string | null;
  /** A loopback address that nobody else has. */
  readonly address: () => string;
  /** Progress, to stderr. */
  readonly say: (text: string) => void;
};

export type Work = {
  readonly job: Job;
  readonly workers?: number;
  readonly role?: Role;
  readonly as?: 'gateway' | 'client' | 'server';
  /** Instead of the laboratory's. */
  readonly origin?: Place;
  /** A request that must be answered like the origin before anything is measured; null: none is sent. */
  readonly first?: Probe | null;
};

/** The big route tables take a while to be compiled. */
const READY_MS = 60_000;

/** Starts one of the two on a job, and waits until it does it. Throws when it does not within seconds. */
export async function employ(lab: Lab, contender: Contender, { first, ...work }: Work): Promise<Running> {
  const folder = scratchFolder();
  try {
    const running = await contender.start({
      origin: lab.origin,
      collector: lab.collector,
      address: lab.address(),
      dir: folder.path,
      ...work,
    });
    if (first !== null) await answersLikeTheOrigin({ ...running.target, ...first }, READY_MS);
    return {
      ...running,
      async [Symbol.asyncDispose]() {
        await running[Symbol.asyncDispose]();
        folder[Symbol.dispose]();
      },
    };
  } catch (cause) {
    folder[Symbol.dispose]();
    throw cause;
  }
}

/** Who works, and who could not be had. */
export type Staff = {
  readonly proxies: readonly { readonly who: Contender['id']; readonly running: Running }[];
  readonly absent: readonly { readonly who: string; readonly why: string }[];
};

/** Both of them on the same job, as long as `stack` lives; those that are not installed are named instead. */
export async function employAll(lab: Lab, stack: AsyncDisposableStack, work: Work): Promise<Staff> {
  const absent: { who: string; why: string }[] = [];
  const proxies: { who: Contender['id']; running: Running }[] = [];
  for (const contender of CONTENDERS) {
    const why = contender.missing();
    if (why !== null) absent.push({ who: contender.id, why });
    else proxies.push({ who: contender.id, running: stack.use(await employ(lab, contender, work)) });
  }
  return { proxies, absent };
}
