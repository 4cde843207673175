/** Both proxies on the same loads, in turns: what suites share that compare CPU per request, load by load. */
import type { LoadResult } from '../load/load.ts';
import { figure, markdown, ratio } from '../markdown.ts';
import { loaded, type Loaded } from '../measure.ts';
import { barChart } from '../plot/bars.ts';
import { medianOf } from '../statistics.ts';
import type { Running } from '../targets/candidate.ts';
import type { Lab, Staff } from './lab.ts';

export type Who = 'lateen' | 'envoy';

/** One proxy on one load. */
export type Cell = { readonly who: Who; readonly load: string; readonly rounds: readonly Loaded[] };

export type NamedLoad = {
  readonly name: string;
  readonly run: (proxy: Running, seconds: number) => Promise<LoadResult>;
};

/** Each load through each proxy, a round after the other, so that what disturbs the machine disturbs both. */
export async function inTurns(lab: Lab, proxies: Staff['proxies'], loads: readonly NamedLoad[]): Promise<Cell[]> {
  const cells = loads.flatMap((load) =>
    proxies.map(({ who, running }) => ({ who, load, running, rounds: [] as Loaded[] })),
  );
  for (const { load, running } of cells) await load.run(running, 1);
  for (let round = 1; round <= lab.rounds; round++) {
    for (const { who, load, running, rounds } of cells) {
      lab.say(`round ${round} of ${lab.rounds}: ${load.name} through ${who}`);
      rounds.push(await loaded(running, () => load.run(running, lab.seconds)));
    }
  }
  return cells.map(({ who, load, rounds }) => ({ who, load: load.name, rounds }));
}

export const median = (cells: readonly Cell[], who: Who, load: string, pick: (l: Loaded) => number): number | null =>
  medianOf(cells.find((c) => c.who === who && c.load === load)?.rounds ?? [], pick);

/** `unit`: what one request is, such as `MB`; `rate` of a round in it, per second. */
export function cpuTable(cells: readonly Cell[], unit: string, rate: (l: Loaded) => number): string {
  const cpu = (who: Who, load: string): number | null => median(cells, who, load, (l) => l.cpuUs);
  const lines = cells.map(({ who, load, rounds }) => [
    `${who}, ${load}`,
    figure(cpu(who, load), 0),
    who === 'envoy' ? '–' : ratio(cpu(who, load), cpu('envoy', load)),
    figure(median(cells, who, load, rate), 0),
    figure(
      median(cells, who, load, (l) => l.cores),
      2,
    ),
    String(rounds.reduce((sum, r) => sum + r.errors, 0)),
  ]);
  return markdown(['', `µs/${unit}`, '× Envoy', `${unit}/s`, 'cores', 'errors'], lines);
}

export function cpuPlot(cells: readonly Cell[], title: string, description: string, label: string): string {
  return barChart({
    title,
    description,
    label,
    series: ['lateen', 'envoy'],
    rows: [...new Set(cells.map(({ load }) => load))].map((load) => ({
      name: load,
      values: (['lateen', 'envoy'] as const).map((who) => median(cells, who, load, (l) => l.cpuUs)),
    })),
    digits: 0,
  });
}
