/** What the benchmark says: a summary per candidate, a table for people, a record for comparison. */
import type { Machine } from './machine.ts';
import type { Loaded, Plan, Round } from './measure.ts';
import { medianOf, spread } from './statistics.ts';
import type { Profile } from './targets/candidate.ts';

export type Measured = {
  readonly id: string;
  readonly profile: Profile;
  readonly version: string | null;
  /** Why there are no rounds, when there are none. */
  readonly skipped: string | null;
  readonly rounds: readonly Round[];
};

/** The whole record, as written to bench/results/. */
export type Record = {
  readonly format: 1;
  readonly date: string;
  readonly machine: Machine;
  readonly pinned: boolean;
  readonly origin: 'nginx' | 'node';
  readonly plan: Omit<Plan, 'wrk'> & { readonly wrk: string | null; readonly rounds: number };
  readonly candidates: readonly (Measured & { readonly summary: Summary | null })[];
};

/** Medians over the rounds. */
export type Summary = {
  /** CPU microseconds per request at saturation. */
  readonly cpuUs: number;
  /** Half the range of the rounds over their median. */
  readonly cpuSpread: number;
  readonly rps: number;
  readonly p99Ms: number;
  readonly autocannonRps: number;
  /** vCPU used per 1000 requests/s, at the fixed rate. */
  readonly vcpuPer1000: number;
  readonly fixedP50Ms: number;
  readonly fixedP99Ms: number;
  readonly pssMb: number;
  readonly rssMb: number;
  readonly errors: number;
};

/** Null of no rounds. */
export function summarize(rounds: readonly Round[]): Summary | null {
  if (rounds.length === 0) return null;
  const of = (pick: (round: Round) => number): number => medianOf(rounds, pick) ?? Number.NaN;
  return {
    cpuUs: of((r) => r.saturation.cpuUs),
    cpuSpread: spread(rounds.map((r) => r.saturation.cpuUs)) ?? 0,
    rps: of((r) => r.saturation.rps),
    p99Ms: of((r) => r.saturation.latencyMs.p99),
    autocannonRps: of((r) => r.autocannon.rps),
    // µs per request is the share of a core that one request a second takes, in millionths.
    vcpuPer1000: of((r) => r.fixed.cpuUs / 1000),
    fixedP50Ms: of((r) => r.fixed.latencyMs.p50),
    fixedP99Ms: of((r) => r.fixed.latencyMs.p99),
    pssMb: of((r) => r.pss / 1e6),
    rssMb: of((r) => r.rss / 1e6),
    errors: rounds.reduce((sum, r) => sum + r.saturation.errors + r.autocannon.errors + r.fixed.errors, 0),
  };
}

type Column = { readonly title: string; readonly cell: (row: Row) => string };
type Row = { readonly id: string; readonly profile: Profile; readonly summary: Summary; readonly all: Rows };
type Rows = readonly { readonly id: string; readonly profile: Profile; readonly summary: Summary }[];

const COLUMNS: readonly Column[] = [
  { title: 'candidate', cell: (r) => r.id },
  { title: 'µs/request', cell: (r) => r.summary.cpuUs.toFixed(1) },
  { title: '±', cell: (r) => `${(r.summary.cpuSpread * 100).toFixed(0)} %` },
  { title: '× Envoy', cell: (r) => ratio(r, `envoy-${r.profile}`, (s) => s.cpuUs) },
  { title: '× nginx', cell: (r) => ratio(r, 'nginx', (s) => s.cpuUs) },
  { title: 'requests/s', cell: (r) => Math.round(r.summary.rps).toString() },
  { title: 'p99 ms', cell: (r) => r.summary.p99Ms.toFixed(2) },
  { title: 'vCPU/1000 rps', cell: (r) => r.summary.vcpuPer1000.toFixed(3) },
  { title: '× Envoy', cell: (r) => ratio(r, `envoy-${r.profile}`, (s) => s.vcpuPer1000) },
  { title: 'p50 ms', cell: (r) => r.summary.fixedP50Ms.toFixed(2) },
  { title: 'p99 ms', cell: (r) => r.summary.fixedP99Ms.toFixed(2) },
  { title: 'PSS MB', cell: (r) => r.summary.pssMb.toFixed(0) },
  { title: 'RSS MB', cell: (r) => r.summary.rssMb.toFixed(0) },
  { title: 'errors', cell: (r) => String(r.summary.errors) },
];

/** Where it was measured and how, the table, and what to beware of: plain text that is Markdown too. */
export function report({ machine: m, plan, origin, pinned, candidates }: Record): string {
  const how = [
    `${m.cpu}, ${m.cores} cores, Linux ${m.kernel}, Node ${m.node}, load before the run ${m.loadBefore}`,
    `${plan.connections} connections, ${plan.rounds} × ${plan.seconds} s in turns, upstream ${origin}, load ${plan.wrk === null ? 'autocannon' : `wrk ${plan.wrk}`}, ${plan.rate} requests/s at the fixed rate`,
  ].join('; ');
  return [`${how}.`, '', table(candidates), ...warnings(m, pinned, candidates).flatMap((line) => ['', line])].join(
    '\n',
  );
}

/** The table alone, with one line below it for each candidate that is not in it. */
export function table(measured: readonly Measured[]): string {
  const all = measured.flatMap(({ id, profile, rounds }) => {
    const summary = summarize(rounds);
    return summary === null ? [] : [{ id, profile, summary }];
  });
  const lines = all.map((row) => COLUMNS.map((column) => column.cell({ ...row, all })));
  const skipped = measured.filter((m) => m.skipped !== null).map((m) => `\n${m.id}: not measured, ${m.skipped}`);
  return [
    markdown(
      COLUMNS.map((c) => c.title),
      lines,
    ),
    ...skipped,
  ].join('\n');
}

/** What makes numbers of this run worth less. */
function warnings(machine: Machine, pinned: boolean, measured: readonly Measured[]): string[] {
  const failing = measured.filter(({ rounds }) =>
    rounds.some((r) => [r.saturation, r.autocannon, r.fixed].some(fails)),
  );
  return [
    ...(machine.loadBefore > 0.3 ? ['The machine was not idle before the run: read the ratios, not the numbers.'] : []),
    ...(pinned ? [] : ['Proxy and load were not kept on cores of their own.']),
    ...failing.map(
      ({ id }) => `${id} failed more than one request in a thousand: what it spent compares with nothing.`,
    ),
  ];
}

const fails = ({ requests, errors }: Loaded): boolean => errors > requests / 1000;

const BEGIN = '<!-- the next lines are written by npm run bench -- --docs -->';
const END = '<!-- end of what is written -->';

/** `page` with `text` between its two marks. Throws when it has no marks. */
export function intoPage(page: string, text: string): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the page needs the lines ${BEGIN} and ${END}`);
  return `${page.slice(0, from)}${BEGIN}\n\n${text}\n\n${page.slice(to)}`;
}

function ratio(row: Row, against: string, pick: (summary: Summary) => number): string {
  const other = row.all.find(({ id }) => id === against);
  return other === undefined || other.id === row.id ? '–' : (pick(row.summary) / pick(other.summary)).toFixed(2);
}

function markdown(titles: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = titles.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i]?.length ?? 0)));
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = `|${widths.map((w, i) => (i === 0 ? '-'.repeat(w + 2) : `${'-'.repeat(w + 1)}:`)).join('|')}|`;
  return [row(titles), rule, ...lines.map(row)].join('\n');
}
