/** One after the other; by weight, when weights differ. */
import { fairCycle } from '../core/fair-cycle.ts';
import type { Picker } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';

/** At least one endpoint. */
export function roundRobin(endpoints: readonly LiveEndpoint[], start: number): Picker {
  const next = fairCycle(
    endpoints.map(({ weight }) => weight),
    start,
  );
  return () => endpoints[next()]!;
}
