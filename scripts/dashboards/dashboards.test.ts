import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DASHBOARDS } from './catalogue.ts';
import { toGrafana } from './grafana.ts';

const DIR = join(import.meta.dirname, '../../config/grafana/dashboards');
const VARIABLES = new Set(['datasource', '__rate_interval', '__range']);

test('the files are what scripts/dashboards.ts writes, and there are no others', () => {
  expect(readdirSync(DIR).sort()).toEqual(DASHBOARDS.map(({ uid }) => `${uid}.json`).sort());
  for (const dashboard of DASHBOARDS)
    expect(JSON.parse(readFileSync(join(DIR, `${dashboard.uid}.json`), 'utf8')), 'npm run dashboards').toEqual(
      JSON.parse(JSON.stringify(toGrafana(dashboard))),
    );
});

describe.each(DASHBOARDS.map((dashboard) => [dashboard.title, dashboard] as const))('%s', (_, dashboard) => {
  const panels = dashboard.rows.flatMap((row) => row.panels);
  const expressions = [
    ...panels.flatMap((panel) => panel.queries.map(({ expr }) => expr)),
    ...dashboard.variables.flatMap((v) => (v.kind === 'query' ? [v.query] : [])),
  ];

  test('every panel has words, curves have legends, and no two panels of a row are called the same', () => {
    for (const { title, panels: inRow } of dashboard.rows)
      expect(new Set(inRow.map((p) => p.title)).size, title).toBe(inRow.length);
    for (const { title, description, queries } of panels) {
      expect(description, title).toMatch(/^[A-Z1$`].{20,}\.$/s);
      expect(new Set(queries.map(({ legend }) => legend)).size, title).toBe(queries.length);
      for (const { legend } of queries) expect(legend, title).not.toBe('');
    }
  });

  test('a legend names only labels that its query keeps', () => {
    for (const { title, kind, queries } of panels) {
      if (kind !== 'time') continue;
      for (const { expr, legend } of queries) {
        const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/,\s*/) ?? [];
        for (const [, label] of legend.matchAll(/\{\{(\w+)\}\}/g)) expect(kept, `${title}: ${legend}`).toContain(label);
        for (const label of kept)
          if (label !== 'le' && !label.endsWith('_namespace'))
            expect(legend, `${title}: ${expr}`).toContain(`{{${label}}}`);
      }
    }
  });

  test('every variable that is asked for exists, and every one that exists is asked for', () => {
    const known = new Set([...VARIABLES, ...dashboard.variables.map(({ name }) => name)]);
    const asked = new Set(expressions.flatMap((text) => [...text.matchAll(/\$\{?(\w+)/g)].map(([, name]) => name!)));
    for (const name of asked) expect(known).toContain(name);
    for (const { name } of dashboard.variables) expect(asked).toContain(name);
  });

  test('rates follow the zoom', () => {
    for (const expr of expressions)
      for (const [, range] of expr.replaceAll(/"[^"]*"/g, '').matchAll(/\[([^\]]+)\]/g))
        expect(['$__rate_interval', '$__range']).toContain(range);
  });

  test('panels do not overlap, and fill no more than the width', () => {
    const placed = (
      toGrafana(dashboard) as { panels: { id: number; gridPos: Record<'x' | 'y' | 'w' | 'h', number> }[] }
    ).panels;
    expect(new Set(placed.map(({ id }) => id)).size).toBe(placed.length);
    const taken = new Set<string>();
    for (const { id, gridPos } of placed) {
      expect(gridPos.x + gridPos.w, `panel ${id}`).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken, `panel ${id}`).not.toContain(`${x} ${y}`);
          taken.add(`${x} ${y}`);
        }
    }
  });

  test('its links lead to dashboards and variables that exist', () => {
    for (const { links = {}, queries } of panels)
      for (const link of Object.values(links)) {
        const { pathname, searchParams } = new URL(link, 'http://grafana');
        const target = DASHBOARDS.find((d) => pathname === `/d/${d.uid}`);
        for (const [name, value] of searchParams) {
          expect(
            target?.variables.map((v) => `var-${v.name}`),
            link,
          ).toContain(name);
          const field = /^\$\{__data\.fields\.(\w+)\}$/.exec(value)?.[1];
          for (const { expr } of queries) if (field !== undefined) expect(expr).toContain(field);
        }
      }
  });
});
