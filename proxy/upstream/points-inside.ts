/** Which addresses a name from outside may not lead to: those of the mesh, of this machine, and of no single host at all. */
import { cidrPredicate, parseAddress, type Address } from '../core/cidr.ts';

/** What the answer is held against. */
export type InsideFacts = {
  /** The workload's own address; "": unknown. */
  readonly from: string;
  /** Who owns which address (`Discovery.workloads`). */
  readonly workloads: Readonly<Record<string, unknown>>;
};

/** What a caller is told of an answer that was not used. */
export const POINTS_INSIDE = 'DNS answer points inside the mesh';

/** Never the address of a server outside (RFC 6890, RFC 4291), whatever the mesh looks like. */
const nobodys = cidrPredicate([
  // "This host on this network": Linux takes 0.0.0.0 for loopback.
  '0.0.0.0/8',
  '::/128',
  // Link-local: the metadata services of clouds live here.
  '169.254.0.0/16',
  'fe80::/10',
  'fec0::/10',
  // Metadata services that do not: Alibaba Cloud's, and Amazon's in IPv6.
  '100.100.100.200',
  'fd00:ec2::254',
  // Multicast; reserved, of which Istio allots addresses to ServiceEntries; broadcast.
  '224.0.0.0/4',
  '240.0.0.0/4',
  'ff00::/8',
]);
const loopback = cidrPredicate(['127.0.0.0/8', '::1']);

/**
 * True for an address that a DNS answer for a name outside the mesh must not lead to (rebinding): unspecified, link-local, multicast,
 * broadcast, a workload's, this machine's own; loopback, unless the mesh itself lives there. IPv4 inside IPv6 is judged as IPv4. What
 * is no address at all is inside, too.
 */
export function pointsInside(address: string, facts: InsideFacts): boolean {
  const words = parseAddress(address);
  if (words === null) return true;
  const plain = textOf(embedded(words));
  if (nobodys(plain) || ownersOf(facts.workloads).has(plain)) return true;
  const local = loopback(facts.from);
  return loopback(plain) ? !local : !local && facts.from !== '' && plain === canonical(facts.from);
}

/** The IPv4 address that a gateway makes of `::a.b.c.d` (RFC 4291, deprecated), `64:ff9b::/96` (RFC 6052) or `2002::/16` (RFC 3056). */
function embedded(words: Address): Address {
  if (words.length === 1) return words;
  const [a = 0, b = 0, c = 0, d = 0] = words;
  const compatible = a === 0 && b === 0 && c === 0 && d > 1;
  if (compatible || (a === 0x64ff9b && b === 0 && c === 0)) return [d];
  return a >>> 16 === 0x2002 ? [(((a & 0xffff) << 16) | (b >>> 16)) >>> 0] : words;
}

/** One text for one address. */
function textOf(words: Address): string {
  if (words.length === 1) return [24, 16, 8, 0].map((shift) => (words[0]! >>> shift) & 255).join('.');
  return words.map((word) => `${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`).join(':');
}

function canonical(address: string): string {
  const words = parseAddress(address);
  return words === null ? address : textOf(words);
}

/** An address book is never changed, only replaced. */
const books = new WeakMap<InsideFacts['workloads'], ReadonlySet<string>>();

function ownersOf(workloads: InsideFacts['workloads']): ReadonlySet<string> {
  let owners = books.get(workloads);
  if (owners === undefined) books.set(workloads, (owners = new Set(Object.keys(workloads).map(canonical))));
  return owners;
}
