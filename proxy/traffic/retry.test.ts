import { describe, expect, test } from 'vitest';
import { ms } from '../core/brand.ts';
import { Exchange } from '../live/exchange.ts';
import type { RetryPolicy } from '../snapshot/route.ts';
import { isRetriable, retryDelay, type TryOutcome } from './retry.ts';
import { requestTimeout } from './timeout.ts';

const base: RetryPolicy = { attempts: 2, perTryTimeout: null, on: ['5xx'], statusCodes: [], backoff: ms(25) };
/** Istio's default conditions. */
const usual = ['connect-failure', 'refused-stream', 'unavailable', 'cancelled', 'retriable-status-codes'];

const connect: TryOutcome = { kind: 'connect-failure' };
const reset: TryOutcome = { kind: 'reset', gotBytes: false, sent: true };
const unsent: TryOutcome = { kind: 'reset', gotBytes: false, sent: false };
const slow: TryOutcome = { kind: 'per-try-timeout' };
const status = (code: number, ...headers: string[]): TryOutcome => ({ kind: 'response', status: code, headers });

describe('what is worth another try', () => {
  for (const [on, yes, no] of [
    [
      usual,
      [connect, status(200, 'Grpc-Status', '14'), status(200, 'grpc-status', '1')],
      [reset, unsent, slow, status(503), status(200), status(200, 'grpc-status', '0')],
    ],
    [
      ['5xx'],
      [connect, reset, unsent, slow, status(500), status(503), status(599)],
      [status(499), status(409), status(200)],
    ],
    [
      ['gateway-error'],
      [connect, reset, slow, status(502), status(503), status(504)],
      [status(500), status(501), status(505)],
    ],
    [['reset'], [connect, reset, unsent, slow], [status(503)]],
    [['connect-failure'], [connect], [reset, unsent, slow, status(503)]],
    [['reset-before-request'], [connect, unsent], [reset, slow, status(503)]],
    [['retriable-4xx'], [status(409)], [status(400), status(429), reset]],
    [['retriable-status-codes'], [status(418)], [status(503), reset]],
    [['envoy-ratelimited'], [status(429, 'x-envoy-ratelimited', 'true')], [status(429)]],
    [['5xx', 'retriable-status-codes'], [status(418)], [status(503, 'x-envoy-ratelimited', 'true')]],
    [
      ['deadline-exceeded', 'resource-exhausted', 'internal'],
      ['4', '8', '13'].map((code) => status(200, 'grpc-status', code)),
      [status(200, 'grpc-status', '14')],
    ],
    [[], [], [connect, reset, slow, status(503)]],
    [['constructor', '__proto__'], [], [connect, status(503, 'grpc-status', 'undefined')]],
  ] satisfies [string[], TryOutcome[], TryOutcome[]][]) {
    test(on.join(', ') || 'nothing', () => {
      const policy = { ...base, on, statusCodes: [418] };
      expect(yes.filter((outcome) => !isRetriable(policy, outcome))).toEqual([]);
      expect(no.filter((outcome) => isRetriable(policy, outcome))).toEqual([]);
    });
  }

  test('codes count only under retriable-status-codes', () => {
    expect(isRetriable({ ...base, on: ['reset'], statusCodes: [503] }, status(503))).toBe(false);
  });
});

describe('how often, and after how long', () => {
  test('no more tries than the policy has', () => {
    const granted = [1, 2, 3, 4].map((tries) => retryDelay(base, status(503), tries, () => 0) !== null);
    expect(granted).toEqual([true, true, false, false]);
    expect(retryDelay({ ...base, attempts: 0 }, status(503), 1, () => 0)).toBeNull();
  });

  test('the wait doubles, jittered over its whole length, up to ten times the base', () => {
    const policy = { ...base, attempts: 100 };
    const longest = [1, 2, 3, 4, 5, 50].map((tries) => retryDelay(policy, status(503), tries, () => 1));
    expect(longest).toEqual([25, 75, 175, 250, 250, 250]);
    expect(retryDelay(policy, status(503), 3, () => 0)).toBe(0);
    expect(retryDelay(policy, status(503), 2, () => 0.5)).toBe(37.5);
  });
});

describe('the time a request may take', () => {
  for (const [route, grpc, header, limit] of [
    [null, false, '1S', null],
    [5000, false, '1S', 5000],
    [null, true, '1S', 1000],
    [5000, true, '10S', 5000],
    [5000, true, '100m', 100],
    [null, true, '1H', 3_600_000],
    [null, true, '2M', 120_000],
    [null, true, '5u', 1],
    [null, true, '0n', 1],
    [700, true, '123456789S', 700],
    [null, true, 'soon', null],
    [null, true, null, null],
  ] as const) {
    test(`route ${route ?? 'unlimited'}, ${grpc ? 'gRPC' : 'HTTP'} with grpc-timeout ${header}: ${limit ?? 'unlimited'}`, () => {
      const x = new Exchange(
        {
          id: 1,
          remoteAddress: '',
          remotePort: 0,
          localAddress: '',
          localPort: 0,
          redirected: false,
          peer: null,
          serverName: '',
        },
        'outbound',
      );
      x.grpc = grpc;
      if (header !== null) x.headers.push('Grpc-Timeout', header);
      expect(requestTimeout(route === null ? null : ms(route), x)).toBe(limit);
    });
  }
});
