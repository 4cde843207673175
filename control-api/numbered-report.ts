/** A report of a proxy with numbered rows, read from its bytes: the frame that all such reports share, and readers of their fields. */
import { decodeBody } from './kube/body.ts';
import { isObject, type Json, type JsonObject } from './kube/json.ts';
import { badRequest } from './kube/status-error.ts';

export type NumberedReport<Row> = {
  /** Of this life of the proxy; `seq` counts its reports, so that one that is sent again counts once. */
  readonly run: string;
  readonly seq: number;
  readonly workload: string;
  readonly rows: readonly Row[];
};

/** A proxy sends at most some 500 at once. */
const MAX_ROWS = 1000;

/** Throws BadRequest naming the field. `readRow` is given each row, and what comes before the names of its fields. */
export function readReport<Row>(
  bytes: Buffer,
  contentType: string | undefined,
  readRow: (row: JsonObject, at: string) => Row,
): NumberedReport<Row> {
  const body = decodeBody(bytes, contentType);
  if (!isObject(body)) throw badRequest('expected a report as a JSON object');
  const { rows } = body;
  if (!Array.isArray(rows)) throw badRequest('rows: expected a list');
  if (rows.length > MAX_ROWS) throw badRequest(`rows: expected at most ${MAX_ROWS}, got ${rows.length}`);
  return {
    run: text(body, 'run', ''),
    seq: whole(body, 'seq', ''),
    workload: text(body, 'workload', ''),
    rows: (rows as readonly Json[]).map((row, i) => {
      if (!isObject(row)) throw badRequest(`rows[${i}]: expected an object`);
      return readRow(row, `rows[${i}].`);
    }),
  };
}

export function oneOf<T extends string>(row: JsonObject, field: string, known: readonly T[], at: string): T {
  const value = known.find((k) => k === row[field]);
  if (value !== undefined) return value;
  throw badRequest(`${at}${field}: expected one of ${known.join(', ')}, got ${shown(row[field])}`);
}

export function whole(row: JsonObject, field: string, at: string): number {
  const value = row[field];
  if (isWhole(value)) return value;
  throw badRequest(`${at}${field}: expected a whole number from 0, got ${shown(value)}`);
}

export const isWhole = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/** Whoever shows it may be a terminal: printable ASCII alone is kept. */
export function text(row: JsonObject, field: string, at: string): string {
  const value = row[field];
  if (typeof value === 'string') return value.slice(0, 256).replace(/[^ -~]/g, '?');
  throw badRequest(`${at}${field}: expected a string, got ${shown(value)}`);
}

export const shown = (value: Json | undefined): string => (JSON.stringify(value) ?? 'nothing').slice(0, 100);
