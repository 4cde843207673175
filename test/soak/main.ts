/** `npm run soak`: runs one, prints how it goes, writes what came of it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readOptions, USAGE, type Options } from './options.ts';
import type { Sample } from './proxy-process.ts';
import { csvOf, secondHalf, slopePerHour, svgOf } from './report.ts';
import { soak, type SoakResult } from './soak.ts';
import type { Tally } from './tally.ts';

if (process.argv.includes('--help')) console.log(USAGE);
else process.exitCode = await main(parsed());

function parsed(): Options {
  try {
    return readOptions(process.argv.slice(2));
  } catch (cause) {
    console.error(`${(cause as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

async function main(options: Options): Promise<number> {
  const stopping = new AbortController();
  process.once('SIGINT', () => stopping.abort());
  process.once('SIGTERM', () => stopping.abort());
  const result = await soak({ ...options, ms: options.minutes * 60_000, onSample: tell, stop: stopping.signal });
  const summary = summarize(options, result);
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, 'summary.json'), `${JSON.stringify(summary, null, 1)}\n`);
  writeFileSync(join(options.out, 'samples.csv'), csvOf(result.samples));
  writeFileSync(join(options.out, 'memory.svg'), svgOf(result.samples));
  const { classes, ...short } = summary;
  for (const [name, n] of Object.entries(classes)) console.log(`${String(n).padStart(9)}  ${name}`);
  console.log(JSON.stringify(short, null, 1));
  return result.tally.wrong === 0 && result.tally.wrongs.length === 0 && result.alive ? 0 : 1;
}

function tell(sample: Sample, tally: Tally): void {
  const { at, rssMb, pssMb, fds, cpu } = sample;
  const done = `${tally.requests} requests: ${tally.right} right, ${tally.explained} explained, ${tally.wrong} wrong`;
  console.log(
    `${at.toFixed(0)} s: ${done}; RSS ${rssMb.toFixed(1)} MB, PSS ${pssMb.toFixed(1)} MB, ${fds} fds, ${cpu.toFixed(0)} % of a core, p99 ${tally.quantile(0.99).toFixed(1)} ms`,
  );
}

function summarize(options: Options, result: SoakResult) {
  const { tally, samples } = result;
  const half = secondHalf(samples);
  const slope = (of: (s: Sample) => number): number => Number(slopePerHour(half.map((s) => [s.at, of(s)])).toFixed(2));
  return {
    seed: options.seed,
    seconds: Math.round(result.seconds),
    capacity: result.capacity === null ? null : Math.round(result.capacity),
    rate: result.rate,
    requests: tally.requests,
    right: tally.right,
    explained: tally.explained,
    wrong: tally.wrong,
    wrongs: tally.wrongs,
    revisions: result.revisions,
    restarts: result.restarts,
    latencyMs: { p50: tally.quantile(0.5), p99: tally.quantile(0.99), p999: tally.quantile(0.999) },
    slopePerHour: { rssMb: slope((s) => s.rssMb), pssMb: slope((s) => s.pssMb), fds: slope((s) => s.fds) },
    first: brief(samples[0]),
    last: brief(samples.at(-1)),
    fds: result.fds,
    alive: result.alive,
    complaints: result.complaints,
    classes: Object.fromEntries(Object.entries(tally.classes).sort(([, a], [, b]) => b - a)),
  };
}

function brief(sample: Sample | undefined): Omit<Sample, 'metrics' | 'threads'> | null {
  if (sample === undefined) return null;
  const { at, rssMb, pssMb, fds, cpu } = sample;
  return { at, rssMb, pssMb, fds, cpu };
}
