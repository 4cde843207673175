/** From a record to what people read: the written part of docs/benchmarks.md and its pictures. */
import type { Record } from './record.ts';
import { SUITES } from './suites/all.ts';
import type { Plot } from './suites/suite.ts';

/** Markdown that is plain text too: the machine, a section for each suite that is in the record, what to beware of. */
export function text(record: Record): string {
  const { machine: m, date } = record;
  const sections = SUITES.flatMap(({ id, title, section }) => {
    const entry = record.suites[id];
    if (entry === undefined) return [];
    const body = entry.failed === null ? section(entry.data) : `Not measured: ${entry.failed}`;
    const busy = entry.loadBefore > 0.3 ? `; load before ${entry.loadBefore}: **not idle, read the ratios only**` : '';
    return [`### ${title}`, '', `\`${entry.command}\`, ${Math.round(entry.tookSeconds)} s${busy}.`, '', body, ''];
  });
  return [
    `${date}: ${m.cpu}, ${m.cores} cores, ${m.memoryGb} GB, Linux ${m.kernel}, Node ${m.node}.${record.pinned ? '' : ' Proxy and load were not kept on cores of their own.'}`,
    '',
    ...sections,
  ]
    .join('\n')
    .trimEnd();
}

/** All pictures of a record. */
export function plots(record: Record): readonly Plot[] {
  return SUITES.flatMap(({ id, plots }) => {
    const entry = record.suites[id];
    return entry === undefined || entry.failed !== null ? [] : plots(entry.data);
  });
}

const BEGIN = '<!-- the next lines are written by npm run bench -- --docs -->';
const END = '<!-- end of what is written -->';

/** `page` with `text` between its two marks. Throws when it has no marks. */
export function intoPage(page: string, text: string): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the page needs the lines ${BEGIN} and ${END}`);
  return `${page.slice(0, from)}${BEGIN}\n\n${text}\n\n${page.slice(to)}`;
}
