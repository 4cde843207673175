/** Makes the picker of a cluster: its balancing over the endpoints that are healthy now. */
import type { Random } from '../core/random.ts';
import type { Picker } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Balancing } from '../snapshot/cluster.ts';
import { leastRequest } from './least-request.ts';
import { randomPick } from './random.ts';
import { roundRobin } from './round-robin.ts';

/**
 * A picker is replaced when endpoints, health or weights change; of an endpoint it reads nothing later but `active`. With nobody
 * healthy it picks nobody: there is no panic mode. `start`: picks made before, so that a new picker goes on where the old one was
 * instead of beginning with the same endpoint each time.
 */
export function makePicker(
  balancing: Balancing,
  endpoints: readonly LiveEndpoint[],
  random: Random,
  start = Math.floor(random() * 1024),
): Picker {
  const eligible = endpoints.filter((endpoint) => endpoint.healthy);
  const [only] = eligible;
  if (only === undefined) return () => null;
  if (eligible.length === 1) return () => only;
  switch (balancing.kind) {
    case 'RANDOM':
      return randomPick(eligible, random);
    case 'LEAST_REQUEST':
      return leastRequest(eligible, random, start);
    case 'ROUND_ROBIN':
    // The address the client asked for is taken before anyone is asked to pick; who asks all the same gets one in turn.
    case 'PASSTHROUGH':
      return roundRobin(eligible, start);
  }
}
