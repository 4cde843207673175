import { describe, expect, test } from 'vitest';
import { ms } from '../core/brand.ts';
import { manualClock } from '../core/manual-clock.ts';
import { Exchange } from '../live/exchange.ts';
import { CONTINUE, fail } from '../live/verdict.ts';
import type { Fault, Route } from '../snapshot/route.ts';
import { faultFilter } from './fault.ts';

const half = { status: 503, grpcStatus: null, percent: 50 };
const sevenSeconds = { ms: ms(7000), percent: 100 };

describe('a fault', () => {
  for (const [it, abort, dice, aborts] of [
    ['lets a request through when the dice say so', half, 0.5, false],
    ['aborts the configured share', half, 0.499, true],
    ['of 100 % always aborts', { ...half, percent: 100 }, 0.999_999, true],
    ['of 0 % never aborts', { ...half, percent: 0 }, 0, false],
    ['of 0.0001 % aborts one in a million', { ...half, percent: 0.0001 }, 0.000_000_9, true],
  ] satisfies [string, NonNullable<Fault['abort']>, number, boolean][]) {
    test(`${it}, at once`, () => {
      const verdict = faultFilter({ delay: null, abort }, () => dice, manualClock())(exchange());
      expect(verdict).toEqual(aborts ? fail({ kind: 'fault-abort', status: 503 }) : CONTINUE);
    });
  }

  test('delays, and then lets the request go on', async () => {
    const clock = manualClock();
    const x = exchange();
    let verdict: unknown = 'waiting';
    const waiting = Promise.resolve(faultFilter({ delay: sevenSeconds, abort: null }, () => 0, clock)(x)).then(
      (v) => (verdict = v),
    );
    clock.advance(6999);
    await Promise.resolve();
    expect(verdict).toBe('waiting');
    clock.advance(1);
    expect(await waiting).toBe(CONTINUE);
    expect(x.flags).toBe('DI');
  });

  test('draws for the abort after the delay, by itself', async () => {
    const rolls = [0.1, 0.9, 0.1, 0.1];
    const clock = manualClock();
    const filter = faultFilter({ delay: { ...sevenSeconds, percent: 50 }, abort: half }, () => rolls.shift()!, clock);
    for (const expected of [CONTINUE, fail({ kind: 'fault-abort', status: 503 })]) {
      const verdict = filter(exchange());
      clock.advance(7000);
      expect(await verdict).toEqual(expected);
    }
    expect(rolls).toEqual([]);
  });

  test('without a delay drawn answers at once, and leaves no timer', () => {
    const clock = manualClock();
    expect(faultFilter({ delay: { ...sevenSeconds, percent: 50 }, abort: null }, () => 0.9, clock)(exchange())).toBe(
      CONTINUE,
    );
    expect(clock.pending).toBe(0);
  });

  test('tells a gRPC client in its own way, and others by the status that comes nearest', () => {
    const filter = faultFilter(
      { delay: null, abort: { status: 503, grpcStatus: 14, percent: 100 } },
      () => 0,
      manualClock(),
    );
    const grpc = Object.assign(exchange(), { grpc: true });
    expect(filter(grpc)).toMatchObject({
      kind: 'local',
      status: 200,
      details: 'fault_filter_abort',
      headers: expect.arrayContaining(['grpc-status', '14']) as string[],
    });
    expect(filter(exchange())).toEqual(fail({ kind: 'fault-abort', status: 503 }));
  });

  test('says why in plain words', () => {
    const x = exchange();
    const source = { kind: 'VirtualService', namespace: 'default', name: 'ratings', path: 'spec.http[0]' };
    x.route = { source } as Route;
    void faultFilter({ delay: null, abort: { ...half, percent: 100 } }, () => 0, manualClock())(x);
    expect(x.reason).toBe(
      'fault injection: aborted with status 503; route VirtualService default/ratings spec.http[0]',
    );
    expect(x.decidedBy).toBe(source);
  });
});

function exchange(): Exchange {
  return new Exchange(
    {
      id: 1,
      remoteAddress: '10.0.0.1',
      remotePort: 1,
      localAddress: '10.0.0.2',
      localPort: 80,
      redirected: false,
      peer: null,
      serverName: '',
    },
    'outbound',
  );
}
