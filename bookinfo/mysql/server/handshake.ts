/** The greeting and who answers it: protocol 4.1 with mysql_native_password (dev.mysql.com, Connection Phase). */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Malformed, PacketReader, terminated, uint } from './packet.ts';
import { SERVER_VERSION } from './session-state.ts';

const METHOD = 'mysql_native_password';

/** Capability flags: what is offered, and what of a client's answer matters. No TLS, no compression, no files of the client. */
const CONNECT_WITH_DB = 0x8;
const PROTOCOL_41 = 0x200;
const SECURE_CONNECTION = 0x8000;
const PLUGIN_AUTH = 0x80000;
const LENENC_AUTH = 0x200000;
const LONG_PASSWORD = 0x1;
const FOUND_ROWS = 0x2;
const LONG_FLAG = 0x4;
const IGNORE_SPACE = 0x100;
const TRANSACTIONS = 0x2000;
const OFFERED =
  LONG_PASSWORD |
  FOUND_ROWS |
  LONG_FLAG |
  CONNECT_WITH_DB |
  IGNORE_SPACE |
  PROTOCOL_41 |
  TRANSACTIONS |
  SECURE_CONNECTION |
  PLUGIN_AUTH;

export type Answer = {
  readonly user: string;
  readonly token: Buffer;
  readonly database: string;
  readonly method: string;
};

/** Twenty bytes without a NUL or a `$`, which old clients take for an end. */
export const newSalt = (): Buffer => Buffer.from(randomBytes(20).map((byte) => (byte % 90) + 37));

export const greeting = (id: number, salt: Buffer): Buffer =>
  Buffer.concat([
    uint(10, 1),
    terminated(SERVER_VERSION),
    uint(id, 4),
    salt.subarray(0, 8),
    uint(0, 1),
    uint(OFFERED & 0xffff, 2),
    uint(45, 1),
    uint(0x0002, 2),
    uint(OFFERED >>> 16, 2),
    uint(21, 1),
    Buffer.alloc(10),
    salt.subarray(8),
    uint(0, 1),
    terminated(METHOD),
  ]);

/** Throws Malformed on what is no answer of a 4.1 client, and on a wish for TLS, which was not offered. */
export function readAnswer(payload: Buffer): Answer {
  const read = new PacketReader(payload);
  const flags = read.uint(4);
  if ((flags & PROTOCOL_41) === 0) throw new Malformed('a client before MySQL 4.1');
  read.bytes(28);
  const user = read.text();
  const token =
    (flags & LENENC_AUTH) !== 0
      ? read.counted()
      : (flags & SECURE_CONNECTION) !== 0
        ? read.bytes(read.uint(1))
        : Buffer.from(read.text());
  const database = (flags & CONNECT_WITH_DB) !== 0 && read.left > 0 ? read.text() : '';
  const method = (flags & PLUGIN_AUTH) !== 0 && read.left > 0 ? read.text() : METHOD;
  return { user, token, database, method };
}

/** Null: the token is of this method already. */
export const switchMethod = (method: string, salt: Buffer): Buffer | null =>
  method === METHOD ? null : Buffer.concat([uint(0xfe, 1), terminated(METHOD), salt, uint(0, 1)]);

/** SHA1(password) XOR SHA1(salt, SHA1(SHA1(password))); an empty password has an empty token. */
export function passwordFits(password: string, salt: Buffer, token: Buffer): boolean {
  if (password === '') return token.length === 0;
  const once = sha1(Buffer.from(password));
  const mask = sha1(salt, sha1(once));
  const expected = once.map((byte, i) => byte ^ mask[i]!);
  return token.length === expected.length && timingSafeEqual(token, expected);
}

function sha1(...pieces: readonly Buffer[]): Buffer {
  const hash = createHash('sha1');
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}
