/** IP ranges as blocks of whole numbers, and what is left of all addresses without them. */
import ipaddr from 'ipaddr.js';
import { ipOrCidr } from './format.ts';

/** The addresses from `first` on whose bits behind the first `length` are free. */
export type Range = { readonly first: bigint; readonly length: number; readonly bits: 32 | 128 };

/** An address or a CIDR range; bits behind the mask are dropped. Null: it is neither. */
export function parseRange(text: string): Range | null {
  if (ipOrCidr(text) !== null) return null;
  const [address = '', digits] = text.split('/');
  const bytes = ipaddr.parse(address).toByteArray();
  const bits = bytes.length === 4 ? 32 : 128;
  const length = digits === undefined ? bits : Number(digits);
  const free = BigInt(bits - length);
  const first = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return { first: (first >> free) << free, length, bits };
}

/** Every address, of both families, that is in none of the ranges: the fewest CIDR ranges that say so, in order. */
export function bypassed(ranges: readonly Range[]): string[] {
  return ([32, 128] as const).flatMap((bits) => {
    const blocks = ranges.filter((range) => range.bits === bits);
    return outside({ first: 0n, length: 0, bits }, blocks).map(textOf);
  });
}

/** `whole` without the blocks. Two ranges are apart, or one is inside the other. */
function outside(whole: Range, blocks: readonly Range[]): Range[] {
  const inside = blocks.filter((block) => overlap(whole, block));
  if (inside.length === 0) return [whole];
  if (inside.some((block) => block.length <= whole.length)) return [];
  const { bits } = whole;
  const length = whole.length + 1;
  const upper = whole.first + (1n << BigInt(bits - length));
  return [whole.first, upper].flatMap((first) => outside({ first, length, bits }, inside));
}

function overlap(a: Range, b: Range): boolean {
  const free = BigInt(a.bits - Math.min(a.length, b.length));
  return a.first >> free === b.first >> free;
}

function textOf({ first, length, bits }: Range): string {
  const bytes = Array.from({ length: bits / 8 }, (_, i) => Number((first >> BigInt(bits - 8 - i * 8)) & 255n));
  return `${ipaddr.fromByteArray(bytes).toString()}/${length}`;
}
