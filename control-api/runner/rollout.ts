/** How far one step of a rolling update may go: the arithmetic of Deployments (kubernetes.io/docs/concepts/workloads/controllers/deployment). */

export type Rollout = {
  readonly desired: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
};

export type Counts = { readonly replicas: number; readonly available: number };

/** Reads maxSurge (percentages round up) and maxUnavailable (round down) against the wanted replicas; both default to 25 %. */
export function rolloutOf(
  desired: number,
  strategy: { readonly maxSurge?: number | string; readonly maxUnavailable?: number | string } = {},
): Rollout {
  const maxSurge = amount(strategy.maxSurge ?? '25%', desired, Math.ceil);
  const maxUnavailable = amount(strategy.maxUnavailable ?? '25%', desired, Math.floor);
  // Both zero would never move.
  return { desired, maxSurge, maxUnavailable: maxSurge === 0 && maxUnavailable === 0 ? 1 : maxUnavailable };
}

/** How many replicas the newest ReplicaSet and each older one are to have next. */
export function nextStep(
  { desired, maxSurge, maxUnavailable }: Rollout,
  newest: Counts,
  older: readonly Counts[],
): { newest: number; older: number[] } {
  const oldTotal = sum(older.map((c) => c.replicas));
  const room = Math.max(0, desired + maxSurge - newest.replicas - oldTotal);
  const grown = newest.replicas > desired ? desired : Math.min(desired, newest.replicas + room);
  const total = newest.replicas + oldTotal;
  const minAvailable = desired - maxUnavailable;
  let mayGo = Math.max(0, total - minAvailable - Math.max(0, newest.replicas - newest.available));
  // Those that serve nobody go first; they cost no availability.
  const left = older.map((c) => {
    const broken = Math.min(Math.max(0, c.replicas - c.available), mayGo);
    mayGo -= broken;
    return c.replicas - broken;
  });
  let spare = Math.max(0, newest.available + sum(older.map((c) => c.available)) - minAvailable);
  return {
    newest: grown,
    older: left.map((replicas) => {
      const down = Math.min(replicas, spare);
      spare -= down;
      return replicas - down;
    }),
  };
}

function amount(value: number | string, of: number, round: (n: number) => number): number {
  if (typeof value === 'number') return Math.max(0, value);
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent === undefined ? 0 : round((of * Number(percent)) / 100);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
