/**
 * What an application says of itself, held to the text format 0.0.4 line by line: one line that Prometheus cannot read would cost it the
 * whole scrape, the mesh's metrics included. OpenMetrics, which some applications speak to everybody, is turned into it.
 */

const NAME = '[a-zA-Z_:][\\w:]*';
const LABEL = '[ \\t]*[a-zA-Z_]\\w*[ \\t]*=[ \\t]*"(?:[^"\\\\]|\\\\.)*"[ \\t]*';
const LABELS = `\\{(?:${LABEL}(?:,${LABEL})*(?:,[ \\t]*)?|[ \\t]*)\\}`;
const VALUE = '[-+]?(?:\\d+\\.?\\d*(?:[eE][-+]?\\d+)?|\\.\\d+(?:[eE][-+]?\\d+)?|[iI]nf|NaN|nan)';
const SERIES = `(${NAME})(?:[ \\t]*(${LABELS})[ \\t]*|[ \\t]+)(${VALUE})`;

/** Name, labels, value, timestamp. */
const SAMPLE = new RegExp(`^${SERIES}(?:[ \\t]+(-?\\d{1,18}))?[ \\t]*$`);
const OPEN_SAMPLE = new RegExp(`^${SERIES}(?: (-?\\d{1,15}(?:\\.\\d{1,12})?))?(?: # ${LABELS} .*)?$`);
const LABEL_NAME = /([a-zA-Z_]\w*)[ \t]*=[ \t]*"(?:[^"\\]|\\.)*"/g;
const HELP = new RegExp(`^# HELP (${NAME})(?: .*)?$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary|untyped)$`);
const OPEN_TYPE = new RegExp(`^# TYPE (${NAME}) ([a-z]+)$`);

/** Longer lines are left out. */
const MAX_LINE = 16_384;

/** A line as it may be shown, and the name it is about. */
export type AppLine = { readonly name: string; readonly text: string };

/** Lines that are no metrics are left out (blank, comments, HTML, half a line …). */
export function* appLines(text: string, isOpen: boolean): Iterable<AppLine> {
  const counters = isOpen ? countersOf(text) : new Set<string>();
  for (let at = 0; at < text.length;) {
    const feed = text.indexOf('\n', at);
    const end = feed < 0 ? text.length : feed;
    const last = end > at && text.charCodeAt(end - 1) === 13 ? end - 1 : end;
    if (last > at && last - at <= MAX_LINE) {
      const line = text.slice(at, last);
      const read = line.startsWith('#') ? description(line, isOpen, counters) : sample(line, isOpen);
      if (read !== null) yield read;
    }
    at = end + 1;
  }
}

function sample(line: string, isOpen: boolean): AppLine | null {
  const match = (isOpen ? OPEN_SAMPLE : SAMPLE).exec(line);
  if (match === null) return null;
  const [, name, labels = '', value, time] = match as unknown as [string, string, string?, string?, string?];
  // 1e999 is out of range for who reads it.
  if (/\d/.test(value!) && !Number.isFinite(Number(value))) return null;
  if (labels !== '' && !areUnique(labels)) return null;
  if (!isOpen) return { name, text: line };
  // Seconds there, milliseconds here.
  const ms = time === undefined ? '' : ` ${Math.round(Number(time) * 1000)}`;
  return { name, text: `${name}${labels} ${value}${ms}` };
}

function areUnique(labels: string): boolean {
  const seen = new Set<string>();
  for (const [, name] of labels.matchAll(LABEL_NAME)) {
    if (name === '__name__' || seen.has(name!)) return false;
    seen.add(name!);
  }
  return true;
}

function description(line: string, isOpen: boolean, counters: ReadonlySet<string>): AppLine | null {
  const help = HELP.exec(line);
  if (help !== null) {
    const name = help[1]!;
    return counters.has(name) ? { name, text: line.replace(name, `${name}_total`) } : { name, text: line };
  }
  if (!isOpen) {
    const type = TYPE.exec(line);
    return type === null ? null : { name: type[1]!, text: line };
  }
  const type = OPEN_TYPE.exec(line);
  return type === null ? null : openType(type[1]!, type[2]!);
}

function openType(name: string, type: string): AppLine | null {
  switch (type) {
    case 'counter':
      return { name, text: `# TYPE ${name}_total counter` };
    case 'gauge':
    case 'histogram':
    case 'summary':
      return { name, text: `# TYPE ${name} ${type}` };
    case 'unknown':
      return { name, text: `# TYPE ${name} untyped` };
    // What there is no word for here has none.
    default:
      return null;
  }
}

/** Families that OpenMetrics names without the `_total` of their samples. */
function countersOf(text: string): Set<string> {
  return new Set(Array.from(text.matchAll(/^# TYPE ([a-zA-Z_:][\w:]*) counter\r?$/gm), ([, name]) => name!));
}
