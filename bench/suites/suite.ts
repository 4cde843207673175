/** What a suite is: a run that gives data, and a section of the page made from that data alone. */
import type { Lab } from './lab.ts';

/** A picture under docs/benchmarks/. */
export type Plot = { readonly file: string; readonly svg: string };

export type Suite<Data> = {
  /** Chosen with `--suite`. */
  readonly id: string;
  readonly title: string;
  /** One line for `--help`. */
  readonly what: string;
  readonly run: (lab: Lab) => Promise<Data>;
  /** Markdown: how it was measured, the table, what it says. */
  readonly section: (data: Data) => string;
  readonly plots: (data: Data) => readonly Plot[];
};

/** Who could not take part, and why. */
export type Absent = { readonly who: string; readonly why: string };

/** One line for each who is not in the numbers. */
export function absentLines(absent: readonly Absent[]): string {
  return absent.map(({ who, why }) => `\n\n${who}: not measured, ${why}`).join('');
}

/** A picture in the page; GitHub and editors show it from where it lies. */
export function picture(file: string, alt: string): string {
  return `![${alt}](benchmarks/${file})`;
}
