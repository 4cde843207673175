/** A Zipkin collector that takes every span and forgets it, on the load's core. */
import { fileURLToPath } from 'node:url';
import { freePort, listening, start } from '../process.ts';
import type { Place } from './candidate.ts';

export async function startCollector(address: string): Promise<AsyncDisposable & { place: Place }> {
  const port = await freePort(address);
  const program = fileURLToPath(new URL('forgetful-collector.ts', import.meta.url));
  const child = start('load', [process.execPath, program, address, String(port)]);
  await listening(child, address, port);
  return { place: { host: address, port }, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}
