/** A small, fast content hash: 64 bits as 16 hex digits. Tells contents apart; not for secrets. */

/**
 * Two 32-bit multiplicative lanes that are mixed into each other at the end (the construction known as cyrb53, kept at its
 * full 64 bits). Equal texts have equal hashes on every machine.
 */
export function hash64(text: string): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 2_654_435_761);
    b = Math.imul(b ^ c, 1_597_334_677);
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return hex(b) + hex(a);
}

const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, '0');
