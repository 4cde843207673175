/**
 * The PROXY protocol, versions 1 and 2: whose connection this is, said by the proxy before (HAProxy, doc/proxy-protocol.txt).
 * Strict: a header that is not exactly as written there is refused, as it decides who the client is.
 */
import { formatAddress, formatV4, formatV6, parseAddress, type Address } from '../core/cidr.ts';
import { crc32c } from './crc32c.ts';

export type ProxiedAddresses = {
  /** RFC 5952 text; IPv4 inside IPv6 is IPv4. */
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly destinationAddress: string;
  readonly destinationPort: number;
};

/** `none`: the bytes do not begin with a header. Each but `more` is final: bytes that follow never change it. */
export type ProxyHeaderReading =
  | { readonly kind: 'more' }
  | { readonly kind: 'none' }
  | { readonly kind: 'broken'; readonly why: string }
  | {
      readonly kind: 'header';
      /** Bytes of the header; the connection's own bytes follow. */
      readonly length: number;
      /** Null (LOCAL, UNKNOWN, a Unix socket): those of the connection itself hold. */
      readonly addresses: ProxiedAddresses | null;
    };

const MORE = { kind: 'more' } as const;
const NONE = { kind: 'none' } as const;
const broken = (why: string): ProxyHeaderReading => ({ kind: 'broken', why });

const V1_BEGIN = Buffer.from('PROXY ');
/** Bytes of a version 1 line, with its CRLF (section 2.1). */
const V1_MOST = 107;
const V1_LINE = /^PROXY (?:TCP4 ([0-9.]+) ([0-9.]+)|TCP6 ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+)) ([0-9]+) ([0-9]+)$/;
const V1_PORT = /^(?:0|[1-9][0-9]{0,4})$/;
const CR = 13;
const LF = 10;

const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED = 16;
/** Bytes behind the fixed part: addresses and TLVs. Those of HAProxy and cloud balancers stay below 4 KiB; client certificates need more. */
const V2_MOST = 16_384;
const LOCAL = 0;
const PROXY = 1;
const INET = 1;
const INET6 = 2;
const UNIX = 3;
const STREAM = 1;
const DGRAM = 2;
/** Bytes of the addresses and ports of a family. */
const V2_BLOCK = [0, 12, 36, 216];
const TLV_HEADER = 3;
const CRC32C = 3;

/**
 * The header that goes before a connection's bytes. Null, or what is no address: LOCAL or UNKNOWN, so that the receiver takes the connection's own.
 * Of two families, the IPv4 address goes inside IPv6, as HAProxy sends it.
 */
export function proxyHeader(version: 'V1' | 'V2', c: ProxiedAddresses | null): Buffer {
  const source = c === null ? null : parseAddress(c.sourceAddress);
  const destination = c === null ? null : parseAddress(c.destinationAddress);
  if (c === null || source === null || destination === null) {
    return version === 'V1'
      ? Buffer.from('PROXY UNKNOWN\r\n')
      : Buffer.concat([V2_SIGNATURE, Buffer.from([0x20, 0, 0, 0])]);
  }
  const v4 = source.length === 1 && destination.length === 1;
  const words = v4 ? [source, destination] : [widen(source), widen(destination)];
  return version === 'V1' ? writeV1(v4, words, c) : writeV2(v4, words, c);
}

/** Reads the bytes that a connection began with, all of them each time; never throws. */
export function readProxyHeader(bytes: Buffer): ProxyHeaderReading {
  if (bytes.length === 0) return MORE;
  if (bytes[0] === V2_SIGNATURE[0]) return begins(bytes, V2_SIGNATURE) ?? readV2(bytes);
  return begins(bytes, V1_BEGIN) ?? readV1(bytes);
}

/** Null: `bytes` begin with all of `signature`. */
function begins(bytes: Buffer, signature: Buffer): ProxyHeaderReading | null {
  const most = Math.min(bytes.length, signature.length);
  for (let i = 0; i < most; i++) if (bytes[i] !== signature[i]) return NONE;
  return most < signature.length ? MORE : null;
}

function readV1(bytes: Buffer): ProxyHeaderReading {
  const most = Math.min(bytes.length, V1_MOST);
  let end = V1_BEGIN.length;
  while (end < most && bytes[end] !== CR && bytes[end] !== LF) end++;
  if (end + 1 >= most) {
    if (most === V1_MOST) return broken('version 1: a line of more than 107 bytes');
    return bytes[end] === LF ? broken('version 1: a line feed alone') : MORE;
  }
  if (bytes[end] === LF) return broken('version 1: a line feed alone');
  if (bytes[end + 1] !== LF) return broken('version 1: a carriage return alone');
  const line = bytes.latin1Slice(0, end);
  const length = end + 2;
  // What stands behind UNKNOWN must be ignored.
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ')) return { kind: 'header', length, addresses: null };
  const match = V1_LINE.exec(line);
  if (match === null) return broken('version 1: not a line of the protocol');
  const [, source4, destination4, source6, destination6, sourcePort = '', destinationPort = ''] = match;
  const source = addressOf(source4, source6);
  const destination = addressOf(destination4, destination6);
  if (source === null || destination === null) return broken('version 1: not an address of its family');
  if (!isPort(sourcePort) || !isPort(destinationPort)) return broken('version 1: not a port');
  return header(length, source, Number(sourcePort), destination, Number(destinationPort));
}

