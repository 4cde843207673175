/** IP ranges (`10.0.0.0/8`, `2001:db8::/32`, one address) as a predicate of addresses. Strict: no octal, hex or short forms. */

/** An address as whole 32-bit words: one for IPv4, four for IPv6. IPv4 inside IPv6 (`::ffff:10.0.0.1`) is IPv4. */
export type Address = readonly number[];

export type Range = { readonly words: Address; readonly masks: readonly number[] };

/** Null when it is neither an address nor a range. Bits behind the mask are allowed and ignored, as in Envoy. */
export function parseCidr(text: string): Range | null {
  const slash = text.indexOf('/');
  const words = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (words === null) return null;
  const most = words.length * 32;
  let length = most;
  if (slash >= 0) {
    const digits = text.slice(slash + 1);
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(digits)) return null;
    // `::ffff:10.0.0.0/104` speaks of IPv4: the first 96 bits are the mapping.
    length = words.length === 1 && text.includes(':') ? Number(digits) - 96 : Number(digits);
    if (length < 0 || length > most) return null;
  }
  const masks = words.map((_, i) => maskOf(length - i * 32));
  return { words: words.map((word, i) => (word & masks[i]!) >>> 0), masks };
}

/** Null when it is no IP address. A zone (`fe80::1%eth0`) is dropped. */
export function parseAddress(text: string): Address | null {
  if (!text.includes(':')) {
    const v4 = parseV4(text);
    return v4 < 0 ? null : [v4];
  }
  return parseV6(text);
}

/** Holds for addresses inside any of the ranges; what cannot be parsed, as range or as address, is inside nothing. */
export function cidrPredicate(ranges: readonly string[]): (address: string) => boolean {
  const parsed = ranges.map(parseCidr).filter((range) => range !== null);
  const v4 = parsed.filter((range) => range.words.length === 1);
  const v6 = parsed.filter((range) => range.words.length === 4);
  // Flat and typed: the IPv4 case allocates nothing.
  const words = Uint32Array.from(v4, (range) => range.words[0]!);
  const masks = Uint32Array.from(v4, (range) => range.masks[0]!);
  return (address) => {
    if (address.includes(':')) {
      const wide = parseV6(address);
      if (wide === null) return false;
      return wide.length === 1 ? inside(wide[0]!) : v6.some((range) => within(wide, range));
    }
    const word = parseV4(address);
    return word >= 0 && inside(word);
  };

  function inside(word: number): boolean {
    for (let i = 0; i < words.length; i++) if ((word & masks[i]!) >>> 0 === words[i]) return true;
    return false;
  }
}

function within(words: Address, range: Range): boolean {
  return range.words.every((word, i) => (words[i]! & range.masks[i]!) >>> 0 === word);
}

const maskOf = (bits: number): number => (bits <= 0 ? 0 : bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0);

/** The address as an unsigned 32-bit number, or -1. */
function parseV4(text: string): number {
  let address = 0;
  let octet = -1;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit >= 0 && digit <= 9) {
      // A leading zero would be octal to some.
      if (octet === 0) return -1;
      octet = octet < 0 ? digit : octet * 10 + digit;
      if (octet > 255) return -1;
    } else if (digit === -2 && octet >= 0 && dots < 3) {
      address = address * 256 + octet;
      octet = -1;
      dots++;
    } else return -1;
  }
  return dots === 3 && octet >= 0 ? address * 256 + octet : -1;
}

function parseV6(text: string): Address | null {
  const zone = text.indexOf('%');
  const bare = zone < 0 ? text : text.slice(0, zone);
  if (bare.length > 45) return null;
  const halves = bare.split('::');
  if (halves.length > 2) return null;
  const head = groupsOf(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1]!, true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail];
  const words = [0, 2, 4, 6].map((i) => groups[i]! * 0x10000 + groups[i + 1]!);
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff ? [words[3]!] : words;
}

/** 16-bit groups of one side of `::`; the last may be an IPv4 address when it ends the whole. */
function groupsOf(text: string, atEnd: boolean): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const v4 = atEnd && i === parts.length - 1 ? parseV4(part) : -1;
    if (v4 < 0) return null;
    groups.push(Math.floor(v4 / 0x10000), v4 % 0x10000);
  }
  return groups;
}

/**
 * Of a socket, as it is written elsewhere: an IPv4 address that came through a dual-stack socket is an IPv4 address, and the zone of a
 * link-local one is the name of an interface here.
 */
export function plainAddress(address: string): string {
  if (address.startsWith('::ffff:')) return address.slice(7);
  return address.startsWith('fe80:') ? address.replace(/%.*$/, '') : address;
}

/** As sockets write it: what `parseAddress` has read, in the one way that there is. */
export const formatAddress = (address: Address): string =>
  address.length === 1 ? formatV4(address) : formatV6(address);

export function formatV4([word = 0]: Address): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** RFC 5952: lower case, the first longest run of two or more zero groups as `::`. */
export function formatV6(address: Address): string {
  const groups = address.flatMap((word) => [word >>> 16, word & 0xffff]);
  let from = -1;
  let longest = 1;
  for (let i = 0; i < groups.length; i++) {
    let run = 0;
    while (groups[i + run] === 0) run++;
    if (run > longest) [from, longest] = [i, run];
  }
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return from < 0 ? hex(groups) : `${hex(groups.slice(0, from))}::${hex(groups.slice(from + longest))}`;
}
