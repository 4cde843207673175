/** Walks a plain value along its schema: reports every misfit at its place, and gives back a clean copy. */
import { parseDuration } from '../core/duration.ts';
import { suggest } from '../core/suggest.ts';
import type { Report } from './report.ts';
import type { EnumSchema, ListSchema, MapSchema, NumberSchema, ObjectSchema, Schema, StringSchema } from './schema.ts';
import { gotten, shown } from './shown.ts';

export type Walk = {
  /** Words that YAML 1.1 took for booleans (`yes`, `off`) pass for one, as kubectl lets them. */
  readonly yamlBooleans: boolean;
};

/** No schema of ours goes down further, and nobody else has to recurse deeper after us. */
const DEEPEST = 64;

/**
 * The copy holds what fits: members that are null are left out (absent, as in protobuf's JSON), and so is what did not fit.
 * Never throws, whatever `value` is.
 */
export function validate(schema: Schema, value: unknown, report: Report, walk: Walk): unknown {
  if (schema.support === 'refused') report.error(`not supported: ${schema.reason ?? 'Lateen does not act on it'}`);
  if (schema.support === 'ignored') report.warning(`has no effect: ${schema.reason ?? 'Lateen does not act on it'}`);
  switch (schema.kind) {
    case 'string':
      return typeof value === 'string' ? checkString(schema, value, report) : misfit(report, 'a string', value);
    case 'duration':
      return checkDuration(schema.min, value, report);
    case 'bool':
      return checkBool(value, report, walk);
    case 'number':
      return checkNumber(schema, value, report);
    case 'enum':
      return checkEnum(schema, value, report);
    case 'int-or-string':
      if (typeof value !== 'string' && !Number.isSafeInteger(value))
        return misfit(report, 'a whole number or a string', value);
      return value;
    case 'list':
      return Array.isArray(value) ? checkList(schema, value, report, walk) : misfit(report, 'a list', value);
    case 'map':
      return isRecord(value)
        ? checkMap(schema, value, report, walk)
        : misfit(report, 'a mapping of names to values', value);
    case 'object':
      return isRecord(value) ? checkObject(schema, value, report, walk) : misfit(report, 'a mapping of fields', value);
    case 'anything':
      return plain(value, report, DEEPEST);
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reports, and yields nothing. */
function misfit(report: Report, expected: string, value: unknown): undefined {
  report.error(`expected ${expected}, got ${gotten(value, expected)}`);
  return undefined;
}

function checkString(schema: StringSchema, value: string, report: Report): string | undefined {
  if (value.length < schema.minLength) return misfit(report, 'some text', value);
  if (value.length > schema.maxLength) {
    report.error(`expected at most ${schema.maxLength} characters, got ${value.length}`);
    return undefined;
  }
  const expected = schema.format?.(value) ?? null;
  return expected === null ? value : misfit(report, expected, value);
}

function checkDuration(min: number, value: unknown, report: Report): string | undefined {
  const expected = 'a duration such as "1.5s" or "100ms"';
  if (typeof value !== 'string') return misfit(report, expected, value);
  const span = parseDuration(value);
  if (span === null) return misfit(report, expected, value);
  if (span < min) return misfit(report, 'a duration of at least 1ms', value);
  // Istio's own limit: proxies count in milliseconds.
  if (!Number.isInteger(span)) return misfit(report, 'a duration in whole milliseconds', value);
  return value;
}

const YAML_1_1: ReadonlyMap<string, boolean> = new Map([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
]);

function checkBool(value: unknown, report: Report, walk: Walk): boolean | undefined {
  if (typeof value === 'boolean') return value;
  const word = walk.yamlBooleans && typeof value === 'string' ? YAML_1_1.get(value) : undefined;
  return word ?? misfit(report, 'true or false', value);
}

function checkNumber(schema: NumberSchema, value: unknown, report: Report): number | undefined {
  const { min, max, integer } = schema;
  const what = integer ? 'a whole number' : 'a number';
  if (typeof value !== 'number' || !Number.isFinite(value) || (integer && !Number.isInteger(value)))
    return misfit(report, what, value);
  if (value >= min && value <= max) return value;
  const bounded = max < 2 ** 31 - 1 && min >= 0;
  return misfit(
    report,
    bounded ? `${what} from ${min} to ${max}` : `${what} ${value < min ? `of at least ${min}` : `of at most ${max}`}`,
    value,
  );
}

function checkEnum(schema: EnumSchema, value: unknown, report: Report): string | undefined {
  if (typeof value !== 'string' || !schema.values.includes(value)) {
    const near = typeof value === 'string' ? suggest(value, schema.values) : null;
    const hint = near === null ? '' : `; did you mean \`${near}\`?`;
    report.error(
      `expected ${schema.values.length > 1 ? 'one of ' : ''}${schema.values.join(', ')}, got ${gotten(value)}${hint}`,
    );
    return undefined;
  }
  const unsupported = Object.hasOwn(schema.unsupported, value) ? schema.unsupported[value] : undefined;
  if (unsupported?.support === 'refused') report.error(`${value} is not supported: ${unsupported.reason}`);
  if (unsupported?.support === 'ignored') report.warning(`${value} has no effect: ${unsupported.reason}`);
  return value;
}

function checkList(schema: ListSchema, items: readonly unknown[], report: Report, walk: Walk): unknown[] {
  checkSize(schema, items.length, 'item', report);
  return items.map((item, i) => validate(schema.item, item, report.at(i), walk));
}

function checkMap(
  schema: MapSchema,
  record: Record<string, unknown>,
  report: Report,
  walk: Walk,
): Record<string, unknown> {
  const entries = Object.entries(record);
  checkSize(schema, entries.length, 'entry', report);
  const copy: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    const at = report.at(key);
    const expected = schema.key?.(key) ?? null;
    if (expected !== null) at.error(`expected ${expected} as key, got ${shown(key)}`, true);
    else if (isHarmless(key, at)) copy[key] = validate(schema.value, value, at, walk);
  }
  return copy;
}

function checkSize({ min, max }: { min: number; max: number }, size: number, what: string, report: Report): void {
  const things = what === 'entry' ? 'entries' : 'items';
  if (size < min)
    report.error(`expected at least ${min} ${min === 1 ? what : things}, got ${size === 0 ? 'none' : size}`);
  if (size > max) report.error(`expected at most ${max} ${things}, got ${size}`);
}

function checkObject(
  schema: ObjectSchema,
  record: Record<string, unknown>,
  report: Report,
  walk: Walk,
): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(record)) {
    if (value === null || value === undefined) continue;
    const at = report.at(key);
    const field = Object.hasOwn(schema.fields, key) ? schema.fields[key] : undefined;
    if (field !== undefined) copy[key] = validate(field, value, at, walk);
    else if (unknownField(schema, key, at)) copy[key] = plain(value, at, DEEPEST);
  }
  for (const [key, field] of Object.entries(schema.fields)) {
    const missing =
      field.required && (!Object.hasOwn(record, key) || record[key] === null || record[key] === undefined);
    if (missing) report.at(key).error(`is required: ${field.description}`);
  }
  for (const group of schema.oneOf) {
    const given = group.filter(
      (key) => Object.hasOwn(record, key) && record[key] !== null && record[key] !== undefined,
    );
    if (given.length > 1) report.error(`expected at most one of ${group.join(', ')}, got ${given.join(' and ')}`);
  }
  return copy;
}

