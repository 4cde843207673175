/** A small timing loop: batches of at least 20 ms, their median, nanoseconds a call. Good for ratios within one run, not across machines. */
import { median, spread } from '../statistics.ts';

export type Timing = { readonly ns: number; readonly spread: number };

const BATCH_MS = 20;
const BATCHES = 15;

/** Times `call`, which must return something that depends on its work, so that the work cannot be dropped. */
export function time(call: (i: number) => unknown): Timing {
  let size = 16;
  let n = 0;
  // Warm up, and find how many calls fill a batch.
  for (let took = 0; took < BATCH_MS; size *= 2) {
    const from = performance.now();
    for (let i = 0; i < size; i++) keep(call(n++));
    took = performance.now() - from;
  }
  const samples = Array.from({ length: BATCHES }, () => {
    const from = performance.now();
    for (let i = 0; i < size; i++) keep(call(n++));
    return ((performance.now() - from) * 1e6) / size;
  });
  return { ns: median(samples)!, spread: spread(samples)! };
}

/** Prints one line for each case, in the order given. */
export function compare(title: string, cases: Readonly<Record<string, (i: number) => unknown>>): void {
  console.log(title);
  for (const [name, call] of Object.entries(cases)) {
    const { ns, spread } = time(call);
    console.log(`  ${name.padEnd(44)} ${ns.toFixed(1).padStart(10)} ns  ± ${(spread * 100).toFixed(0)} %`);
  }
}

let kept: unknown;
function keep(value: unknown): void {
  kept = value === kept ? value : value;
}
