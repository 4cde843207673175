/**
 * Odd ClientHellos of wrong records and lengths, and what readers make of them. Where Envoy reads none it goes on as if there were
 * no TLS; ours ends the connection, since a server behind us may be more forgiving than both.
 */
import { latin1, message, record, records, u16, u8, type HelloParts } from '../kit/client-hello.ts';
import { MESSAGE, ofSize, PARTS, REAL, whole, type HelloCase } from './hello-parts.ts';

/** `REAL` with other bytes at `at`. */
function patched(at: number, ...bytes: readonly number[]): Buffer {
  const copy = Buffer.from(REAL);
  copy.set(bytes, at);
  return copy;
}

const SESSION_ID = 5 + 4 + 2 + 32;
const SUITES = SESSION_ID + 1 + PARTS.sessionId.length;
const COMPRESSIONS = SUITES + 2 + PARTS.suites.length;
const EXTENSIONS = COMPRESSIONS + 1 + PARTS.compressions.length;

const GREASE: HelloParts = {
  ...PARTS,
  suites: Buffer.concat([u16(0x0a0a), PARTS.suites]),
  extensions: [[0x1a1a, u8(0)], ...PARTS.extensions!, [0xfafa, Buffer.alloc(0)]],
};

export const ODD_FRAMES: readonly HelloCase[] = [
  { what: 'a hello of Node', bytes: REAL, ours: '"example.com"', node: '"example.com"', envoy: '"example.com"' },
  {
    what: 'a record of version 0x0300',
    bytes: record(MESSAGE, 0x0300),
    ours: '"example.com"',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'a record of version 0x0304',
    bytes: record(MESSAGE, 0x0304),
    ours: '"example.com"',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'a record of version 0x03ff',
    bytes: record(MESSAGE, 0x03ff),
    ours: '"example.com"',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'a record of version 0x0401',
    bytes: record(MESSAGE, 0x0401),
    ours: 'not-tls',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'in records of 100 bytes',
    bytes: records(MESSAGE, 100),
    ours: '"example.com"',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'its message in 64 records',
    bytes: records(MESSAGE, Math.ceil(MESSAGE.length / 64)),
    ours: '"example.com"',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'its message in more records than 64',
    bytes: Buffer.concat([
      ...Array.from(MESSAGE.subarray(0, 64), (byte) => record(u8(byte))),
      record(MESSAGE.subarray(64)),
    ]),
    ours: 'too many records',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'in records of one byte',
    bytes: records(MESSAGE, 1),
    ours: 'too many records',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'the type of the message alone in its record',
    bytes: Buffer.concat([record(MESSAGE.subarray(0, 1)), record(MESSAGE.subarray(1))]),
    ours: '"example.com"',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'an empty record first',
    bytes: Buffer.concat([record(Buffer.alloc(0)), REAL]),
    ours: 'an empty record',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'an empty record in the middle',
    bytes: Buffer.concat([record(MESSAGE.subarray(0, 9)), record(Buffer.alloc(0)), record(MESSAGE.subarray(9))]),
    ours: 'an empty record',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'an alert in the middle',
    bytes: Buffer.concat([
      record(MESSAGE.subarray(0, 9)),
      record(latin1('\x01\0'), 0x0301, 21),
      record(MESSAGE.subarray(9)),
    ]),
    ours: 'another record cuts into the hello',
    node: 'refuses',
    envoy: 'closes',
  },
  {
    what: 'a second record of another version',
    bytes: Buffer.concat([record(MESSAGE.subarray(0, 9)), record(MESSAGE.subarray(9), 0x0303)]),
    ours: '"example.com"',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'a second record of no TLS version',
    bytes: Buffer.concat([record(MESSAGE.subarray(0, 9)), record(MESSAGE.subarray(9), 0x0203)]),
    ours: 'a record of another protocol cuts into the hello',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'bytes of the next message in its record',
    bytes: record(Buffer.concat([MESSAGE, u8(16)])),
    ours: 'bytes follow the hello in its record',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'a record that is longer than the hello and not all here',
    bytes: record(Buffer.concat([MESSAGE, Buffer.alloc(9)])).subarray(0, -4),
    ours: 'bytes follow the hello in its record',
    node: 'waits',
    envoy: 'waits',
  },
  {
    what: 'another record behind it',
    bytes: Buffer.concat([REAL, record(u8(1), 0x0303, 20)]),
    ours: '"example.com"',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  { what: 'all but its last byte', bytes: REAL.subarray(0, -1), ours: 'more', node: 'waits', envoy: 'waits' },
  {
    what: 'a hello of 16 KiB with the record',
    bytes: records(ofSize(16_379), 16_384),
    ours: '"example.com"',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'a hello of 16 KiB with its records',
    bytes: records(ofSize(16_374), 8192),
    ours: '"example.com"',
    node: '"example.com"',
    envoy: '"example.com"',
  },
  {
    what: 'a hello of 16 KiB and one byte with the record',
    bytes: record(ofSize(16_380)),
    ours: 'the hello is too long',
    node: '"example.com"',
    envoy: 'closes',
  },
  {
    what: 'a hello of 16 KiB and one byte with its records',
    bytes: records(ofSize(16_375), 8192),
    ours: 'the hello is too long',
    node: '"example.com"',
    envoy: 'closes',
  },
  {
    what: 'a hello of 20 KiB',
    bytes: records(ofSize(20_480), 16_384),
    ours: 'the hello is too long',
    node: '"example.com"',
    envoy: 'closes',
  },
  {
    what: 'a message of 16 MiB, it says',
    bytes: patched(6, 0xff, 0xff, 0xff),
    ours: 'the hello is too long',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'a record of 16,385 bytes',
    bytes: record(ofSize(16_385)),
    ours: 'a record is too long',
    node: 'refuses',
    envoy: 'closes',
  },
  {
    what: 'a record of 64 KiB, it says',
    bytes: patched(3, 0xff, 0xff),
    ours: 'a record is too long',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'an alert first',
    bytes: Buffer.concat([record(latin1('\x02\x28'), 0x0301, 21), REAL]),
    ours: 'not-tls',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'a ServerHello',
    bytes: record(message(PARTS, 2)),
    ours: 'the first handshake message is no ClientHello',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'a hello of SSLv2',
    bytes: Buffer.concat([u16(0x802c), u8(1), u16(0x0301), u16(3), u16(0), u16(32), latin1('\0\0\x2f'), PARTS.random]),
    ours: 'not-tls',
    node: 'refuses',
    envoy: '""',
  },
  {
    what: 'a request of HTTP',
    bytes: latin1('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n'),
    ours: 'not-tls',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'a version before TLS',
    bytes: whole({ ...PARTS, version: 0x0200 }),
    ours: 'a version before TLS',
    node: 'refuses',
    envoy: 'closes',
  },
  {
    what: 'SSL 3.0',
    bytes: whole({ ...PARTS, version: 0x0300 }),
    ours: 'a version before TLS',
    node: '""',
    envoy: 'closes',
  },
  {
    what: 'TLS 1.0 without extensions',
    bytes: whole({ ...PARTS, version: 0x0301, extensions: null }),
    ours: '""',
    node: 'refuses',
    envoy: '""',
  },
  {
    what: 'an empty list of extensions',
    bytes: whole({ ...PARTS, version: 0x0303, extensions: [] }),
    ours: '""',
    node: '""',
    envoy: '""',
  },
  {
    what: 'a version of the future',
    bytes: whole({ ...PARTS, version: 0x0505 }),
    ours: '"example.com"',
    node: '"example.com"',
    envoy: 'closes',
  },
  {
    what: 'a session id of 33 bytes',
    bytes: whole({ ...PARTS, sessionId: Buffer.alloc(33) }),
    ours: 'a session id that does not fit',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'a session id longer than the hello',
    bytes: patched(SESSION_ID, 255),
    ours: 'a session id that does not fit',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'no cipher suite',
    bytes: whole({ ...PARTS, suites: Buffer.alloc(0) }),
    ours: 'cipher suites that do not fit',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'half a cipher suite',
    bytes: whole({ ...PARTS, suites: PARTS.suites.subarray(1) }),
    ours: 'cipher suites that do not fit',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'cipher suites longer than the hello',
    bytes: patched(SUITES, 0xff, 0xff),
    ours: 'cipher suites that do not fit',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'no compression method',
    bytes: whole({ ...PARTS, compressions: Buffer.alloc(0) }),
    ours: 'compression methods that do not fit',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'compression, not none',
    bytes: whole({ ...PARTS, compressions: u8(1) }),
    ours: '"example.com"',
    node: 'refuses',
    envoy: '"example.com"',
  },
  {
    what: 'extensions one byte too long',
    bytes: patched(EXTENSIONS + 1, REAL[EXTENSIONS + 1]! + 1),
    ours: 'extensions that do not fit',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'extensions one byte too short',
    bytes: patched(EXTENSIONS + 1, REAL[EXTENSIONS + 1]! - 1),
    ours: 'extensions that do not fit',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'an extension longer than all of them',
    bytes: patched(EXTENSIONS + 4, 0xff, 0xff),
    ours: 'an extension that does not fit',
    node: 'refuses',
    envoy: 'plain',
  },
  {
    what: 'extensions of GREASE',
    bytes: whole(GREASE),
    ours: '"example.com"',
    node: '"example.com"',
    envoy: '"example.com"',
  },
];