function addressOf(v4: string | undefined, v6: string | undefined): Address | null {
  if (v4 !== undefined) return parseAddress(v4);
  return v6!.includes(':') ? parseAddress(v6!) : null;
}

const isPort = (text: string): boolean => V1_PORT.test(text) && Number(text) <= 65_535;

function readV2(bytes: Buffer): ProxyHeaderReading {
  if (bytes.length <= 12) return MORE;
  if (bytes[12]! >> 4 !== 2) return broken('version 2: another version');
  const command = bytes[12]! & 15;
  if (command !== LOCAL && command !== PROXY) return broken('version 2: an unknown command');
  if (bytes.length <= 13) return MORE;
  const family = bytes[13]! >> 4;
  const transport = bytes[13]! & 15;
  if (command === PROXY) {
    if (family > UNIX || transport > DGRAM) return broken('version 2: an unknown family');
    if (transport === DGRAM) return broken('version 2: datagrams on a connection');
  }
  if (bytes.length < V2_FIXED) return MORE;
  const block = bytes.readUInt16BE(14);
  if (block > V2_MOST) return broken('version 2: too long');
  const length = V2_FIXED + block;
  if (bytes.length < length) return MORE;
  // LOCAL: a health check of the proxy itself. Its block must be ignored, whatever it holds; so where UNSPEC's TLVs begin is not said.
  if (command === LOCAL || family === 0 || transport !== STREAM) return { kind: 'header', length, addresses: null };
  const tlvs = V2_FIXED + V2_BLOCK[family]!;
  if (tlvs > length) return broken('version 2: no room for the addresses');
  const problem = tlvProblem(bytes, tlvs, length);
  if (problem !== null) return problem;
  if (family === UNIX) return { kind: 'header', length, addresses: null };
  const size = family === INET ? 4 : 16;
  const ports = V2_FIXED + 2 * size;
  const source = readWords(bytes, V2_FIXED, size);
  const destination = readWords(bytes, V2_FIXED + size, size);
  return header(length, source, bytes.readUInt16BE(ports), destination, bytes.readUInt16BE(ports + 2));
}

/** What is wrong with the type-length-values from `p` to `end`: only their lengths and the checksum are looked at. */
function tlvProblem(bytes: Buffer, p: number, end: number): ProxyHeaderReading | null {
  let checksum = -1;
  while (p < end) {
    const value = p + TLV_HEADER;
    if (value > end) return broken('version 2: a TLV that does not fit');
    const length = bytes.readUInt16BE(p + 1);
    if (value + length > end) return broken('version 2: a TLV that does not fit');
    if (bytes[p] === CRC32C) {
      if (length !== 4 || checksum >= 0) return broken('version 2: not one checksum');
      checksum = value;
    }
    p = value + length;
  }
  if (checksum < 0) return null;
  // Made of the whole header with four zeros in its own place (section 2.2.3).
  const copy = Buffer.from(bytes.subarray(0, end));
  copy.writeUInt32BE(0, checksum);
  return crc32c(copy) === bytes.readUInt32BE(checksum) ? null : broken('version 2: a wrong checksum');
}

function header(
  length: number,
  source: Address,
  sourcePort: number,
  destination: Address,
  destinationPort: number,
): ProxyHeaderReading {
  const addresses = {
    sourceAddress: formatAddress(source),
    sourcePort,
    destinationAddress: formatAddress(destination),
    destinationPort,
  };
  return { kind: 'header', length, addresses };
}

function writeV1(v4: boolean, words: readonly Address[], c: ProxiedAddresses): Buffer {
  const [source, destination] = words.map(v4 ? formatV4 : formatV6);
  return Buffer.from(`PROXY ${v4 ? 'TCP4' : 'TCP6'} ${source} ${destination} ${c.sourcePort} ${c.destinationPort}\r\n`);
}

function writeV2(v4: boolean, words: readonly Address[], c: ProxiedAddresses): Buffer {
  const family = v4 ? INET : INET6;
  const bytes = Buffer.alloc(V2_FIXED + V2_BLOCK[family]!);
  let p = V2_SIGNATURE.copy(bytes);
  p = bytes.writeUInt8(0x20 | PROXY, p);
  p = bytes.writeUInt8((family << 4) | STREAM, p);
  p = bytes.writeUInt16BE(V2_BLOCK[family]!, p);
  for (const word of words.flat()) p = bytes.writeUInt32BE(word, p);
  p = bytes.writeUInt16BE(c.sourcePort, p);
  bytes.writeUInt16BE(c.destinationPort, p);
  return bytes;
}

const widen = (address: Address): Address => (address.length === 1 ? [0, 0, 0xffff, address[0]!] : address);

/** Words of the address of `size` bytes at `p`, as parseAddress gives them. */
function readWords(bytes: Buffer, p: number, size: number): Address {
  const words: number[] = [];
  for (let i = 0; i < size; i += 4) words.push(bytes.readUInt32BE(p + i));
  return words.length === 4 && words[0] === 0 && words[1] === 0 && words[2] === 0xffff ? [words[3]!] : words;
}
