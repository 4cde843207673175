/** Every lane there is, by name. */
import { envoyLane } from './envoy.ts';
import type { Lane } from './lane.ts';
import { openingLane } from './openings.ts';
import { parserLane } from './parsers.ts';
import { requestLane } from './requests.ts';
import { responseLane } from './responses.ts';
import { tunnelLane } from './tunnels.ts';

const LANES: Readonly<Record<string, () => Lane | null | Promise<Lane | null>>> = {
  parsers: parserLane,
  requests: requestLane,
  responses: responseLane,
  tunnels: tunnelLane,
  openings: openingLane,
  envoy: envoyLane,
};

export const LANE_NAMES = Object.keys(LANES);

/** Starts `names` (none: all); one whose tool is not installed is left out. */
export async function startLanes(names: readonly string[]): Promise<Lane[]> {
  const lanes: Lane[] = [];
  for (const name of names.length === 0 ? LANE_NAMES : names) {
    const start = LANES[name];
    if (start === undefined) throw new Error(`no lane ${name}; there are ${LANE_NAMES.join(', ')}`);
    const lane = await start();
    if (lane !== null) lanes.push(lane);
  }
  return lanes;
}
