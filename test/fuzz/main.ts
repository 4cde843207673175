/** `npm run fuzz`: processes that fuzz, what they report, and the reproducers of what they find. */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report, Task } from './child.ts';
import type { Finding } from './fuzzer.ts';
import { startLanes } from './lanes.ts';
import { readOptions, USAGE, type Options } from './options.ts';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));
const PROGRESS_EVERY = 30_000;

if (process.argv.includes('--help')) {
  console.log(USAGE);
} else {
  const options = parsed();
  process.exitCode = options.replay === null ? await fuzz(options) : await replay(options.replay);
}

function parsed(): Options {
  try {
    return readOptions(process.argv.slice(2));
  } catch (cause) {
    console.error(`${(cause as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

async function replay(file: string): Promise<number> {
  const { lane: name, input } = JSON.parse(readFileSync(file, 'utf8')) as Finding;
  const [lane] = await startLanes([name]);
  if (lane === undefined) throw new Error(`the lane ${name} needs a tool that is not here`);
  const { finding, seen } = await lane.run(input);
  await lane[Symbol.asyncDispose]();
  console.log(finding ?? `fine now (${seen})`);
  return finding === null ? 0 : 1;
}

async function fuzz(options: Options): Promise<number> {
  const start = performance.now();
  const reports = new Map<number, Report>();
  const stored = new Set<string>();
  const children = Array.from({ length: options.workers }, (_, i) => startChild(options, i));
  const timer = setInterval(() => console.log(progress(start, reports)), PROGRESS_EVERY);
  const stop = (): void => children.forEach((child) => child.connected && child.send('stop'));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  await Promise.all(
    children.map(
      (child, i) =>
        new Promise<void>((done) => {
          child.on('message', (report: Report) => {
            reports.set(i, report);
            for (const finding of findingsOf([report])) store(options.findings, stored, finding);
          });
          child.on('exit', (code, signal) => {
            if (code !== 0) console.log(`process ${i} left with ${signal ?? `code ${code}`}`);
            if (code !== 0 && reports.get(i)?.crash == null) reports.set(i, died(reports.get(i), code, signal));
            done();
          });
        }),
    ),
  );
  clearInterval(timer);
  const summary = summarize(options, start, [...reports.values()]);
  console.log(progress(start, reports));
  console.log(classList(summary.classes));
  for (const [title, times] of Object.entries(summary.again)) console.log(`${times} × ${title}`);
  console.log(summary.findings.length === 0 ? 'nothing found' : `${summary.findings.length} findings`);
  if (options.out !== null) writeFileSync(options.out, `${JSON.stringify(summary, null, 1)}\n`);
  return summary.findings.length === 0 ? 0 : 1;
}

function startChild({ seed, minutes, lanes }: Options, i: number): ChildProcess {
  const task: Task = { seed: `${seed}-${i}`, ms: minutes * 60_000, lanes };
  return fork(CHILD, [JSON.stringify(task)], { execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'] });
}

/** A process that ended without a word (out of memory, a signal) is a finding of its own. */
function died(last: Report | undefined, code: number | null, signal: string | null): Report {
  const what = `the process died: ${signal ?? `code ${code}`}`;
  const crash: Finding = { lane: 'all', origin: '', what, input: { segments: [] } };
  const tally = last?.tally ?? { cases: {}, classes: {}, findings: [], again: {} };
  return { tally, holdings: last?.holdings ?? [], crash, over: true };
}

function findingsOf(reports: readonly Report[]): Finding[] {
  return reports.flatMap(({ tally, crash }) => (crash === null ? tally.findings : [...tally.findings, crash]));
}

/** Prints a finding once, and puts its reproducer into a file. */
function store(dir: string, stored: Set<string>, finding: Finding): void {
  const name = `${finding.lane} ${finding.what.split(':', 1)[0]!}`.replace(/[^\w]+/g, '-').slice(0, 80);
  if (stored.has(name)) return;
  stored.add(name);
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(finding, null, 1)}\n`);
  console.log(`FOUND ${finding.lane} (${finding.origin}): ${finding.what.slice(0, 2000)}`);
  console.log(`  bytes: ${JSON.stringify(finding.input.segments.join('')).slice(0, 2000)}`);
  console.log(`  again: npm run fuzz -- --replay ${file}`);
}

function sum(reports: readonly Report[], what: 'cases' | 'classes' | 'again'): Record<string, number> {
  const all: Record<string, number> = {};
  for (const { tally } of reports) for (const [k, n] of Object.entries(tally[what])) all[k] = (all[k] ?? 0) + n;
  return all;
}

function progress(start: number, reports: ReadonlyMap<number, Report>): string {
  const all = [...reports.values()];
  const cases = Object.entries(sum(all, 'cases')).map(([lane, n]) => `${lane} ${n}`);
  const held = all.map(({ holdings }) => holdings.at(-1)).filter((h) => h !== undefined);
  const mb = (bytes: number): string => `${Math.round(bytes / 1048576)}`;
  const holds = held.map((h) => `${h.fds} fds, ${mb(h.heap)}/${mb(h.rss)} MB`).join('; ');
  const seconds = Math.round((performance.now() - start) / 1000);
  return `${seconds} s: ${cases.join(', ')}; ${Object.keys(sum(all, 'classes')).length} classes; ${findingsOf(all).length} findings; holds ${holds}`;
}

function summarize(options: Options, start: number, reports: readonly Report[]) {
  const classes = sum(reports, 'classes');
  return {
    seed: options.seed,
    workers: options.workers,
    seconds: Math.round((performance.now() - start) / 1000),
    cases: sum(reports, 'cases'),
    classes: Object.fromEntries(Object.entries(classes).sort(([, a], [, b]) => b - a)),
    again: sum(reports, 'again'),
    findings: findingsOf(reports),
    holdings: reports.map(({ holdings }) => holdings),
  };
}

function classList(classes: Readonly<Record<string, number>>): string {
  return Object.entries(classes)
    .slice(0, 40)
    .map(([name, n]) => `${String(n).padStart(9)}  ${name}`)
    .join('\n');
}
