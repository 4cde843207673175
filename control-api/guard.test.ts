import { describe, expect, test } from 'vitest';
import { refusal } from './guard.ts';

describe('guard', () => {
  for (const { it, heads, changes = false, says = null } of [
    { it: 'lets localhost in', heads: { host: 'localhost:8001' } },
    { it: 'lets loopback addresses in', heads: { host: '127.70.3.1:8001' } },
    { it: 'lets IPv6 loopback in', heads: { host: '[::1]:8001' } },
    { it: 'lets a name in that was allowed', heads: { host: 'Lateen.test:80' } },
    {
      it: 'refuses a name that was rebound to this address',
      heads: { host: 'evil.example:8001' },
      says: /evil\.example/,
    },
    {
      it: 'refuses a name that only begins like a loopback address',
      heads: { host: '127.0.0.1.evil.example' },
      says: /evil/,
    },
    { it: 'refuses a request without a host', heads: {}, says: /""/ },
    { it: 'lets kubectl change things: it sends no origin', heads: { host: 'localhost:8001' }, changes: true },
    {
      it: 'lets its own pages change things',
      heads: { host: 'localhost:8001', origin: 'http://localhost:8001' },
      changes: true,
    },
    {
      it: 'refuses changes from another origin',
      heads: { host: 'localhost:8001', origin: 'http://evil.example' },
      changes: true,
      says: /another origin/,
    },
    {
      it: 'refuses changes from another port of this machine',
      heads: { host: 'localhost:8001', origin: 'http://localhost:9080' },
      changes: true,
      says: /another origin/,
    },
    {
      it: 'refuses changes from a sandboxed page',
      heads: { host: 'localhost:8001', origin: 'null' },
      changes: true,
      says: /another origin/,
    },
    {
      it: 'lets another origin read: it cannot see the answer without CORS',
      heads: { host: 'localhost:8001', origin: 'http://evil.example' },
    },
  ] as { it: string; heads: object; changes?: boolean; says?: RegExp | null }[]) {
    test(it, () => {
      const error = refusal(heads, changes, ['lateen.test']);
      if (says === null) expect(error).toBeNull();
      else expect(error?.message).toMatch(says);
    });
  }
});
