/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';

export type Options = {
  /** Candidate ids, or parts of them; empty means all. */
  readonly only: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly rate: number;
  /** Print the record instead of the table. */
  readonly json: boolean;
  /** Keep the record in bench/results/. */
  readonly save: boolean;
  /** Put the table into docs/benchmarks.md, too. */
  readonly docs: boolean;
  readonly help: boolean;
};

export const USAGE = `npm run bench -- [options]
  --only ID,ID      candidates whose id contains one of these (default: all)
  --rounds N        times each candidate is started and measured, in turns (default 3)
  --duration S      seconds of each load (default 5)
  --connections N   kept-alive connections (default 64)
  --rate N          requests/s of the fixed-rate load (default 1000)
  --quick           one round of 2 seconds, nothing saved
  --save, --no-save write bench/results/ or not
  --docs            put the table into docs/benchmarks.md
  --json            print the record instead of the table`;

/** Reads the arguments; throws an error that says what was expected. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      duration: { type: 'string' },
      connections: { type: 'string' },
      rate: { type: 'string' },
      quick: { type: 'boolean', default: false },
      save: { type: 'boolean' },
      'no-save': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      docs: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { quick } = values;
  return {
    only: (values.only ?? []).flatMap((list) => list.split(',')).filter((id) => id !== ''),
    rounds: within('rounds', values.rounds, quick ? 1 : 3, 1, 100),
    seconds: within('duration', values.duration, quick ? 2 : 5, 1, 600),
    warmUpSeconds: quick ? 1 : 3,
    connections: within('connections', values.connections, 64, 1, 1000),
    rate: within('rate', values.rate, 1000, 1, 50_000),
    json: values.json,
    docs: values.docs,
    save: values.save ?? !(quick || values['no-save']),
    help: values.help,
  };
}

function within(name: string, text: string | undefined, otherwise: number, min: number, max: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`--${name}: expected a whole number from ${min} to ${max}, got "${text}"`);
}
