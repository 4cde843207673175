/** What a dashboard is made of, as its author thinks of it: rows of panels, each with its questions and the words that explain it. */

/** Grafana's ids of units. */
export type Unit =
  'reqps' | 'percentunit' | 'percent' | 'ms' | 's' | 'bytes' | 'Bps' | 'short' | 'cores' | 'ops' | 'cps' | 'none';

export type Query = {
  readonly expr: string;
  /** With label names in double braces: `{{destination_service}}`. Of a table, the head of its column. */
  readonly legend: string;
  /** Shows exemplars: points that lead to traces. */
  readonly exemplar?: true;
  /** Of a column of a table, where it differs from the panel's. */
  readonly unit?: Unit;
};

export type Panel = {
  /** `time`: curves. `stat`: one number. `table`: one row for each label set, one column for each query. */
  readonly kind: 'time' | 'stat' | 'table';
  readonly title: string;
  /** What it answers, and what a bad value means. */
  readonly description: string;
  readonly unit: Unit;
  /** Of 24 columns. */
  readonly width: number;
  readonly queries: readonly Query[];
  /** Curves on top of each other. */
  readonly stacked?: true;
  readonly min?: number;
  readonly max?: number;
  /** From which value on it is orange, and red. Descending (0.99, 0.95): from which value down. */
  readonly limits?: readonly [number, number];
  /** Labels of a table whose values lead to another dashboard. */
  readonly links?: Readonly<Record<string, string>>;
  /** Why there may be nothing to see in a mesh that is well. */
  readonly mayBeEmpty?: string;
};

export type Row = { readonly title: string; readonly panels: readonly Panel[] };

export type Variable = {
  readonly name: string;
  readonly label: string;
} & (
  | {
      readonly kind: 'query';
      /** `label_values(metric{…}, label)` */
      readonly query: string;
      /** Any number of values, all of them at first; for `=~`. */
      readonly all?: true;
    }
  | { readonly kind: 'choice'; readonly values: readonly string[] }
);

export type Dashboard = {
  /** Never changes: links point at it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
};

/** The interval of a rate: at least four scrapes, more when one looks from farther away. */
export const EACH = '$__rate_interval';

type Options = Partial<Omit<Panel, 'kind' | 'title' | 'description' | 'unit' | 'queries'>>;

const panel =
  (kind: Panel['kind'], width: number) =>
  (title: string, unit: Unit, description: string, queries: readonly Query[], options: Options = {}): Panel => ({
    kind,
    title,
    description,
    unit,
    width,
    queries,
    ...options,
  });

export const curves = panel('time', 12);
export const stat = panel('stat', 4);
export const table = panel('table', 24);

export const q = (expr: string, legend: string): Query => ({ expr, legend });

/** Percentiles of a histogram of Istio's, one curve each; `by`: labels that stay. */
export function percentiles(metric: string, selector: string, by: string, legend: string): readonly Query[] {
  return [0.5, 0.9, 0.95, 0.99].map((p) => ({
    expr: percentile(p, metric, selector, by),
    legend: `${legend === '' ? '' : `${legend} `}p${p * 100}`,
    ...(metric.endsWith('milliseconds') ? { exemplar: true as const } : {}),
  }));
}

export function percentile(p: number, metric: string, selector: string, by = ''): string {
  const labels = by === '' ? 'le' : `le, ${by}`;
  return `histogram_quantile(${p}, sum by (${labels}) (rate(${metric}_bucket{${selector}}[${EACH}])))`;
}

/** Share of the requests that did not end with 5xx. Callers that went away before an answer (code 0) are no failures. */
export function success(selector: string, by = ''): string {
  const sum = by === '' ? 'sum' : `sum by (${by}) `;
  const rate = (more: string): string => `${sum}(rate(istio_requests_total{${selector}${more}}[${EACH}]))`;
  return `${rate(', response_code!~"5.."')} / (${rate('')} > 0)`;
}

/** Requests, or whatever else counts, in a second. */
export function rate(metric: string, selector: string, by = ''): string {
  return `sum${by === '' ? '' : ` by (${by}) `}(rate(${metric}{${selector}}[${EACH}]))`;
}

/** Requests and, where the traffic is not HTTP, connections in a second; 0 where there is none. */
export function any(selector: string): string {
  const each = (metric: string): string => `rate(${metric}{${selector}}[${EACH}])`;
  return `(sum(${each('istio_requests_total')} or ${each('istio_tcp_connections_opened_total')}) or vector(0))`;
}
