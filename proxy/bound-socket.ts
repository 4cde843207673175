/**
 * Connections from one of several addresses of this machine. Node binds such a socket before it knows where it goes, so each holds a
 * port for itself, a minute longer than it lives: after 28,000 connections there is none left, and long before the kernel searches
 * longer for one than all the rest takes. With IP_BIND_ADDRESS_NO_PORT (ip(7)) the port is chosen when the socket connects, and
 * serves once for each destination, as with sockets that are not bound. Envoy sets it, too. By `node:ffi`.
 */
import { closeSync } from 'node:fs';
import { Socket, type TcpNetConnectOpts } from 'node:net';
import { endianness } from 'node:os';
import { parseAddress } from './core/cidr.ts';
import { quietly } from './listener/descriptors.ts';
import type { ConnectFrom } from './upstream/connect.ts';

const AF_INET = 2;
const AF_INET6 = 10;
/** SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC */
const STREAM = 0o2004001;
const SOL_IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const SOCKADDR_IN = 16;
const SOCKADDR_IN6 = 28;

/** Null where it cannot be done: another system than Linux, or a Node without `node:ffi`. */
export function loadConnectFrom(): ConnectFrom | null {
  if (process.platform !== 'linux' || endianness() !== 'LE') return null;
  const ffi = quietly(() => process.getBuiltinModule('node:ffi') as typeof import('node:ffi') | undefined);
  if (ffi === undefined) return null;
  try {
    return load(ffi);
  } catch {
    return null;
  }
}

function load(ffi: typeof import('node:ffi')): ConnectFrom {
  const { functions } = ffi.dlopen(null, {
    socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
    setsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'], return: 'i32' },
    bind: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  });
  const yes = Buffer.from([1, 0, 0, 0]);
  const place = Buffer.alloc(SOCKADDR_IN6);
  const [yesAt, placeAt] = [ffi.getRawPointer(yes), ffi.getRawPointer(place)];

  /** A descriptor, or -1. */
  function open(local: string): number {
    const words = parseAddress(local);
    if (words === null) return -1;
    const four = words.length === 1;
    place.fill(0);
    place.writeUInt16LE(four ? AF_INET : AF_INET6, 0);
    for (const [i, word] of words.entries()) place.writeUInt32BE(word, (four ? 4 : 8) + 4 * i);
    const fd = functions.socket(four ? AF_INET : AF_INET6, STREAM, 0);
    if (fd < 0) return -1;
    functions.setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, yesAt, 4);
    if (functions.bind(fd, placeAt, four ? SOCKADDR_IN : SOCKADDR_IN6) === 0) return fd;
    closeSync(fd);
    return -1;
  }

  return (local: string, options: TcpNetConnectOpts) => {
    const fd = open(local);
    // Node says what is wrong when it tries the same.
    if (fd < 0) return null;
    const { allowHalfOpen = false, onread } = options;
    // It must not read before it is connected.
    const own = { fd, readable: true, writable: true, manualStart: true, allowHalfOpen };
    const socket = new Socket({ ...own, ...(onread === undefined ? {} : { onread }) });
    return socket.connect(options);
  };
}
