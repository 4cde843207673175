/** The fuzzer's command line. */
import { parseArgs } from 'node:util';

export type Options = {
  readonly minutes: number;
  readonly seed: string;
  readonly workers: number;
  /** Where the summary goes, as JSON; null: nowhere. */
  readonly out: string | null;
  /** Directory for reproducers. */
  readonly findings: string;
  /** Names of lanes; empty: all. */
  readonly lanes: readonly string[];
  /** A stored finding to run again; null: fuzz. */
  readonly replay: string | null;
};

export const USAGE = `npm run fuzz -- [options]
  --minutes N       how long (default 1; fractions are fine)
  --seed S          the same seed draws the same cases (default: the time)
  --workers N       processes (default 2)
  --lanes a,b       only these: parsers, requests, responses, tunnels, openings, envoy
  --out FILE        the summary as JSON
  --findings DIR    where reproducers go (default .lateen/fuzz)
  --replay FILE     run one reproducer again
Exit code: 0 nothing found, 1 findings, 2 wrong usage.`;

/** Throws an Error in words when an option makes no sense. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string', default: String(Date.now()) },
      workers: { type: 'string', default: '2' },
      lanes: { type: 'string', default: '' },
      out: { type: 'string' },
      findings: { type: 'string', default: '.lateen/fuzz' },
      replay: { type: 'string' },
    },
  });
  return {
    minutes: positive('--minutes', values.minutes),
    seed: values.seed,
    workers: Math.ceil(positive('--workers', values.workers)),
    out: values.out ?? null,
    findings: values.findings,
    lanes: values.lanes.split(',').filter((name) => name !== ''),
    replay: values.replay ?? null,
  };
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new Error(`${name} needs a number above 0, not ${JSON.stringify(text)}`);
  return number;
}