/** True when it may stay. */
function unknownField(schema: ObjectSchema, key: string, at: Report): boolean {
  if (schema.open && !isHarmless(key, at)) return false;
  const near = suggest(key, Object.keys(schema.fields));
  if (schema.open) {
    if (near !== null && near.toLowerCase() === key.toLowerCase())
      at.warning(`unknown field; did you mean \`${near}\`?`, true);
    return true;
  }
  const hint = near === null ? `expected ${Object.keys(schema.fields).join(', ')}` : `did you mean \`${near}\`?`;
  at.error(`unknown field; ${hint}`, true);
  return false;
}

/** `__proto__` as a key would change the copy's prototype instead of its content. */
function isHarmless(key: string, at: Report): boolean {
  if (key !== '__proto__') return true;
  at.error('`__proto__` cannot be a key', true);
  return false;
}

/** A copy of JSON-like data of any shape. */
function plain(value: unknown, report: Report, depth: number): unknown {
  if (depth === 0) return misfit(report, `at most ${DEEPEST} levels`, 'more');
  if (Array.isArray(value)) return value.map((item, i) => plain(item, report.at(i), depth - 1));
  if (!isRecord(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    const at = report.at(key);
    if (isHarmless(key, at)) copy[key] = plain(member, at, depth - 1);
  }
  return copy;
}
