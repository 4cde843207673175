/** How connections begin: hellos of TLS beside Node's server, PROXY headers beside a plain reading of them, first bytes; in pieces as in one. */
import { isIPv4, isIPv6 } from 'node:net';
import { readClientHello, type HelloReading } from '#proxy/wire/client-hello.ts';
import { speaks } from '#proxy/wire/first-bytes.ts';
import { proxyHeader, readProxyHeader, type ProxyHeaderReading } from '#proxy/wire/proxy-protocol.ts';
import {
  alpn,
  latin1,
  message,
  nameEntry,
  nodeHello,
  nodeReads,
  partsOf,
  records,
  serverNames,
  withExtensions,
} from '../kit/client-hello.ts';
import type { Dice } from './dice.ts';
import { fine, found, type Case, type Lane, type Verdict } from './lane.ts';
import { cut, mutate } from './mutate.ts';

/** Before TLS 1.3, whose key shares are new each time: the same seed shall draw the same bytes. */
const PARTS = {
  ...partsOf(nodeHello({ maxVersion: 'TLSv1.2', servername: 'a.example' })),
  random: Buffer.alloc(32, 7),
  sessionId: Buffer.alloc(0),
};
const NAMES = [
  'a.example',
  'A.Example',
  'a.example.',
  'a_b',
  '10.0.0.1',
  '*.a',
  'a..b',
  'a\0b',
  '\xe4.b',
  'a'.repeat(256),
];
const SIZES = [1, 3, 4, 9, 60, 500, 16_384];
/** Why we refuse what Node's server takes: no client may send it, or it is longer than Envoy reads. */
const STRICTER = [
  'an empty record',
  'an empty server name',
  'a version before TLS',
  'the hello is too long',
  'too many records',
  // Node takes it before TLS 1.3 only.
  'bytes follow the hello in its record',
];

function drawHello(dice: Dice): Buffer {
  const count = dice.weighted([
    [1, 0],
    [8, 1],
    [1, 2],
  ]);
  const entries = Array.from({ length: count }, () => nameEntry(dice.pick(NAMES), dice.chance(4) ? dice.int(256) : 0));
  const parts = withExtensions(
    PARTS,
    ...(dice.chance(90) ? [serverNames(...entries)] : []),
    ...(dice.chance(30) ? [alpn(...['h2', 'http/1.1', 'istio'].slice(dice.int(4)))] : []),
    ...(dice.chance(20) ? [[0xffaa, Buffer.alloc(dice.int(17_000))] as const] : []),
    ...(dice.chance(4) ? [serverNames(nameEntry('b.example'))] : []),
  );
  return records(message(parts), dice.pick(SIZES));
}

function drawHeader(dice: Dice): Buffer {
  const four = (): string => Array.from({ length: 4 }, () => dice.pick([0, 1, 10, 255, dice.int(300)])).join('.');
  const six = (): string => dice.pick(['::1', '2001:db8::7', '::ffff:10.0.0.1', 'fe80::1%a', '1:2:3:4:5:6:7:8', '::']);
  const address = dice.chance(60) ? four : six;
  const port = (): number => dice.pick([0, 80, 65_535, dice.int(70_000)]);
  if (dice.chance(40))
    return latin1(`PROXY TCP${address === four ? 4 : 6} ${address()} ${address()} ${port()} ${port()}\r\n`);
  const ends = {
    sourceAddress: address(),
    sourcePort: port() & 0xffff,
    destinationAddress: address(),
    destinationPort: 1,
  };
  const bytes = proxyHeader(dice.chance(30) ? 'V1' : 'V2', dice.chance(90) ? ends : null);
  return bytes[0] === 80 ? bytes : withTlvs(dice, bytes);
}

function withTlvs(dice: Dice, bytes: Buffer): Buffer {
  const tlvs = Array.from({ length: dice.int(3) }, () => {
    const size = dice.int(9);
    return Buffer.from([dice.pick([3, 4, 0xe0]), 0, dice.chance(90) ? size : dice.int(256), ...Buffer.alloc(size)]);
  });
  const all = Buffer.concat([bytes, ...tlvs]);
  all.writeUInt16BE(all.length - 16, 14);
  return all;
}

const TEXTS = [
  'GET / HTTP/1.1\r\n',
  'PURGE /a HTTP/1.1\r\n',
  'get key\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\x16\x03\x01\x02',
  'SSH-2.0-x\r\n',
];

/** Bytes changed: set, taken out, put in; numbers by one more or less, as lengths lie. */
function spoil(dice: Dice, bytes: Buffer): Buffer {
  const at = dice.int(dice.chance(50) ? Math.min(bytes.length, 160) : bytes.length);
  const set = (value: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at] = value;
    return copy;
  };
  return dice.weighted<() => Buffer>([
    [4, () => set(bytes[at]! + (dice.chance(50) ? 1 : -1))],
    [2, () => set(dice.pick([0, 1, 3, 22, 255, dice.int(256)]))],
    [1, () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + dice.int(4))])],
    [1, () => Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + dice.int(4), dice.int(256)), bytes.subarray(at)])],
    [1, () => bytes.subarray(0, at)],
  ])();
}

