/**
 * Where a connection wanted to go before iptables redirected it here: `SO_ORIGINAL_DST` (linux/netfilter_ipv4.h) and
 * `IP6T_SO_ORIGINAL_DST` (linux/netfilter_ipv6/ip6_tables.h), which Node has no function for. By `node:ffi`, or by koffi.
 */
import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import type { Socket } from 'node:net';
import { descriptorOf, quietly } from './descriptors.ts';

/** The original destination. */
export type Destination = { readonly address: string; readonly port: number };

/**
 * Asks the kernel. Null: the connection was made to the very address it was accepted on, the kernel does not know it, or it is
 * closed already. IPv4-mapped addresses come as plain IPv4. One and a half microseconds, two and a half for IPv6.
 */
export type OriginalDst = (socket: Socket) => Destination | null;

/** `getsockopt(2)`: 0, or -1. The last two point to the value and its length. */
type GetSockOpt = (descriptor: number, level: number, option: number) => number;

let loaded: OriginalDst | null | undefined;

/** Null where it cannot be done: another system than Linux, or neither `node:ffi` nor koffi. Loads it once. */
export const loadOriginalDst = (): OriginalDst | null => (loaded === undefined ? (loaded = load()) : loaded);

const SOL_IP = 0;
const SOL_IPV6 = 41;
/** The same number in both families. */
const SO_ORIGINAL_DST = 80;
/** sizeof(struct sockaddr_in6); sockaddr_in has 16 bytes of them. */
const SIZE = 28;

function load(): OriginalDst | null {
  if (process.platform !== 'linux' || endianness() !== 'LE') return null;
  const value = Buffer.alloc(SIZE);
  const length = Buffer.alloc(4);
  const getsockopt = byNode(value, length) ?? byKoffi(value, length);
  return getsockopt === null ? null : (socket) => destination(socket, getsockopt, value, length);
}

function destination(socket: Socket, getsockopt: GetSockOpt, value: Buffer, length: Buffer): Destination | null {
  const descriptor = descriptorOf(socket);
  const { localAddress } = socket;
  if (descriptor < 0 || localAddress === undefined) return null;
  length[0] = SIZE;
  // An IPv4 connection that a socket of both families has accepted is one of IPv4 to the kernel's connection tracking.
  const four = localAddress.includes('.');
  if (getsockopt(descriptor, four ? SOL_IP : SOL_IPV6, SO_ORIGINAL_DST) !== 0) return null;
  const port = (value[2]! << 8) | value[3]!;
  const address = four ? ipv4(value, 4) : ipv6(value, 8);
  // With redirect rules in place the kernel tracks, and answers for, connections that no rule has touched.
  if (port === socket.localPort && (address === localAddress || `::ffff:${address}` === localAddress)) return null;
  return { address, port };
}

function byNode(value: Buffer, length: Buffer): GetSockOpt | null {
  const ffi = quietly(() => process.getBuiltinModule('node:ffi') as typeof import('node:ffi') | undefined);
  if (ffi === undefined) return null;
  try {
    const { functions } = ffi.dlopen(null, {
      getsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'], return: 'i32' },
    });
    const [at, size] = [ffi.getRawPointer(value), ffi.getRawPointer(length)];
    return (descriptor, level, option) => functions.getsockopt(descriptor, level, option, at, size);
  } catch {
    return null;
  }
}

function byKoffi(value: Buffer, length: Buffer): GetSockOpt | null {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const getsockopt = koffi.load(null).func('int getsockopt(int, int, int, void *, void *)');
    return (descriptor, level, option) => getsockopt(descriptor, level, option, value, length) as number;
  } catch {
    return null;
  }
}

const ipv4 = (from: Buffer, at: number): string => `${from[at]!}.${from[at + 1]!}.${from[at + 2]!}.${from[at + 3]!}`;

/** As RFC 5952 writes it, which is how Node writes the addresses of sockets. */
function ipv6(from: Buffer, at: number): string {
  const words = Array.from({ length: 8 }, (_, i) => (from[at + 2 * i]! << 8) | from[at + 2 * i + 1]!);
  if (words[5] === 0xffff && words.every((word, i) => i >= 5 || word === 0)) return ipv4(from, at + 12);
  // The longest run of two zeros or more, the first one of equals (section 4.2).
  let [start, size] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (words[i + run] === 0) run++;
    if (run > size) [start, size] = [i, run];
  }
  const hex = (part: readonly number[]): string => part.map((word) => word.toString(16)).join(':');
  return start < 0 ? hex(words) : `${hex(words.slice(0, start))}::${hex(words.slice(start + size))}`;
}
