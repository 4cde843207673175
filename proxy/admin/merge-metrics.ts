/** One Prometheus text out of the proxy's metrics and the app's own (Istio's metrics merging, port 15020). */

/** What an app may add: larger answers are not merged, bytes. */
export const MAX_APP_METRICS = 8 * 1024 * 1024;

const SAMPLE = /^[a-zA-Z_:][\w:]*(?:\{.*\})?\s+(?:[-+]?(?:\d|\.\d|Inf|NaN|inf|nan))/;
const FAMILY = /^# (?:HELP|TYPE) ([a-zA-Z_:][\w:]*)/;
const NAME = /^[a-zA-Z_:][\w:]*/;
const MESH = /^(?:istio|lateen)_/;
/** What a histogram or a summary puts behind the name of its family. */
const SUFFIX = /_(?:bucket|sum|count|total|created)$/;

/**
 * `mesh`: counted about the app by its proxy, with the names of its families; an app cannot add to it or hide it. `process`: of the
 * proxy itself; where the app has a metric of that name, the app's is shown, unless it is the mesh's (`istio_build`). Lines of the
 * app that are no metrics are left out.
 */
export function mergeMetrics(
  mesh: { readonly text: string; readonly names: ReadonlySet<string> },
  process: string,
  app: string,
): string {
  const ours = new Set(mesh.names);
  for (const name of familiesOf(process)) if (MESH.test(name)) ours.add(name);
  const apps = linesOutside(app, ours);
  return mesh.text + linesOutside(process, familiesOf(apps)) + apps;
}

/** Names that have a HELP or TYPE line, or samples without one. */
function familiesOf(text: string): Set<string> {
  const names = new Set<string>();
  for (const line of text.split('\n')) {
    const name = nameOf(line);
    if (name !== null) names.add(name);
  }
  return names;
}

function linesOutside(text: string, families: ReadonlySet<string>): string {
  let out = '';
  for (const line of text.split(/\r?\n/)) {
    const name = nameOf(line);
    if (name === null || families.has(name) || families.has(name.replace(SUFFIX, ''))) continue;
    out += `${line}\n`;
  }
  return out;
}

/** Null: neither a sample nor a description of one (blank, `# EOF`, HTML …). */
function nameOf(line: string): string | null {
  if (line.startsWith('#')) return FAMILY.exec(line)?.[1] ?? null;
  return SAMPLE.test(line) ? NAME.exec(line)![0] : null;
}
