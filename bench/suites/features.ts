/** What each feature costs: plain forwarding, one thing more at a time, and everything. */
import { figure, markdown, ratio } from '../markdown.ts';
import { loaded, saturate, type Loaded } from '../measure.ts';
import { barChart } from '../plot/bars.ts';
import { CONTENDERS } from '../targets/contender.ts';
import { JASON, PLAIN, type Job } from '../targets/job.ts';
import { FULL } from './jobs.ts';
import { employ, type Lab } from './lab.ts';
import { absentLines, picture, type Absent, type Suite } from './suite.ts';

type Who = 'lateen' | 'envoy';
type Cell = { readonly who: Who; readonly feature: string; readonly load: Loaded };
export type FeaturesData = {
  readonly seconds: number;
  readonly cells: readonly Cell[];
  readonly absent: readonly Absent[];
};

/** Each on top of plain, but the last two. */
const FEATURES: readonly { readonly name: string; readonly job: Job }[] = [
  { name: 'plain', job: PLAIN },
  { name: '+ routes', job: { ...PLAIN, hosts: [JASON], weights: true } },
  { name: '+ authorization', job: { ...PLAIN, authz: true } },
  { name: '+ header ops', job: { ...PLAIN, headers: true } },
  { name: '+ access log', job: { ...PLAIN, log: true } },
  { name: '+ 1 % traces', job: { ...PLAIN, tracing: 1 } },
  { name: '+ 100 % traces', job: { ...PLAIN, tracing: 100 } },
  { name: 'all, 1 %', job: FULL },
  { name: 'all, 100 %', job: { ...FULL, tracing: 100 } },
];

export const FEATURES_SUITE: Suite<FeaturesData> = {
  id: 'features',
  title: 'What each feature costs',
  what: 'plain, plus one feature at a time, all of them',
  run,
  section,
  plots: (data) => [{ file: 'features.svg', svg: plot(data) }],
};

async function run(lab: Lab): Promise<FeaturesData> {
  const absent: Absent[] = CONTENDERS.map((c) => ({ who: c.id, why: c.missing() ?? '' })).filter((a) => a.why !== '');
  const present = CONTENDERS.filter((c) => c.missing() === null);
  const seconds = lab.seconds;
  const cells: Cell[] = [];
  for (const { name, job } of FEATURES) {
    for (const contender of present) {
      lab.say(`${contender.id}, ${name}`);
      await using running = await employ(lab, contender, { job });
      await saturate(running.target, lab, lab.quick ? 1 : 2);
      const load = await loaded(running, () => saturate(running.target, lab, seconds));
      cells.push({ who: contender.id, feature: name, load });
    }
  }
  return { seconds, cells, absent };
}

const find = ({ cells }: FeaturesData, who: Who, feature: string): Loaded | undefined =>
  cells.find((c) => c.who === who && c.feature === feature)?.load;

function section(data: FeaturesData): string {
  const lines = FEATURES.map(({ name }) => {
    const [ours, theirs] = [find(data, 'lateen', name), find(data, 'envoy', name)];
    const more = (who: Who, load: Loaded | undefined): string =>
      figure(load === undefined ? null : load.cpuUs - (find(data, who, 'plain')?.cpuUs ?? Number.NaN), 1);
    return [
      name,
      figure(ours?.cpuUs, 1),
      more('lateen', ours),
      figure(theirs?.cpuUs, 1),
      more('envoy', theirs),
      ratio(ours?.cpuUs, theirs?.cpuUs),
      String((ours?.errors ?? 0) + (theirs?.errors ?? 0)),
    ];
  });
  return [
    `µs of CPU per request at saturation, ${data.seconds} s a cell, one round: differences below 2 µs are noise. *plain* is a gateway with one route and no more; ours counts Istio's metrics and makes request ids in every row, Envoy its own statistics and request ids (Istio's metrics are an extension of Istio's build, so Envoy is spared them).`,
    '',
    markdown(['', 'lateen', '+', 'envoy', '+', '× Envoy', 'errors'], lines),
    absentLines(data.absent),
    '',
    picture('features.svg', 'CPU per request by feature'),
  ].join('\n');
}

function plot(data: FeaturesData): string {
  return barChart({
    title: 'CPU per request by feature',
    description: 'Microseconds of CPU per request at saturation: plain, one feature more, all.',
    label: 'CPU per request (µs)',
    series: ['lateen', 'envoy'],
    rows: FEATURES.map(({ name }) => ({
      name,
      values: (['lateen', 'envoy'] as const).map((who) => find(data, who, name)?.cpuUs ?? null),
    })),
  });
}
