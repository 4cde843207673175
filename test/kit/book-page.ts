/** The reviews on a product page, and what a proxy's metrics count: as the tests of BookInfo on MySQL read them. */
import type { Page } from './page.ts';

export type Shown = (readonly [reviewer: string, stars: number])[];

export const shown = ({ body }: Page): Shown =>
  [...body.matchAll(/<figure>.*?<figcaption>(.*?)<\/figcaption>(.*?)<\/figure>/gs)].map(([, reviewer, stars]) => [
    reviewer!,
    stars!.split('glyphicon glyphicon-star"').length - 1,
  ]);
export const reviewers = (page: Page): string[] => shown(page).map(([reviewer]) => reviewer);

/** Lines of a scrape page: one metric, with that text among its labels. */
export const series = (text: string, metric: string, label: string): string[] =>
  text.split('\n').filter((line) => line.startsWith(`${metric}{`) && line.includes(label));
export const sum = (lines: readonly string[]): number =>
  lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0);
