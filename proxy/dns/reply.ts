/** Writes replies: of our own names, of errors, and those of upstreams fitted to the client (RFC 1035, 4.1; RFC 6891). */
import { CLASS_IN, HEADER, RCODE, TYPE } from './codes.ts';
import type { Query } from './query.ts';

/** Of our own answers, seconds: short, since names move with the configuration (Istio's pkg/dns/client has 30, too). */
export const TTL_S = 30;

const QR = 0x8000;
const AA = 0x0400;
const TC = 0x0200;
const RD = 0x0100;
const RA = 0x0080;
const OPT_LENGTH = 11;
/** What a message over UDP may have without EDNS (RFC 1035, 4.2.1). */
const PLAIN_UDP = 512;
/** What we would like to be sent: fits a packet everywhere (DNS flag day 2020). */
const OUR_UDP = 1232;
/** More than that is not sent in one packet, whatever the client says it can take. */
const MOST_UDP = 4096;
const MOST_TCP = 65_535;

export type Answer = {
  /** The name that was asked is an alias of this one, which has the addresses. Null: it has them itself. */
  readonly alias: string | null;
  /** 4 or 16 bytes each; all alike. */
  readonly addresses: readonly Uint8Array[];
  /** How many to skip at first: answers go round. */
  readonly turn: number;
};

/** How long a reply may be, bytes. */
export function roomFor(query: Query, transport: 'udp' | 'tcp'): number {
  return transport === 'tcp' ? MOST_TCP : Math.min(MOST_UDP, Math.max(PLAIN_UDP, query.edns?.udpSize ?? 0));
}

/** The answer for a name of ours. What does not fit is left out, and said so (TC): the client comes again over TCP. */
export function writeAnswer(query: Query, answer: Answer, room: number): Buffer {
  const { addresses, turn, alias } = answer;
  const type = query.question.type;
  const start = HEADER + query.question.bytes.length;
  const target = alias === null || addresses.length === 0 ? null : encodeName(alias);
  const width = 12 + (addresses[0]?.length ?? 0);
  const budget = room - start - (query.edns === null ? 0 : OPT_LENGTH) - (target === null ? 0 : 12 + target.length);
  const fit = Math.min(addresses.length, Math.max(0, Math.floor(budget / width)));
  const aliased = target !== null && budget >= 0;
  const parts: Buffer[] = [];
  if (aliased) parts.push(record(HEADER, TYPE.CNAME, target));
  // The alias's own name stands behind the fixed part of its record; addresses point there.
  const owner = aliased ? start + 12 : HEADER;
  for (let i = 0; i < fit; i++) parts.push(record(owner, type, addresses[(turn + i) % addresses.length]!));
  return assemble(query, RCODE.NOERROR, AA | (fit < addresses.length ? TC : 0), parts);
}

/** An error for a query that could be read. */
export const writeError = (query: Query, rcode: number): Buffer => assemble(query, rcode, 0, []);

/** An error for one that could not: a header alone. */
export function writeBareError(message: Buffer, rcode: number): Buffer {
  const reply = Buffer.alloc(HEADER);
  message.copy(reply, 0, 0, 2);
  reply.writeUInt16BE(QR | (message.readUInt16BE(2) & (0x7800 | RD)) | rcode, 2);
  return reply;
}

/** An upstream's reply under the client's own id; over `room` bytes, only header and question of it, with TC. Changes `reply`. */
export function fitReply(query: Query, reply: Buffer, room: number): Buffer {
  reply.writeUInt16BE(query.id, 0);
  if (reply.length <= room) return reply;
  return assemble(query, reply.readUInt16BE(2) & 15, TC, []);
}

function assemble(query: Query, rcode: number, flags: number, records: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt16BE(query.id, 0);
  header.writeUInt16BE(QR | RA | flags | (query.recursionDesired ? RD : 0) | (rcode & 15), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const parts = [header, query.question.bytes, ...records];
  if (query.edns !== null) {
    header.writeUInt16BE(1, 10);
    parts.push(optRecord(rcode, query.edns.dnssecOk));
  }
  return Buffer.concat(parts);
}

/** The root's name, OPT, our size, extended code, version 0, DO as it came, no options. */
function optRecord(rcode: number, dnssecOk: boolean): Buffer {
  return Buffer.from([0, 0, TYPE.OPT, OUR_UDP >> 8, OUR_UDP & 255, rcode >> 4, 0, dnssecOk ? 0x80 : 0, 0, 0, 0]);
}

/** `owner`: where in the message its name was written. */
function record(owner: number, type: number, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + data.length);
  bytes.writeUInt16BE(0xc000 | owner, 0);
  bytes.writeUInt16BE(type, 2);
  bytes.writeUInt16BE(CLASS_IN, 4);
  bytes.writeUInt32BE(TTL_S, 6);
  bytes.writeUInt16BE(data.length, 10);
  bytes.set(data, 12);
  return bytes;
}

/** The name is one that was asked for, less its end: it fits. */
function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(`\0${label}`, 'latin1'));
  for (const label of labels) label[0] = label.length - 1;
  return Buffer.concat([...labels, Buffer.alloc(1)]);
}
