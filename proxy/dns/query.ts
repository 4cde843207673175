/** Reads what a client asks: header, its one question, and EDNS. Strict; a message that could be read two ways is refused (RFC 1035, 6891). */
import { CLASS_IN, HEADER, RCODE, TYPE } from './codes.ts';

export type Question = {
  /** Lower case, without the dot at its end; the root is "". Bytes outside ASCII are one character each. */
  readonly name: string;
  readonly type: number;
  /** The question's bytes as they came: replies repeat them. */
  readonly bytes: Buffer;
};

export type Query = {
  readonly id: number;
  readonly recursionDesired: boolean;
  readonly question: Question;
  /** OPT record, when it came. */
  readonly edns: { readonly udpSize: number; readonly version: number; readonly dnssecOk: boolean } | null;
  /** The whole message. */
  readonly message: Buffer;
};

export type Unreadable =
  /** No answer: nothing that a client sends, or an answer itself (answering those would let two servers talk for ever). */
  | { readonly drop: true }
  /** Only this code goes back. */
  | { readonly drop: false; readonly rcode: number };

/** Header and question of a query with several records of EDNS, cookies and padding have far less. */
export const LONGEST_QUERY = 4096;
/** Queries have OPT, perhaps TSIG; who sends more wants to keep us busy. */
const MOST_ADDITIONAL = 4;

const DROPPED: Unreadable = { drop: true };
const refuse = (rcode: number): Unreadable => ({ drop: false, rcode });

/** Never throws. */
export function readQuery(message: Buffer): Query | Unreadable {
  if (message.length < HEADER) return DROPPED;
  const flags = message.readUInt16BE(2);
  if ((flags & 0x8000) !== 0) return DROPPED;
  if (((flags >> 11) & 15) !== 0) return refuse(RCODE.NOTIMP);
  const additional = message.readUInt16BE(10);
  if (message.length > LONGEST_QUERY || additional > MOST_ADDITIONAL) return refuse(RCODE.FORMERR);
  // One question; no answers, no authorities.
  if (message.readUInt16BE(4) !== 1 || message.readUInt32BE(6) !== 0) return refuse(RCODE.FORMERR);
  const question = readQuestion(message);
  if (question === null) return refuse(RCODE.FORMERR);
  const { bytes, type } = question;
  const edns = readEdns(message, HEADER + bytes.length, additional);
  if (edns === 'malformed') return refuse(RCODE.FORMERR);
  // Of CHAOS and other classes nothing is known; a zone transfer is many messages.
  if (bytes.readUInt16BE(bytes.length - 2) !== CLASS_IN || type === TYPE.AXFR || type === TYPE.IXFR)
    return refuse(RCODE.NOTIMP);
  return { id: message.readUInt16BE(0), recursionDesired: (flags & 0x100) !== 0, question, edns, message };
}

/** The question after the header. Null: cut short, a pointer (there is nothing yet to point to), or a name that is too long. */
export function readQuestion(message: Buffer): Question | null {
  let at = HEADER;
  let name = '';
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63 || at - HEADER + length > 254) return null;
    at++;
    if (length === 0) break;
    if (at + length > message.length) return null;
    const label = message.latin1Slice(at, at + length);
    // A dot inside a label would make one name of two.
    if (label.includes('.')) return null;
    name += name === '' ? label : `.${label}`;
    at += length;
  }
  if (at + 4 > message.length) return null;
  return { name: lowerAscii(name), type: message.readUInt16BE(at), bytes: message.subarray(HEADER, at + 4) };
}

/** Only A to Z have two cases in the DNS (RFC 4343). */
const lowerAscii = (text: string): string => text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** Walks the additional records up to the end of the message, which must come with the last of them. */
function readEdns(message: Buffer, start: number, count: number): Query['edns'] | 'malformed' {
  let edns: Query['edns'] = null;
  let at = start;
  for (let i = 0; i < count; i++) {
    const fixed = skipName(message, at);
    if (fixed < 0 || fixed + 10 > message.length) return 'malformed';
    if (message.readUInt16BE(fixed) === TYPE.OPT) {
      // The root's, and once (RFC 6891, 6.1.1).
      if (edns !== null || fixed !== at + 1) return 'malformed';
      edns = {
        udpSize: message.readUInt16BE(fixed + 2),
        version: message[fixed + 5]!,
        dnssecOk: (message[fixed + 6]! & 0x80) !== 0,
      };
    }
    at = fixed + 10 + message.readUInt16BE(fixed + 8);
    if (at > message.length) return 'malformed';
  }
  return at === message.length ? edns : 'malformed';
}

/** Where the name at `at` ends; a pointer ends it and is not followed. -1: it does not. */
function skipName(message: Buffer, at: number): number {
  for (;;) {
    const length = message[at];
    if (length === undefined) return -1;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > 63) return -1;
    at += length + 1;
  }
}
