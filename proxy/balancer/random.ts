/** Any of them; by weight, when weights differ. */
import type { Random } from '../core/random.ts';
import type { Picker } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import { sampler } from './sampler.ts';

/** At least one endpoint. */
export function randomPick(endpoints: readonly LiveEndpoint[], random: Random): Picker {
  const sample = sampler(
    endpoints.map(({ weight }) => weight),
    random,
  );
  return () => endpoints[sample()]!;
}
