/** `npm run bench`: ours against its peers, in turns, on this machine. Prints a table and keeps the record. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canAccount } from './accounting.ts';
import { installRivals } from './install.ts';
import { machine, machineId, versionOf } from './machine.ts';
import { measure, type Plan, type Round } from './measure.ts';
import { parseOptions, USAGE, type Options } from './options.ts';
import { CORES } from './process.ts';
import { intoPage, report, summarize, type Measured, type Record } from './report.ts';
import { findBinary } from './targets/binary.ts';
import type { Candidate, Place } from './targets/candidate.ts';
import { startCollector } from './targets/collector.ts';
import { ENVOY } from './targets/envoy.ts';
import { HAPROXY } from './targets/haproxy.ts';
import { LATEEN } from './targets/lateen.ts';
import { NGINX } from './targets/nginx.ts';
import { NODE_CANDIDATES } from './targets/node.ts';
import { startOrigin } from './targets/origin.ts';

const CANDIDATES: readonly Candidate[] = [...LATEEN, ...ENVOY, NGINX, HAPROXY, ...NODE_CANDIDATES];
/** Upstream and collector have the first two addresses, candidates the ones after. */
const addressOf = (n: number): string => `127.50.2.${n + 1}`;
const resultsDir = fileURLToPath(new URL('results/', import.meta.url));
const docsFile = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(USAGE);
  else await run(options);
} catch (cause) {
  console.error(`bench: ${cause instanceof Error ? cause.message : String(cause)}`);
  process.exitCode = 1;
}

async function run(options: Options): Promise<void> {
  if (!canAccount()) throw new Error('CPU time is read from /proc, which only Linux has');
  const chosen = CANDIDATES.filter(
    ({ id }) => options.only.length === 0 || options.only.some((part) => id.includes(part)),
  );
  if (chosen.length === 0)
    throw new Error(`--only names no candidate; there are ${CANDIDATES.map((c) => c.id).join(', ')}`);
  installRivals();
  const facts = machine();
  const dir = mkdtempSync(join(tmpdir(), 'lateen-bench-origin-'));
  try {
    await using origin = await startOrigin(addressOf(0), dir);
    await using collector = await startCollector(addressOf(1));
    const plan: Plan = { ...options, wrk: findBinary('wrk') };
    const measured = await inTurns(chosen, options.rounds, { origin: origin.place, collector: collector.place }, plan);
    const { seconds, warmUpSeconds, connections, rate } = plan;
    const wrk = plan.wrk === null ? null : versionOf(plan.wrk, '-v');
    publish(options, {
      format: 1,
      date: new Date().toISOString().slice(0, 10),
      machine: facts,
      pinned: CORES !== null,
      origin: origin.kind,
      plan: { seconds, warmUpSeconds, connections, rate, wrk, rounds: options.rounds },
      candidates: measured.map((each) => ({ ...each, summary: summarize(each.rounds) })),
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A B C A B C …: what drifts on the machine drifts for all. One that fails is out, with its reason. */
async function inTurns(
  candidates: readonly Candidate[],
  rounds: number,
  places: { origin: Place; collector: Place },
  plan: Plan,
): Promise<Measured[]> {
  const done = new Map<string, Round[]>(candidates.map(({ id }) => [id, []]));
  const out = new Map<string, string>();
  for (const candidate of candidates) {
    const missing = candidate.missing();
    if (missing !== null) out.set(candidate.id, missing);
  }
  for (let round = 1; round <= rounds; round++) {
    for (const [i, candidate] of candidates.entries()) {
      if (out.has(candidate.id)) continue;
      console.error(`round ${round} of ${rounds}: ${candidate.id}`);
      try {
        done.get(candidate.id)!.push(await measure(candidate, { ...places, address: addressOf(i + 2) }, plan));
      } catch (cause) {
        out.set(candidate.id, cause instanceof Error ? cause.message.trim() : String(cause));
      }
    }
  }
  return candidates.map(({ id, profile, version }) => {
    const skipped = out.get(id) ?? null;
    return { id, profile, version: version(), skipped, rounds: done.get(id)! };
  });
}

function publish(options: Options, record: Record): void {
  const text = report(record);
  console.log(options.json ? JSON.stringify(record, null, 1) : text);
  const file = `${record.date}-${machineId(record.machine)}.json`;
  if (options.save) {
    mkdirSync(resultsDir, { recursive: true });
    writeFileSync(join(resultsDir, file), `${JSON.stringify(record, null, 1)}\n`);
    console.error(`kept in bench/results/${file}`);
  }
  if (options.docs) {
    const command = `npm run bench${process.argv.slice(2).length === 0 ? '' : ` -- ${process.argv.slice(2).join(' ')}`}`;
    writeFileSync(docsFile, intoPage(readFileSync(docsFile, 'utf8'), `\`${command}\` on ${record.date}:\n\n${text}`));
    console.error('put into docs/benchmarks.md');
  }
}
