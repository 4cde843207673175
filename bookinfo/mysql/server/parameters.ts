/** The parameters of COM_STMT_EXECUTE (dev.mysql.com, COM_STMT_EXECUTE), by their types rather than by guess. */
import type { SQLInputValue } from 'node:sqlite';
import { Malformed, type PacketReader } from './packet.ts';

export type Types = readonly { readonly type: number; readonly unsigned: boolean }[];

/** `known`: the types the client gave with an earlier run, which it need not repeat. */
export function readParameters(
  read: PacketReader,
  wanted: number,
  known: Types | null,
): { readonly values: SQLInputValue[]; readonly types: Types | null } {
  if (wanted === 0) return { values: [], types: known };
  const nulls = read.bytes((wanted + 7) >> 3);
  let types = known;
  if (read.uint(1) === 1) {
    types = Array.from({ length: wanted }, () => ({ type: read.uint(1), unsigned: (read.uint(1) & 0x80) !== 0 }));
  }
  if (types === null || types.length !== wanted) throw new Malformed('parameters without types');
  const values = types.map(({ type, unsigned }, i) =>
    ((nulls[i >> 3]! >> (i & 7)) & 1) === 1 ? null : value(read, type, unsigned),
  );
  return { values, types };
}

function value(read: PacketReader, type: number, unsigned: boolean): SQLInputValue {
  switch (type) {
    case 1:
      return unsigned ? read.uint(1) : read.bytes(1).readInt8();
    case 2:
    case 13:
      return unsigned ? read.uint(2) : read.bytes(2).readInt16LE();
    case 3:
    case 9:
      return unsigned ? read.uint(4) : read.bytes(4).readInt32LE();
    case 4:
      return whole(read.bytes(4).readFloatLE());
    case 5:
      return whole(read.bytes(8).readDoubleLE());
    case 6:
      return null;
    case 8:
      // SQLite has no integers beyond 63 bits.
      return unsigned ? BigInt.asIntN(64, read.bytes(8).readBigUInt64LE()) : read.bytes(8).readBigInt64LE();
    case 7:
    case 10:
    case 12:
      return date(read);
    case 249:
    case 250:
    case 251:
    case 252:
      return read.counted();
    case 0:
    case 15:
    case 245:
    case 246:
    case 253:
    case 254:
      return read.counted().toString('utf8');
    default:
      throw new Malformed(`a parameter of type ${type}`);
  }
}

/** Drivers send every number as a double; SQLite's LIMIT wants an integer. */
const whole = (number: number): number | bigint => (Number.isSafeInteger(number) ? BigInt(number) : number);

function date(read: PacketReader): string {
  const length = read.uint(1);
  if (![0, 4, 7, 11].includes(length)) throw new Malformed('a date that is none');
  const part = (size: number, from: number): string =>
    (length >= from ? String(read.uint(size)) : '0').padStart(2, '0');
  const day = [part(2, 4).padStart(4, '0'), part(1, 4), part(1, 4)].join('-');
  const time = [part(1, 7), part(1, 7), part(1, 7)].join(':');
  const fraction = length === 11 ? `.${String(read.uint(4)).padStart(6, '0')}` : '';
  return length <= 4 ? day : `${day} ${time}${fraction}`;
}
