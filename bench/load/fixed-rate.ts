/** A fixed number of requests per second from a process of its own: `open-loop.ts` on the load's core. */
import { fileURLToPath } from 'node:url';
import { output } from '../process.ts';
import type { LoadResult, Target } from './load.ts';

const program = fileURLToPath(new URL('open-loop.ts', import.meta.url));

/** `onOpen` is called when all connections are there, right before the first request. Gives up 30 s after the last was due. */
export async function fixedRate(
  target: Target,
  connections: number,
  rate: number,
  seconds: number,
  onOpen: () => void = () => undefined,
): Promise<LoadResult> {
  const plan = { ...target, connections, rate, seconds };
  const text = await output('load', [process.execPath, program, JSON.stringify(plan)], (seconds + 30) * 1000, onOpen);
  return JSON.parse(text) as LoadResult;
}
