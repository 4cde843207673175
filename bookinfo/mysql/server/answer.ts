/** What the server says after a command: OK, EOF, an error, columns and rows, in text or binary (dev.mysql.com, Command Response). */
import type { Column, Result } from './engine.ts';
import { count, counted, uint } from './packet.ts';
import type { SqlError } from './sql-error.ts';

const AUTOCOMMIT = 0x0002;
/** Types (field_types.h) and character sets: 45 is utf8mb4_general_ci, 63 bytes. */
const WIRE = {
  integer: { type: 8, charset: 63, length: 20 },
  double: { type: 5, charset: 63, length: 22 },
  text: { type: 253, charset: 45, length: 4_096 },
  blob: { type: 252, charset: 63, length: 65_535 },
} as const;

export const ok = (affected = 0, insertId = 0): Buffer =>
  Buffer.concat([uint(0x00, 1), count(affected), count(Math.max(0, insertId)), uint(AUTOCOMMIT, 2), uint(0, 2)]);

export const eof = (): Buffer => Buffer.concat([uint(0xfe, 1), uint(0, 2), uint(AUTOCOMMIT, 2)]);

export const failed = ({ errno, state, message }: SqlError): Buffer =>
  Buffer.concat([uint(0xff, 1), uint(errno, 2), Buffer.from(`#${state}${message.slice(0, 500)}`)]);

export function column({ name, table, type }: Column, database: string): Buffer {
  const { type: code, charset, length } = WIRE[type];
  const names = ['def', database, table, table, name, name].map((text) => counted(text));
  return Buffer.concat([
    ...names,
    uint(0x0c, 1),
    uint(charset, 2),
    uint(length, 4),
    uint(code, 1),
    uint(0, 2),
    uint(0, 1),
    uint(0, 2),
  ]);
}

/** The payloads of a result, one after the other. */
export function* payloads(result: Result, database: string, binary: boolean): Generator<Buffer> {
  if (result.kind === 'done') return yield ok(result.affected, result.insertId);
  const { columns, rows } = result;
  yield count(columns.length);
  for (const each of columns) yield column(each, database);
  yield eof();
  for (const row of rows) yield binary ? binaryRow(row, columns) : Buffer.concat(row.map(textValue));
  yield eof();
}

const textValue = (value: unknown): Buffer => (value === null ? uint(0xfb, 1) : counted(plain(value)));

const plain = (value: unknown): string | Uint8Array =>
  value instanceof Uint8Array ? value : `${value as string | number | bigint}`;

/** Binary Protocol Resultset Row: a bitmap of NULLs, shifted by two, then the values. */
function binaryRow(row: readonly unknown[], columns: readonly Column[]): Buffer {
  const nulls = Buffer.alloc((columns.length + 9) >> 3);
  const values: Buffer[] = [];
  row.forEach((value, i) => {
    if (value === null) nulls[(i + 2) >> 3]! |= 1 << ((i + 2) & 7);
    else values.push(binaryValue(value, columns[i]!.type));
  });
  return Buffer.concat([uint(0, 1), nulls, ...values]);
}

function binaryValue(value: unknown, type: Column['type']): Buffer {
  if (type !== 'integer' && type !== 'double') return counted(plain(value));
  const bytes = Buffer.alloc(8);
  if (type === 'integer') bytes.writeBigInt64LE(BigInt.asIntN(64, value as bigint));
  else bytes.writeDoubleLE(Number(value));
  return bytes;
}
