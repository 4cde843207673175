/** How long a request may take in all, retries included. */
import { get } from '../core/header-list.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Ms } from '../core/brand.ts';

/** Milliseconds by the unit of `grpc-timeout` (gRPC over HTTP/2, "Requests"). */
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * The route's timeout; of a gRPC request the deadline its client set, when that is sooner (Istio: `grpc-timeout` counts up to the
 * route's timeout, and in full where there is none). Null: no limit. Milliseconds, 1 at least.
 */
export function requestTimeout(routeTimeout: Ms | null, x: Exchange): number | null {
  if (!x.grpc) return routeTimeout;
  const asked = parseGrpcTimeout(get(x.headers, 'grpc-timeout'));
  if (asked === null) return routeTimeout;
  return routeTimeout === null ? asked : Math.min(asked, routeTimeout);
}

/** Up to eight digits and a unit; anything else is no deadline. */
function parseGrpcTimeout(text: string | undefined): number | null {
  const match = text === undefined ? null : /^([0-9]{1,8})([HMSmun])$/.exec(text);
  return match === null ? null : Math.max(1, Math.ceil(Number(match[1]) * UNITS[match[2]!]!));
}
