/** The endpoint with the fewest requests in flight. */
import type { Random } from '../core/random.ts';
import type { Picker } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import { sampler } from './sampler.ts';

/** Up to so many endpoints all are looked at; beyond, two of them (Envoy looks at two always, which is uneven for small sets). */
const FEW = 32;

/** At least one endpoint. */
export function leastRequest(endpoints: readonly LiveEndpoint[], random: Random, start: number): Picker {
  const isEven = endpoints.every(({ weight }) => weight === endpoints[0]!.weight);
  if (endpoints.length > FEW) return powerOfTwo(endpoints, random);
  return isEven ? fewest(endpoints, start) : biased(endpoints, start);
}

/** Equals take turns, so that requests one after the other spread evenly. */
function fewest(endpoints: readonly LiveEndpoint[], start: number): Picker {
  const count = endpoints.length;
  let turn = start % count;
  return () => {
    let best = turn;
    for (let step = 1; step < count; step++) {
      const i = turn + step < count ? turn + step : turn + step - count;
      if (endpoints[i]!.active < endpoints[best]!.active) best = i;
    }
    turn = best + 1 === count ? 0 : best + 1;
    return endpoints[best]!;
  };
}

/**
 * Turns by weight over load: weight / (requests in flight + 1), as Envoy has it with active_request_bias 1. Smooth: each earns its
 * share at every pick, and whoever is picked pays the sum of all.
 */
function biased(endpoints: readonly LiveEndpoint[], start: number): Picker {
  const credit = new Float64Array(endpoints.length);
  const pick: Picker = () => {
    let best = 0;
    let sum = 0;
    for (let i = 0; i < endpoints.length; i++) {
      const share = endpoints[i]!.weight / (endpoints[i]!.active + 1);
      sum += share;
      credit[i]! += share;
      if (credit[i]! > credit[best]!) best = i;
    }
    credit[best]! -= sum;
    return endpoints[best]!;
  };
  for (let skip = start % endpoints.length; skip > 0; skip--) pick(null);
  return pick;
}

/** Two are drawn by weight, the less busy one wins (M. Mitzenmacher, "The power of two choices", 2001). */
function powerOfTwo(endpoints: readonly LiveEndpoint[], random: Random): Picker {
  const sample = sampler(
    endpoints.map(({ weight }) => weight),
    random,
  );
  return () => {
    const first = endpoints[sample()]!;
    const second = endpoints[sample()]!;
    return second.active < first.active ? second : first;
  };
}
