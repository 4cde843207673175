/** One process of the fuzzer: runs lanes until its time is over, reports to its parent, and never survives an exception unnoticed. */
import { Fuzzer, type Finding, type Holdings, type Tally } from './fuzzer.ts';
import { startLanes } from './lanes.ts';

/** From the parent, as the first argument (JSON). */
export type Task = { readonly seed: string; readonly ms: number; readonly lanes: readonly string[] };

/** To the parent. */
export type Report = {
  readonly tally: Tally;
  readonly holdings: readonly Holdings[];
  /** What ended the process before its time; null: nothing. */
  readonly crash: Finding | null;
  readonly over: boolean;
};

/** How often the parent hears, ms. */
const REPORT_EVERY = 5000;
/** Descriptors that may be held more than after the warm-up. */
const SPARE_FDS = 40;
/** Heap that may be held more than after the warm-up, bytes. */
const SPARE_HEAP = 48 * 1024 * 1024;

const task = JSON.parse(process.argv[2]!) as Task;
const lanes = await startLanes(task.lanes);
const fuzzer = new Fuzzer(lanes, task.seed);
let stopping = false;

const report = (over: boolean, crash: Finding | null, then: () => void = () => undefined): void =>
  void process.send?.({ tally: fuzzer.tally, holdings: fuzzer.holdings, crash, over } satisfies Report, then);

const onCrash = (cause: unknown): void => {
  const { lane, origin, input } = fuzzer.current ?? { lane: 'none', origin: '', input: { segments: [] } };
  const what = `the process threw: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`;
  report(true, { lane, origin, what, input }, () => process.exit(3));
};
process.on('uncaughtException', onCrash);
process.on('unhandledRejection', onCrash);
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => (stopping = true));
process.on('message', () => (stopping = true));
process.on('disconnect', () => process.exit(0));

const end = performance.now() + task.ms;
let next = performance.now() + REPORT_EVERY;
const over = (): boolean => stopping || performance.now() > end;
// Warm: pools are filled and code is compiled before anything is weighed.
const warm = performance.now() + Math.min(20_000, task.ms / 4);
await fuzzer.run(() => over() || performance.now() > warm);
await fuzzer.weigh();
while (!over()) {
  await fuzzer.run(() => over() || performance.now() > next);
  await fuzzer.weigh();
  report(false, null);
  next = performance.now() + REPORT_EVERY;
}
// Half-closed connections linger for a second.
await new Promise((done) => setTimeout(done, 1500));
const first = fuzzer.holdings[0]!;
const last = await fuzzer.weigh();
const held = (what: string): void =>
  void fuzzer.tally.findings.push({ lane: 'all', origin: task.seed, what, input: { segments: [] } });
if (last.fds > first.fds + SPARE_FDS) held(`descriptors leak: ${first.fds} after the warm-up, ${last.fds} at the end`);
if (last.heap > first.heap + SPARE_HEAP) held(`memory grows: ${first.heap} after the warm-up, ${last.heap} at the end`);
report(true, null, () => process.exit(0));
