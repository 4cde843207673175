/** `npm run bench`: ours against its peers, in turns, on this machine. Prints what was measured, keeps the record, writes the page. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canAccount } from './accounting.ts';
import { installRivals } from './install.ts';
import { machine } from './machine.ts';
import { parseOptions, usage, type Options } from './options.ts';
import { intoPage, plots, text } from './page.ts';
import { CORES, exitOnSignals, scratchFolder } from './process.ts';
import { fileOf, FORMAT, keep, readRecord, type Entry, type Record } from './record.ts';
import { suitesNamed, type AnySuite } from './suites/all.ts';
import type { Lab } from './suites/lab.ts';
import { findBinary } from './targets/binary.ts';
import { startCollector } from './targets/collector.ts';
import { startOrigin } from './targets/origin.ts';

const inRepository = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const RESULTS = inRepository('bench/results');
const PAGE = inRepository('docs/benchmarks.md');
const PICTURES = inRepository('docs/benchmarks');

exitOnSignals();
try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(usage());
  else if (options.from !== null) publish(options, readRecord(options.from));
  else await run(options);
  // Whatever still holds the loop, such as a child that does not want to end, ends with this program.
  process.exit();
} catch (cause) {
  console.error(`bench: ${cause instanceof Error ? cause.message : String(cause)}`);
  process.exit(1);
}

async function run(options: Options): Promise<void> {
  if (!canAccount()) throw new Error('CPU time is read from /proc, which only Linux has');
  const suites = suitesNamed(options.suites);
  if (suites.some(({ id }) => id === 'compare')) installRivals();
  const facts = machine();
  const entries: { [id: string]: Entry } = {};
  for (const suite of suites) {
    const entry = await one(suite, options, facts.loadBefore);
    entries[suite.id] = entry;
    if (entry.failed !== null) {
      process.exitCode = 1;
      console.error(`bench: ${suite.id} failed: ${entry.failed}`);
    }
  }
  const date = new Date().toISOString().slice(0, 10);
  publish(options, { format: FORMAT, date, machine: facts, pinned: CORES !== null, suites: entries });
}

/** A suite with an upstream and a collector of its own; what goes wrong in it does not stop the others. */
async function one(suite: AnySuite, options: Options, loadBefore: number): Promise<Entry> {
  const from = performance.now();
  const took = (): number => (performance.now() - from) / 1000;
  const words = process.argv.slice(2);
  const command = `npm run bench${words.length === 0 ? '' : ` -- ${words.join(' ')}`}`;
  try {
    using folder = scratchFolder();
    const address = addresses();
    await using origin = await startOrigin(address(), folder.path);
    await using collector = await startCollector(address());
    const lab: Lab = {
      ...options,
      origin: { ...origin.place, kind: origin.kind },
      collector: collector.place,
      wrk: findBinary('wrk'),
      address,
      say: (text) => console.error(`${took().toFixed(0).padStart(4)} s  ${suite.id}: ${text}`),
    };
    // As it will be read back: what is no number is null in JSON.
    const data: unknown = JSON.parse(JSON.stringify(await suite.run(lab)));
    return { command, loadBefore, tookSeconds: took(), failed: null, data };
  } catch (cause) {
    const failed = cause instanceof Error ? cause.message.trim() : String(cause);
    return { command, loadBefore, tookSeconds: took(), failed, data: null };
  }
}

/** Loopback addresses of this benchmark, each once in a suite. */
function addresses(): () => string {
  let n = 0;
  return () => `127.44.${Math.floor(++n / 250)}.${(n % 250) + 1}`;
}

function publish(options: Options, record: Record): void {
  console.log(options.json ? JSON.stringify(record, null, 1) : text(record));
  const file = join(RESULTS, fileOf(record));
  let whole = record;
  if (options.save && options.from === null) {
    whole = keep(file, record);
    console.error(`kept in bench/results/${fileOf(record)}`);
  }
  if (!options.docs) return;
  mkdirSync(PICTURES, { recursive: true });
  for (const old of readdirSync(PICTURES)) if (old.endsWith('.svg')) rmSync(join(PICTURES, old));
  for (const { file, svg } of plots(whole)) writeFileSync(join(PICTURES, file), svg);
  writeFileSync(PAGE, intoPage(readFileSync(PAGE, 'utf8'), text(whole)));
  console.error('put into docs/benchmarks.md');
}
