/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';
import { SUITES } from './suites/all.ts';

export type Options = {
  /** Suites or groups of them; empty means all. */
  readonly suites: readonly string[];
  /** Candidate ids, or parts of them; empty means all. */
  readonly only: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly rate: number;
  /** Only to see that it works. */
  readonly quick: boolean;
  /** Measure nothing: read this record instead. */
  readonly from: string | null;
  /** Print the record instead of the table. */
  readonly json: boolean;
  /** Keep the record in bench/results/. */
  readonly save: boolean;
  /** Put the table into docs/benchmarks.md, too. */
  readonly docs: boolean;
  readonly help: boolean;
};

/** The help text. */
export function usage(): string {
  return [
    'npm run bench -- [options]',
    '  --suite ID,ID     suites to run (default: all, some thirteen minutes on a machine with nothing else to do):',
    ...SUITES.map(({ id, what }) => `                      ${id.padEnd(12)}${what}`),
    '                      curves      routes, connections',
    '  --only ID,ID      suite compare: candidates whose id contains one of these (default: all)',
    '  --rounds N        times everything is measured, in turns (default 3)',
    '  --duration S      seconds of each load (default 2)',
    '  --connections N   kept-alive connections (default 64)',
    '  --rate N          requests/s of the low fixed rate (default 1000)',
    '  --quick           one round of 1 second, to see that it works; nothing saved',
    '  --save, --no-save keep the record in bench/results/ or not; suites of the same day and machine go into one record',
    '  --docs            put numbers and pictures into docs/benchmarks.md and docs/benchmarks/ (from the kept record)',
    '  --from FILE       measure nothing: print (and with --docs: put into the page) what this record holds',
    '  --json            print the record instead of text',
  ].join('\n');
}

/** Reads the arguments; throws an error that says what was expected. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      suite: { type: 'string', multiple: true },
      only: { type: 'string', multiple: true },
      from: { type: 'string' },
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
    suites: listed(values.suite),
    only: listed(values.only),
    quick,
    from: values.from ?? null,
    rounds: within('rounds', values.rounds, quick ? 1 : 3, 1, 100),
    seconds: within('duration', values.duration, quick ? 1 : 2, 1, 600),
    warmUpSeconds: quick ? 1 : 2,
    connections: within('connections', values.connections, 64, 1, 1000),
    rate: within('rate', values.rate, 1000, 1, 50_000),
    json: values.json,
    docs: values.docs,
    save: values.save ?? !(quick || values['no-save']),
    help: values.help,
  };
}

const listed = (lists: readonly string[] | undefined): readonly string[] =>
  (lists ?? []).flatMap((list) => list.split(',')).filter((id) => id !== '');

function within(name: string, text: string | undefined, otherwise: number, min: number, max: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`--${name}: expected a whole number from ${min} to ${max}, got "${text}"`);
}
