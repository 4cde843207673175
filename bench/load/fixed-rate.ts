/** A fixed number of requests per second from a process of its own: `open-loop.ts` on the load's core. */
import { fileURLToPath } from 'node:url';
import { output } from '../process.ts';
import type { LoadResult, Target } from './load.ts';

const program = fileURLToPath(new URL('open-loop.ts', import.meta.url));

export async function fixedRate(
  target: Target,
  connections: number,
  rate: number,
  seconds: number,
): Promise<LoadResult> {
  const plan = { ...target, connections, rate, seconds };
  const text = await output('load', [process.execPath, program, JSON.stringify(plan)], (seconds + 15) * 1000);
  return JSON.parse(text) as LoadResult;
}
