/** Reads Prometheus text back, strictly, for tests: what promtool would refuse throws here. */

export type ParsedSample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};
export type ParsedFamily = { type: string; help: string; samples: ParsedSample[] };

const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;

/** Throws for a line that is not valid, a family that is described twice or in two places, and a series that is there twice. */
export function parseExposition(text: string): Map<string, ParsedFamily> {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no line feed');
  const families = new Map<string, ParsedFamily>();
  const seen = new Set<string>();
  let current = '';
  for (const line of text.split('\n')) {
    const meta = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.*)$/.exec(line);
    if (meta !== null) {
      const [, kind, name, rest] = meta as unknown as [string, string, string, string];
      if (name !== current && families.has(name)) throw new Error(`${name} is in two places`);
      current = name;
      const family = families.get(name) ?? { type: '', help: '', samples: [] };
      families.set(name, family);
      const field = kind === 'TYPE' ? 'type' : 'help';
      if (family[field] !== '' || family.samples.length > 0) throw new Error(`${name}: ${kind} is late or there twice`);
      family[field] = rest;
    } else if (line !== '') {
      const sample = parseSample(line);
      const key = JSON.stringify(sample.labels) + sample.name;
      if (seen.has(key)) throw new Error(`there twice: ${line}`);
      seen.add(key);
      const base = sample.name.replace(/_(?:bucket|sum|count)$/, '');
      if (sample.name !== current && base !== current) throw new Error(`not under its family: ${line}`);
      families.get(current)!.samples.push(sample);
    }
  }
  return families;
}

function parseSample(line: string): ParsedSample {
  const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/s.exec(line);
  if (parts === null) throw new Error(`not a sample: ${line}`);
  const [, name, list = '', number] = parts as unknown as [string, string, string | undefined, string];
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < list.length) {
    const label = LABEL.exec(list);
    if (label === null) throw new Error(`not labels: ${list}`);
    labels[label[1]!] = label[2]!.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
  }
  const value = number === '+Inf' ? Infinity : number === '-Inf' ? -Infinity : Number(number);
  // As Go's ParseFloat reads it; prom-client writes `Nan`.
  if (Number.isNaN(value) && number.toLowerCase() !== 'nan') throw new Error(`not a number: ${line}`);
  return { name, labels, value };
}
