/** Every candidate beside every other: CPU per request at saturation and at a low rate, memory after it. */
import { measure, type Plan, type Round } from '../measure.ts';
import { report, summarize, type Compared, type Measured } from '../report.ts';
import { barChart } from '../plot/bars.ts';
import { versionOf } from '../machine.ts';
import type { Candidate } from '../targets/candidate.ts';
import { ENVOY } from '../targets/envoy.ts';
import { HAPROXY } from '../targets/haproxy.ts';
import { LATEEN } from '../targets/lateen.ts';
import { NGINX } from '../targets/nginx.ts';
import { NODE_CANDIDATES } from '../targets/node.ts';
import type { Lab } from './lab.ts';
import { picture, type Suite } from './suite.ts';

const CANDIDATES: readonly Candidate[] = [...LATEEN, ...ENVOY, NGINX, HAPROXY, ...NODE_CANDIDATES];
/** Floors and rivals, far enough from the rest that one round tells. */
const ONCE = new Set<string>([HAPROXY, ...NODE_CANDIDATES].map(({ id }) => id));

export const COMPARE: Suite<Compared> = {
  id: 'compare',
  title: 'Side by side',
  what: 'the table of all candidates, also nginx, HAProxy and the Node proxies',
  run,
  section: (data) => [report(data), '', picture('compare.svg', 'CPU per request of all candidates')].join('\n'),
  plots: (data) => [{ file: 'compare.svg', svg: plot(data) }],
};

async function run(lab: Lab): Promise<Compared> {
  const chosen = CANDIDATES.filter(({ id }) => lab.only.length === 0 || lab.only.some((part) => id.includes(part)));
  if (chosen.length === 0)
    throw new Error(`--only names no candidate; there are ${CANDIDATES.map(({ id }) => id).join(', ')}`);
  const { seconds, warmUpSeconds, connections, rate, wrk, rounds } = lab;
  const measured = await inTurns(lab, chosen, { seconds, warmUpSeconds, connections, rate, wrk });
  return {
    origin: lab.origin.kind,
    plan: { seconds, warmUpSeconds, connections, rate, rounds, wrk: wrk === null ? null : versionOf(wrk, '-v') },
    candidates: measured.map((each) => ({ ...each, summary: summarize(each.rounds) })),
  };
}

/** A B C A B C …: what drifts on the machine drifts for all. One that fails is out, with its reason. */
async function inTurns(lab: Lab, candidates: readonly Candidate[], plan: Plan): Promise<Measured[]> {
  const done = new Map<string, Round[]>(candidates.map(({ id }) => [id, []]));
  const out = new Map<string, string>();
  for (const candidate of candidates) {
    const missing = candidate.missing();
    if (missing !== null) out.set(candidate.id, missing);
  }
  for (let round = 1; round <= lab.rounds; round++) {
    for (const candidate of candidates) {
      const once = ONCE.has(candidate.id) && lab.only.length === 0;
      if (out.has(candidate.id) || (once && round > 1)) continue;
      lab.say(`round ${round} of ${lab.rounds}: ${candidate.id}`);
      const around = { origin: lab.origin, collector: lab.collector, address: lab.address() };
      try {
        done.get(candidate.id)!.push(await measure(candidate, around, plan, round));
      } catch (cause) {
        out.set(candidate.id, cause instanceof Error ? cause.message.trim() : String(cause));
      }
    }
  }
  return candidates.map(({ id, profile, version }) => {
    const skipped = out.get(id) ?? null;
    return { id, profile, version: version(), skipped, rounds: done.get(id)! };
  });
}

function plot({ candidates }: Compared): string {
  return barChart({
    title: 'CPU per request at saturation',
    description: 'Microseconds of CPU per request of each candidate; medians over the rounds.',
    label: 'CPU per request (µs)',
    series: ['CPU per request'],
    rows: candidates.flatMap(({ id, summary }) => (summary === null ? [] : [{ name: id, values: [summary.cpuUs] }])),
  });
}
