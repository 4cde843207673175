/** Memory of the whole process over a minute of load, and after it. */
import { memoryOf, type Memory } from '../accounting.ts';
import { fixedRate } from '../load/fixed-rate.ts';
import { figure, markdown, ratio } from '../markdown.ts';
import { lineChart } from '../plot/lines.ts';
import { slope } from '../statistics.ts';
import { FULL } from './jobs.ts';
import { employAll, type Lab } from './lab.ts';
import { absentLines, picture, type Absent, type Suite } from './suite.ts';

type Who = 'lateen' | 'envoy';
/** `t` in seconds; 0 is the start of the load. */
type Sample = Memory & { readonly t: number };
type Cell = {
  readonly who: Who;
  readonly samples: readonly Sample[];
  readonly requests: number;
  readonly errors: number;
};

export type MemoryData = {
  readonly rate: number;
  readonly connections: number;
  /** Of load; the rest of the samples is rest. */
  readonly seconds: number;
  readonly cells: readonly Cell[];
  readonly absent: readonly Absent[];
};

export const MEMORY: Suite<MemoryData> = {
  id: 'memory',
  title: 'Memory over a minute of load',
  what: 'PSS, private and anonymous memory over 60 s of load',
  run,
  section,
  plots: (data) => [{ file: 'memory.svg', svg: plot(data) }],
};

async function run(lab: Lab): Promise<MemoryData> {
  await using stack = new AsyncDisposableStack();
  const { proxies, absent } = await employAll(lab, stack, { job: FULL });
  const [rate, seconds] = [3000, lab.quick ? 3 : 60];
  lab.say(`${seconds} s of ${rate}/s to each at once`);
  const cells = await Promise.all(
    proxies.map(async ({ who, running }) => {
      const from = performance.now();
      const samples: Sample[] = [];
      const take = (): number =>
        samples.push({ t: Math.round((performance.now() - from) / 100) / 10, ...memoryOf(running.pid) });
      take();
      const timer = setInterval(take, 1000);
      try {
        const { requests, errors } = await fixedRate(running.target, lab.connections, rate, seconds);
        take();
        await new Promise((resolve) => setTimeout(resolve, lab.quick ? 500 : 5000));
        return { who, samples, requests, errors };
      } finally {
        clearInterval(timer);
      }
    }),
  );
  return { rate, connections: lab.connections, seconds, cells, absent };
}

/** The last sample of the load. */
function atEnd(data: MemoryData, who: Who): Sample | undefined {
  const cell = data.cells.find((c) => c.who === who);
  return cell?.samples.filter(({ t }) => t <= data.seconds + 1).at(-1);
}

/** MB a minute over the second half of the load. */
function drift(data: MemoryData, samples: readonly Sample[]): number | null {
  const late = samples.filter(({ t }) => t >= data.seconds / 2 && t <= data.seconds + 1);
  const perSecond = slope(late.map(({ t, pss }) => ({ x: t, y: pss / 1e6 })));
  return perSecond === null ? null : perSecond * 60;
}

function section(data: MemoryData): string {
  const mb = (bytes: number | undefined): string => figure(bytes === undefined ? null : bytes / 1e6, 0);
  const lines = data.cells.map(({ who, samples, errors }) => [
    who,
    mb(samples[0]?.pss),
    mb(Math.max(...samples.map(({ pss }) => pss))),
    mb(atEnd(data, who)?.pss),
    who === 'envoy' ? '–' : ratio(atEnd(data, who)?.pss, atEnd(data, 'envoy')?.pss),
    mb(atEnd(data, who)?.own),
    mb(atEnd(data, who)?.anonymous),
    mb(atEnd(data, who)?.rss),
    mb(samples.at(-1)?.pss),
    figure(drift(data, samples), 1),
    String(errors),
  ]);
  const titles = [
    ...['MB', 'PSS before', 'PSS highest', 'PSS at the end', '× Envoy', 'private', 'anonymous'],
    ...['RSS', 'PSS after rest', 'MB/min, 2nd half', 'errors'],
  ];
  return [
    `Everything on, ${data.connections} connections, ${data.rate} requests/s for ${data.seconds} s to both at once, then a rest; the whole process, all threads. *private* is what nobody else maps, *anonymous* what belongs to no file: heaps and stacks. PSS shares Node's program text with the benchmark and the load generators, which run on the same Node: a proxy alone on its machine has about *private* plus its own copy of that text.`,
    '',
    markdown(titles, lines),
    absentLines(data.absent),
    '',
    picture('memory.svg', 'Memory over time'),
  ].join('\n');
}

function plot(data: MemoryData): string {
  const series = data.cells.flatMap(({ who, samples }, colour) => [
    { name: `${who} PSS`, colour, points: samples.map(({ t, pss }) => ({ x: t, y: pss / 1e6 })) },
    {
      name: `${who} anonymous`,
      colour,
      dashed: true,
      points: samples.map(({ t, anonymous }) => ({ x: t, y: anonymous / 1e6 })),
    },
  ]);
  return lineChart({
    title: 'Memory over time, under load',
    description: `Megabytes over ${data.seconds} seconds at ${data.rate} requests a second, then at rest.`,
    x: { label: 'seconds of load' },
    y: { label: 'memory (MB)' },
    series,
  });
}
