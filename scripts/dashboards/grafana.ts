/** Dashboards in Grafana's own form ("Dashboard JSON model", the classic one, which every version since 9 reads). */
import type { Dashboard, Panel, Query, Row, Variable } from './panel.ts';

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const HEIGHT: Readonly<Record<Panel['kind'], number>> = { time: 8, stat: 4, table: 9 };
const COLUMNS = 24;
const TAG = 'lateen';

export function toGrafana({ uid, title, description, variables, rows }: Dashboard): object {
  return {
    uid,
    title,
    description,
    tags: [TAG],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: '5s',
    time: { from: 'now-15m', to: 'now' },
    timezone: 'browser',
    links: [
      {
        type: 'dashboards',
        title: 'Lateen',
        tooltip: 'The other dashboards of the mesh',
        tags: [TAG],
        asDropdown: true,
        keepTime: true,
        includeVars: false,
        targetBlank: false,
      },
    ],
    annotations: { list: [] },
    templating: { list: [datasource(), ...variables.map(variable)] },
    panels: place(rows),
  };
}

function datasource(): object {
  return { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', hide: 0, refresh: 1 };
}

function variable(v: Variable): object {
  const { name, label } = v;
  if (v.kind === 'choice') {
    const options = v.values.map((value, i) => ({ text: value, value, selected: i === 0 }));
    return { name, label, type: 'custom', query: v.values.join(','), options, current: options[0], hide: 0 };
  }
  return {
    name,
    label,
    type: 'query',
    datasource: DATASOURCE,
    query: { query: v.query, refId: name },
    definition: v.query,
    refresh: 2,
    sort: 1,
    hide: 0,
    ...(v.all === true
      ? { multi: true, includeAll: true, allValue: '.*', current: { text: ['All'], value: ['$__all'] } }
      : { multi: false, includeAll: false }),
  };
}

/** From left to right; what does not fit goes below. */
function place(rows: readonly Row[]): object[] {
  const placed: object[] = [];
  let y = 0;
  let id = 1;
  for (const { title, panels } of rows) {
    placed.push({
      id: id++,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: COLUMNS, h: 1 },
      panels: [],
    });
    let x = 0;
    let lowest = y;
    for (const panel of panels) {
      if (x + panel.width > COLUMNS) {
        x = 0;
        y = lowest;
      }
      const h = HEIGHT[panel.kind];
      placed.push({ id: id++, gridPos: { x, y, w: panel.width, h }, ...drawn(panel) });
      x += panel.width;
      lowest = Math.max(lowest, y + h);
    }
    y = lowest;
  }
  return placed;
}

function drawn(panel: Panel): object {
  const { kind, title, description, mayBeEmpty, queries } = panel;
  const type = { time: 'timeseries', stat: 'stat', table: 'table' }[kind];
  return {
    type,
    title,
    description: mayBeEmpty === undefined ? description : `${description} Empty ${mayBeEmpty}.`,
    datasource: DATASOURCE,
    targets: queries.map((query, i) => target(kind, query, i)),
    fieldConfig: { defaults: defaults(panel), overrides: kind === 'table' ? columns(panel) : [] },
    options: OPTIONS[kind],
    ...(kind === 'table' ? { transformations: joined(panel) } : {}),
  };
}

const OPTIONS: Readonly<Record<Panel['kind'], object>> = {
  time: {
    legend: { displayMode: 'table', placement: 'bottom', showLegend: true, calcs: ['mean', 'max', 'lastNotNull'] },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  stat: {
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    colorMode: 'value',
    graphMode: 'area',
    textMode: 'auto',
  },
  table: { showHeader: true, cellHeight: 'sm', footer: { show: false } },
};

const refId = (i: number): string => String.fromCharCode('A'.charCodeAt(0) + i);

function target(kind: Panel['kind'], { expr, legend, exemplar }: Query, i: number): object {
  const common = { refId: refId(i), datasource: DATASOURCE, expr, legendFormat: legend, editorMode: 'code' };
  if (kind === 'table') return { ...common, format: 'table', instant: true, range: false };
  return { ...common, range: true, ...(exemplar === true ? { exemplar } : {}) };
}

function defaults({ kind, unit, min, max, limits, stacked }: Panel): object {
  return {
    unit,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    color: { mode: kind === 'stat' && limits !== undefined ? 'thresholds' : 'palette-classic' },
    thresholds: { mode: 'absolute', steps: steps(limits) },
    ...(kind === 'time'
      ? {
          custom: {
            drawStyle: 'line',
            lineWidth: 1,
            fillOpacity: stacked === true ? 40 : 10,
            showPoints: 'never',
            spanNulls: false,
            stacking: { mode: stacked === true ? 'normal' : 'none', group: 'A' },
          },
        }
      : {}),
  };
}

function steps(limits: Panel['limits']): object[] {
  if (limits === undefined) return [{ color: 'green', value: null }];
  const [orange, red] = limits;
  if (orange < red)
    return [
      { color: 'green', value: null },
      { color: 'orange', value: orange },
      { color: 'red', value: red },
    ];
  return [
    { color: 'red', value: null },
    { color: 'orange', value: red },
    { color: 'green', value: orange },
  ];
}

/** Each query is a column, named by its legend; labels that lead somewhere are links. */
function columns({ queries, links = {}, unit }: Panel): object[] {
  const by = (name: string): object => ({ id: 'byName', options: name });
  return [
    ...queries.map((query) => ({
      matcher: by(query.legend),
      properties: [{ id: 'unit', value: query.unit ?? unit }],
    })),
    ...Object.entries(links).map(([label, url]) => ({
      matcher: by(label),
      properties: [{ id: 'links', value: [{ title: 'Show ${__value.text}', url }] }],
    })),
  ];
}

function joined({ queries }: Panel): object[] {
  const value = (i: number): string => (queries.length === 1 ? 'Value' : `Value #${refId(i)}`);
  const renameByName = Object.fromEntries(queries.map(({ legend }, i) => [value(i), legend]));
  return [
    { id: 'merge', options: {} },
    { id: 'organize', options: { excludeByName: { Time: true }, indexByName: {}, renameByName } },
  ];
}
