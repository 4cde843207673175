/**
 * Passes open sockets to another process over a Unix socket (`SCM_RIGHTS`, unix(7), cmsg(3)): what Node has no function for. By
 * `node:ffi`, which is experimental: where it is missing, nothing is passed, and who asks binds its own.
 */
import type { Socket } from 'node:net';

export type Descriptors = {
  /** Sends `text` with these descriptors of ours. False: the peer does not take it. At most {@link MOST} descriptors. */
  send(to: Socket, text: string, descriptors: readonly number[]): boolean;
  /** What has come; null: nothing yet. The socket must be paused; the descriptors are ours to close. */
  receive(from: Socket): { readonly text: string; readonly descriptors: number[] } | null;
  /** One more descriptor of the same socket, for another thread to close when it likes; -1: there is no such descriptor. */
  duplicate(descriptor: number): number;
};

/** The kernel takes 253 in one message (`SCM_MAX_FD`). */
export const MOST = 253;

let loaded: Descriptors | null | undefined;

/** Null where it cannot be done: another system than Linux on x64 or arm64, or a Node without `node:ffi`. Loads it once. */
export const loadDescriptors = (): Descriptors | null => (loaded === undefined ? (loaded = load()) : loaded);

function load(): Descriptors | null {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return null;
  const ffi = quietly(() => process.getBuiltinModule('node:ffi') as typeof import('node:ffi') | undefined);
  if (ffi === undefined) return null;
  try {
    return bind(ffi);
  } catch {
    return null;
  }
}

// One block of memory, at these places: struct msghdr, struct iovec, the control message, the text.
const IOV = 64;
const CONTROL = 128;
const CONTROL_HEAD = 16;
const CONTROL_SIZE = CONTROL_HEAD + 4 * MOST + 4;
const TEXT = CONTROL + CONTROL_SIZE + 8;
const TEXT_SIZE = 32_768;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const F_DUPFD_CLOEXEC = 1030;

function bind(ffi: typeof import('node:ffi')): Descriptors {
  const signature = { arguments: ['i32', 'pointer', 'i32'], return: 'i64' } as const;
  const { functions } = ffi.dlopen(null, {
    sendmsg: signature,
    recvmsg: signature,
    fcntl: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  });
  const block = Buffer.alloc(TEXT + TEXT_SIZE);
  const base = ffi.getRawPointer(block);
  const message = (textBytes: number, controlBytes: number): bigint => {
    block.fill(0, 0, CONTROL + CONTROL_HEAD);
    block.writeBigUInt64LE(base + BigInt(IOV), 16);
    block.writeBigUInt64LE(1n, 24);
    if (controlBytes > 0) block.writeBigUInt64LE(base + BigInt(CONTROL), 32);
    block.writeBigUInt64LE(BigInt(controlBytes), 40);
    block.writeBigUInt64LE(base + BigInt(TEXT), IOV);
    block.writeBigUInt64LE(BigInt(textBytes), IOV + 8);
    return base;
  };
  return {
    send(to, text, descriptors) {
      const length = block.write(text, TEXT);
      const control = descriptors.length === 0 ? 0 : CONTROL_HEAD + 4 * descriptors.length;
      // CMSG_SPACE rounds up to eight bytes.
      const at = message(length, (control + 7) & ~7);
      block.writeBigUInt64LE(BigInt(control), CONTROL);
      block.writeInt32LE(SOL_SOCKET, CONTROL + 8);
      block.writeInt32LE(SCM_RIGHTS, CONTROL + 12);
      for (const [i, fd] of descriptors.entries()) block.writeInt32LE(fd, CONTROL + CONTROL_HEAD + 4 * i);
      return Number(functions.sendmsg(descriptorOf(to), at, MSG_DONTWAIT | MSG_NOSIGNAL)) === length;
    },
    receive(from) {
      const at = message(TEXT_SIZE, CONTROL_SIZE);
      const length = Number(functions.recvmsg(descriptorOf(from), at, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
      if (length <= 0) return null;
      const control = Number(block.readBigUInt64LE(40)) === 0 ? 0 : Number(block.readBigUInt64LE(CONTROL));
      const descriptors: number[] = [];
      for (let i = CONTROL_HEAD; i + 4 <= control; i += 4) descriptors.push(block.readInt32LE(CONTROL + i));
      return { text: block.toString('utf8', TEXT, TEXT + length), descriptors };
    },
    duplicate: (descriptor) => functions.fcntl(descriptor, F_DUPFD_CLOEXEC, 0),
  };
}

/** The file descriptor of a socket or server of Node, -1 when it has none; Node keeps it in no public place. */
export const descriptorOf = (socket: object): number =>
  (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;

/** Without the warning that something is experimental: it is known, and stderr is for JSON. */
export function quietly<T>(load: () => T): T {
  // oxlint-disable-next-line typescript/unbound-method -- it is put back as it was
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
