/** The comparison of all candidates: a summary for each, and the table for people. */
import { markdown } from './markdown.ts';
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

/** What the comparison of all candidates gives. */
export type Compared = {
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
  /** Null where wrk is missing and autocannon did it all. */
  readonly autocannonRps: number | null;
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
    autocannonRps: medianOf(rounds, (r) => r.autocannon?.rps),
    // µs per request is the share of a core that one request a second takes, in millionths.
    vcpuPer1000: of((r) => r.fixed.cpuUs / 1000),
    fixedP50Ms: of((r) => r.fixed.latencyMs.p50),
    fixedP99Ms: of((r) => r.fixed.latencyMs.p99),
    pssMb: of((r) => r.pss / 1e6),
    rssMb: of((r) => r.rss / 1e6),
    errors: rounds.flatMap(loadsOf).reduce((sum, { errors }) => sum + errors, 0),
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

/** How it was measured, the table, and what to beware of: plain text that is Markdown too. */
export function report({ plan, origin, candidates }: Compared): string {
  const how = `${plan.connections} connections, up to ${plan.rounds} × ${plan.seconds} s in turns, upstream ${origin}, load ${plan.wrk === null ? 'autocannon' : `wrk ${plan.wrk}`} (closed loop), ${plan.rate} requests/s at the fixed rate (open loop)`;
  return [`${how}.`, '', table(candidates), ...warnings(candidates).flatMap((line) => ['', line])].join('\n');
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

/** What makes numbers worth less. */
function warnings(measured: readonly Measured[]): string[] {
  return measured
    .filter(({ rounds }) => rounds.some((r) => loadsOf(r).some(fails)))
    .map(({ id }) => `${id} failed more than one request in a thousand: what it spent compares with nothing.`);
}

const loadsOf = ({ saturation, autocannon, fixed }: Round): readonly Loaded[] =>
  autocannon === null ? [saturation, fixed] : [saturation, autocannon, fixed];

const fails = ({ requests, errors }: Loaded): boolean => errors > requests / 1000;

function ratio(row: Row, against: string, pick: (summary: Summary) => number): string {
  const other = row.all.find(({ id }) => id === against);
  return other === undefined || other.id === row.id ? '–' : (pick(row.summary) / pick(other.summary)).toFixed(2);
}
