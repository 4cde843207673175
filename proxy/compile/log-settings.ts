/** Formats of access logs, as Istio's mesh config has them (MeshConfig.accessLogFormat, EnvoyFileAccessLogProvider.logFormat). */
import { formatProblem, formatWarning, ISTIO_TEXT_FORMAT } from '../core/log-format.ts';
import type { JsonField, JsonFields, LogFormat } from '../snapshot/telemetry.ts';

/** Istio's text format (pilot/pkg/model/telemetry_logging.go: EnvoyTextLogFormat). */
export const ISTIO_TEXT: LogFormat = { kind: 'text', format: ISTIO_TEXT_FORMAT };

/** Levels of nested objects. */
const DEEPEST = 8;

/** Empty: Istio's. A line feed is put behind it where there is none. Null, and a word, where it is none. */
export function textFormat(text: string, complain: (message: string) => void): LogFormat | null {
  if (text === '') return ISTIO_TEXT;
  const problem = formatProblem(text);
  const word = problem ?? formatWarning(text);
  if (word !== null) complain(word);
  return problem === null ? { kind: 'text', format: text.endsWith('\n') ? text : `${text}\n` } : null;
}

/** Empty: Lateen's JSON, which is Istio's and more. Null, and a word, where a field is no format. */
export function jsonFormat(fields: object, complain: (message: string) => void): LogFormat | null {
  if (Object.keys(fields).length === 0) return { kind: 'default' };
  const problems: string[] = [];
  const made = fieldOf(fields, DEEPEST, (message) => problems.push(message));
  if (problems.length === 0) {
    for (const warning of new Set(warningsOf(made))) complain(warning);
    return { kind: 'json', fields: made as JsonFields };
  }
  complain(problems[0]!);
  return null;
}

/** What Lateen has no value for, wherever it stands. */
function warningsOf(field: JsonField): string[] {
  if (typeof field === 'string') return [formatWarning(field)].filter((warning) => warning !== null);
  return typeof field === 'object' && field !== null ? Object.values(field).flatMap(warningsOf) : [];
}

function fieldOf(value: unknown, depth: number, complain: (message: string) => void): JsonField {
  if (depth === 0) complain(`expected at most ${DEEPEST} levels of fields`);
  if (depth === 0 || value === null || value === undefined) return null;
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'string') {
    const problem = formatProblem(value);
    if (problem !== null) complain(problem);
    return value;
  }
  if (Array.isArray(value)) return value.map((item) => fieldOf(item, depth - 1, complain));
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fieldOf(inner, depth - 1, complain)]));
}
