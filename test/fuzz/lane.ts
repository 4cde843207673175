/** What the fuzzer runs: lanes, each with its cases and its judgement. A case is plain data, so that it can be stored and run again. */
import type { Dice } from './dice.ts';

/** The bytes of one case (latin1), in the segments they are sent in; what else a lane needs stands beside them. */
export type Case = { readonly segments: readonly string[] } & Readonly<Record<string, unknown>>;

/** The text `name` of a case; "" when it has none. */
export function textOf(input: Case, name: string): string {
  const value = input[name];
  return typeof value === 'string' ? value : '';
}

export type Verdict = {
  /** `title: detail` of what should not be; null: all is well. */
  readonly finding: string | null;
  /** What kind of case it was, for the count of classes. */
  readonly seen: string;
};

export type Lane = AsyncDisposable & {
  readonly name: string;
  /** Share of the time. */
  readonly weight: number;
  /** `nth`: the number of the case in its lane, which goes into ids. */
  make(dice: Dice, nth: number): Case;
  run(input: Case): Verdict | Promise<Verdict>;
};

export const fine = (seen: string): Verdict => ({ finding: null, seen });
export const found = (seen: string, title: string, detail: string): Verdict => ({
  finding: `${title}: ${detail}`,
  seen,
});

/** What comes before the first colon: findings of one title are one finding. */
export const titleOf = (finding: string): string => finding.split(':', 1)[0]!;
