/** A line chart: one line and its dots for each series, labelled axes with units. */
import { linear, logarithmic, tickLabel, type Scale } from './scale.ts';
import { fillOf, lineOf, place, svg, text } from './svg.ts';

export type Series = {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly dashed?: boolean;
  /** Index of the colour; the place in the list when not given. */
  readonly colour?: number;
};

export type Axis = { readonly label: string; readonly log?: boolean };

export type LineChart = {
  readonly title: string;
  readonly description: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
};

const [WIDTH, HEIGHT] = [720, 360];
const BOX = { left: 70, right: 20, top: 66, bottom: 52 };
const [ACROSS, DOWN] = [WIDTH - BOX.left - BOX.right, HEIGHT - BOX.top - BOX.bottom];

/** Points that are not finite, or not above 0 on a logarithmic axis, are left out. */
export function lineChart({ title, description, x, y, series }: LineChart): string {
  const kept = series.map((each) => ({ ...each, points: each.points.filter((p) => fits(p.x, x) && fits(p.y, y)) }));
  const points = kept.flatMap((each) => each.points);
  const [xs, ys] = [
    scaleOf(
      x,
      points.map((p) => p.x),
    ),
    scaleOf(
      y,
      points.map((p) => p.y),
    ),
  ];
  return svg(WIDTH, HEIGHT, title, description, [
    ...gridOf(xs, ys),
    text(BOX.left + ACROSS / 2, HEIGHT - 12, x.label),
    text(18, BOX.top + DOWN / 2, y.label, 'faint', 'middle', 12, true),
    ...legend(kept),
    ...kept.flatMap((each, i) => drawn(each, each.colour ?? i, xs, ys)),
  ]);
}

const fits = (value: number, axis: Axis): boolean => Number.isFinite(value) && (axis.log !== true || value > 0);

function scaleOf({ log = false }: Axis, values: readonly number[]): Scale {
  const max = Math.max(0, ...values);
  return log && values.length > 0 ? logarithmic(Math.min(...values), max) : linear(max);
}

const left = (scale: Scale, value: number): number => BOX.left + scale.at(value) * ACROSS;
const top = (scale: Scale, value: number): number => BOX.top + (1 - scale.at(value)) * DOWN;

function gridOf(xs: Scale, ys: Scale): string[] {
  const bottom = BOX.top + DOWN;
  const line = (kind: string, ...[x1, y1, x2, y2]: readonly number[]): string =>
    `<line class="${kind}" x1="${place(x1!)}" y1="${place(y1!)}" x2="${place(x2!)}" y2="${place(y2!)}"/>`;
  return [
    ...ys.ticks.flatMap((tick) => [
      line('grid', BOX.left, top(ys, tick), BOX.left + ACROSS, top(ys, tick)),
      text(BOX.left - 8, top(ys, tick) + 4, tickLabel(tick), 'faint', 'end'),
    ]),
    ...xs.ticks.flatMap((tick) => [
      line('axis', left(xs, tick), bottom, left(xs, tick), bottom + 5),
      text(left(xs, tick), bottom + 20, tickLabel(tick)),
    ]),
    line('axis', BOX.left, bottom, BOX.left + ACROSS, bottom),
  ];
}

function legend(series: readonly Series[]): string[] {
  let at = BOX.left;
  return series.flatMap((each, i) => {
    const x = at;
    at += 44 + each.name.length * 6.6;
    return [stroke(each, each.colour ?? i, `M${place(x)} 46h22`), text(x + 28, 50, each.name, 'ink', 'start')];
  });
}

function stroke({ dashed = false }: Series, colour: number, path: string): string {
  return `<path class="${lineOf(colour)}" fill="none" stroke-width="2"${dashed ? ' stroke-dasharray="6 4"' : ''} d="${path}"/>`;
}

function drawn(series: Series, colour: number, xs: Scale, ys: Scale): string[] {
  const at = series.points.map((p) => [place(left(xs, p.x)), place(top(ys, p.y))] as const);
  if (at.length === 0) return [];
  const dots =
    at.length > 40 ? [] : at.map(([x, y]) => `<circle class="${fillOf(colour)}" cx="${x}" cy="${y}" r="3.5"/>`);
  return [stroke(series, colour, `M${at.map(([x, y]) => `${x} ${y}`).join('L')}`), ...dots];
}