function make(dice: Dice): Case {
  const kind = dice.weighted([
    [6, 'hello'],
    [3, 'header'],
    [2, 'text'],
  ]);
  let bytes = kind === 'hello' ? drawHello(dice) : kind === 'header' ? drawHeader(dice) : latin1(dice.pick(TEXTS));
  for (let left = dice.int(4); left > 0 && bytes.length > 0; left--) {
    bytes = kind === 'text' ? latin1(mutate(dice, bytes.latin1Slice(), 1)) : spoil(dice, bytes);
  }
  if (dice.chance(30)) bytes = Buffer.concat([bytes, latin1('what follows')]);
  return { segments: cut(dice, bytes.latin1Slice()), kind };
}

/** The reading of all bytes; throws when it depends on how they were cut. */
function inPieces<T extends { readonly kind: string }>(read: (bytes: Buffer) => T, segments: readonly string[]): T {
  const whole = latin1(segments.join(''));
  const reading = read(whole);
  const meant = JSON.stringify(reading);
  const ends = new Set(whole.length < 400 ? Array.from(whole.keys()) : []);
  let end = 0;
  for (const segment of segments) ends.add((end += segment.length));
  let told = false;
  for (const cut of [...ends].sort((a, b) => a - b)) {
    const part = read(whole.subarray(0, cut));
    told ||= part.kind !== 'more';
    if (told && JSON.stringify(part) !== meant)
      throw new Error(`${JSON.stringify(part)} of ${cut} bytes, ${meant} of all`);
  }
  return reading;
}

async function helloFault(bytes: Buffer, ours: HelloReading): Promise<string | null> {
  if (bytes.length > 1 && (speaks(bytes) === 'tls') !== (ours.kind !== 'not-tls'))
    return `first bytes say ${speaks(bytes)}`;
  const node = await nodeReads(bytes);
  // What Node refuses besides (no common version, an extension it does not like) is no matter of names.
  if (node === null || 'alert' in node) return null;
  if (ours.kind === 'broken')
    return STRICTER.includes(ours.why) ? null : `Node reads "${node.name}", ours: ${ours.why}`;
  if (ours.kind !== 'hello') return `Node reads "${node.name}", ours: ${ours.kind}`;
  const name = node.name.toLowerCase().replace(/\.$/, '');
  const meant = /^(?=.*[a-z_-])(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(name) ? name : '';
  return ours.serverName === meant ? null : `Node reads "${node.name}", ours "${ours.serverName}"`;
}

function headerFault(bytes: Buffer, ours: ProxyHeaderReading): string | null {
  if (ours.kind === 'header' && ours.length > bytes.length) return 'longer than what is here';
  const v2 = bytes[0] === 13;
  const addresses = ours.kind === 'header' ? ours.addresses : null;
  if (addresses !== null) {
    const again = readProxyHeader(proxyHeader(v2 ? 'V2' : 'V1', addresses));
    if (again.kind !== 'header' || JSON.stringify(again.addresses) !== JSON.stringify(addresses))
      return 'not the same again';
  }
  if (v2) return null;
  const line = /^PROXY ([^\r\n]*)\r\n/.exec(bytes.subarray(0, 107).latin1Slice())?.[1];
  const meant = line !== undefined && (/^UNKNOWN(?: |$)/.test(line) || plainLine(line.split(' ')));
  return meant === (ours.kind === 'header') ? null : `read as ${ours.kind}`;
}

function plainLine(words: readonly string[]): boolean {
  const [family, source = '', destination = '', ...ports] = words;
  const is =
    family === 'TCP4'
      ? isIPv4
      : family === 'TCP6'
        ? (text: string) => isIPv6(text) && !text.includes('%')
        : () => false;
  return is(source) && is(destination) && ports.length === 2 && ports.every((p) => String(Number(p) & 0xffff) === p);
}

async function run({ segments, kind }: Case): Promise<Verdict> {
  const bytes = latin1(segments.join(''));
  try {
    inPieces((part) => ({ kind: speaks(part) }), segments);
    if (kind === 'text') return fine(`text ${speaks(bytes)}`);
    const ours = inPieces<HelloReading | ProxyHeaderReading>(
      kind === 'hello' ? readClientHello : readProxyHeader,
      segments,
    );
    const fault =
      kind === 'hello' ? await helloFault(bytes, ours as HelloReading) : headerFault(bytes, ours as ProxyHeaderReading);
    const seen = `${String(kind)} ${ours.kind === 'broken' ? ours.why : ours.kind}`;
    return fault === null ? fine(seen) : found(seen, `${String(kind)} read otherwise`, fault);
  } catch (cause) {
    return found(`${String(kind)} differs`, `${String(kind)} differs by its pieces`, (cause as Error).message);
  }
}

export function openingLane(): Lane {
  return { name: 'openings', weight: 8, make, run, async [Symbol.asyncDispose]() {} };
}
