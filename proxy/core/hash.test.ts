import { describe, expect, test } from 'vitest';
import { hash64 } from './hash.ts';

describe('content hash', () => {
  test('is sixteen hex digits, whatever the text', () => {
    for (const text of ['', 'a', 'é', 'x'.repeat(100_000)]) expect(hash64(text)).toMatch(/^[0-9a-f]{16}$/);
  });

  test('is the same for the same text', () => {
    expect(hash64('reviews')).toBe(hash64(['rev', 'iews'].join('')));
  });

  test('tells 100,000 similar texts apart', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 100_000; i++)
      seen.add(hash64(`{"cluster":"outbound|9080|v1|s${i}.default.svc.cluster.local"}`));
    expect(seen.size).toBe(100_000);
  });

  test('minds the order of characters', () => {
    expect(hash64('ab')).not.toBe(hash64('ba'));
  });
});
