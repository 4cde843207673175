/** The soak's command line. */
import { parseArgs } from 'node:util';

export type Options = {
  readonly minutes: number;
  /** Requests a second; null: half of what a closed loop gets through. */
  readonly rate: number | null;
  readonly seed: string;
  /** Worker threads of the proxy. */
  readonly concurrency: number;
  /** Directory for summary.json, samples.csv and memory.svg. */
  readonly out: string;
  /** Loopback address of the proxy; origins stand on the ones after it. */
  readonly ip: string;
  readonly sampleMs: number;
};

export const USAGE = `npm run soak -- [options]
  --minutes N       how long (default 1; fractions are fine)
  --rate R          requests a second (default: half of what a closed loop gets through)
  --seed S          the same seed draws the same requests (default: the time)
  --concurrency N   worker threads of the proxy (default 1)
  --out DIR         summary.json, samples.csv, memory.svg (default .lateen/soak)
  --ip ADDRESS      loopback address of the proxy (default 127.43.8.1)
  --sample SECONDS  time between two samples (default 10)
SIGINT ends it early, with its summary. Exit code: 0 no wrong answer, 1 wrong answers or a proxy that died, 2 wrong usage.`;

/** Throws an Error in words when an option makes no sense. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '1' },
      rate: { type: 'string' },
      seed: { type: 'string', default: String(Date.now()) },
      concurrency: { type: 'string', default: '1' },
      out: { type: 'string', default: '.lateen/soak' },
      ip: { type: 'string', default: '127.43.8.1' },
      sample: { type: 'string', default: '10' },
    },
  });
  if (!/^127\.\d+\.\d+\.\d+$/.test(values.ip)) throw new Error(`--ip needs a loopback address, not ${values.ip}`);
  return {
    minutes: positive('--minutes', values.minutes),
    rate: values.rate === undefined ? null : positive('--rate', values.rate),
    seed: values.seed,
    concurrency: Math.ceil(positive('--concurrency', values.concurrency)),
    out: values.out,
    ip: values.ip,
    sampleMs: positive('--sample', values.sample) * 1000,
  };
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new Error(`${name} needs a number above 0, not ${JSON.stringify(text)}`);
  return number;
}
