/**
 * Writes config/grafana/dashboards: one file for each dashboard of scripts/dashboards/catalogue.ts.
 * `--check` writes nothing and fails when a file is not what it should be.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { DASHBOARDS } from './dashboards/catalogue.ts';
import { toGrafana } from './dashboards/grafana.ts';

const DIR = 'config/grafana/dashboards';

mkdirSync(DIR, { recursive: true });
for (const dashboard of DASHBOARDS) {
  const file = `${DIR}/${dashboard.uid}.json`;
  const text = `${JSON.stringify(toGrafana(dashboard), null, 2)}\n`;
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (read(file) !== text) {
    console.error(`${file} is not up to date: npm run dashboards`);
    process.exitCode = 1;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
