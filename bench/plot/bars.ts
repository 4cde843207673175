/** A bar chart: one group a row, one bar in it for each series, the value beside it. */
import { linear, tickLabel } from './scale.ts';
import { fillOf, place, svg, text } from './svg.ts';

export type BarChart = {
  readonly title: string;
  readonly description: string;
  /** Of the values, with their unit. */
  readonly label: string;
  readonly series: readonly string[];
  /** `values` in the order of `series`; null where nothing was measured. */
  readonly rows: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
  readonly digits?: number;
};

const WIDTH = 720;
const [LEFT, RIGHT, TOP, BOTTOM] = [130, 60, 66, 48];
const [BAR, GAP] = [13, 12];

export function barChart({ title, description, label, series, rows, digits = 1 }: BarChart): string {
  const across = WIDTH - LEFT - RIGHT;
  const group = series.length * BAR + GAP;
  const bottom = TOP + rows.length * group;
  const scale = linear(Math.max(0, ...rows.flatMap(({ values }) => values.map((v) => v ?? 0))));
  const grid = scale.ticks.flatMap((tick) => {
    const x = LEFT + scale.at(tick) * across;
    return [
      `<line class="grid" x1="${place(x)}" y1="${TOP - 6}" x2="${place(x)}" y2="${bottom}"/>`,
      text(x, bottom + 16, tickLabel(tick)),
    ];
  });
  const bars = rows.flatMap(({ name, values }, r) => {
    const y = TOP + r * group;
    return [
      text(LEFT - 10, y + (series.length * BAR) / 2 + 4, name, 'ink', 'end'),
      ...values.flatMap((value, i) =>
        value === null || !Number.isFinite(value)
          ? []
          : [
              `<rect class="${fillOf(i)}" x="${LEFT}" y="${y + i * BAR}" width="${place(Math.max(0, scale.at(value) * across))}" height="${BAR - 2}"/>`,
              text(
                LEFT + Math.max(0, scale.at(value) * across) + 6,
                y + i * BAR + 10,
                value.toFixed(digits),
                'ink',
                'start',
                11,
              ),
            ],
      ),
    ];
  });
  let at = LEFT;
  const legend = series.flatMap((name, i) => {
    const x = at;
    at += 34 + name.length * 6.6;
    return [
      `<rect class="${fillOf(i)}" x="${place(x)}" y="40" width="12" height="12"/>`,
      text(x + 18, 50, name, 'ink', 'start'),
    ];
  });
  const axis = text(LEFT + across / 2, bottom + BOTTOM - 12, label);
  return svg(WIDTH, bottom + BOTTOM, title, description, [...grid, ...bars, ...legend, axis]);
}
