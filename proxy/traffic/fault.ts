/** The delay and the abort that a VirtualService asks to inject. */
import type { Clock } from '../core/clock.ts';
import { chance, type Random } from '../core/random.ts';
import type { Exchange } from '../live/exchange.ts';
import { CONTINUE, fail, type Filter, type Verdict } from '../live/verdict.ts';
import type { Fault } from '../snapshot/route.ts';
import { because } from './because.ts';

/**
 * First the delay, then the abort, each with a draw of its own (Envoy's fault filter). Neither counts against the route's timeout,
 * and an abort is not retried. Waits without a thread or a socket: when the client leaves meanwhile the verdict comes all the
 * same, and is for the caller to drop.
 */
export function faultFilter({ delay, abort }: Fault, random: Random, clock: Clock): Filter {
  if (delay === null) return abortOrNot;
  return (x) => {
    if (!chance(random, delay.percent)) return abortOrNot(x);
    x.flag('DI');
    return new Promise<void>((resolve) => clock.add(delay.ms, resolve, undefined)).then(() => abortOrNot(x));
  };

  function abortOrNot(x: Exchange): Verdict {
    if (abort === null || !chance(random, abort.percent)) return CONTINUE;
    because(x, `fault injection: aborted with ${whatOf(abort)}`);
    if (abort.grpcStatus !== null && x.grpc) return grpcAbort(x, abort.grpcStatus);
    return fail({ kind: 'fault-abort', status: abort.status });
  }
}

type Abort = NonNullable<Fault['abort']>;

const whatOf = ({ status, grpcStatus }: Abort): string =>
  grpcStatus === null ? `status ${status}` : `gRPC status ${grpcStatus}`;

/** A gRPC client hears of failures in a 200. */
function grpcAbort(x: Exchange, grpcStatus: number): Verdict {
  x.flag('FI');
  const headers = ['content-type', 'application/grpc'];
  headers.push('grpc-status', String(grpcStatus), 'grpc-message', 'fault filter abort');
  return { kind: 'local', status: 200, details: 'fault_filter_abort', headers, body: '' };
}
