/** Sends one request of the tables to one proxy, and gathers what client, origin and access log saw of it. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Seen } from './origin.ts';
import type { RunningPlaces } from './places.ts';
import type { Proxy } from './proxy.ts';
import { exchange, type RawExchange } from './raw-client.ts';
import type { Request, Scenario } from './scenario.ts';

export type Told = RawExchange & {
  readonly log: readonly Record<string, unknown>[];
  readonly seen: readonly Seen[];
};

let asked = 0;

/** Every request head is marked with an `x-case` of its own, so that the origin can tell them apart. */
export async function ask(proxy: Proxy, scenario: Scenario, request: Request, places: RunningPlaces): Promise<Told> {
  const id = `${proxy.name}-${++asked}`;
  const parts = typeof request.send === 'string' ? [request.send] : request.send;
  const told = await exchange(proxy.address, proxy.port(scenario.side), {
    bytes: parts.map((part) => (typeof part === 'string' ? mark(part, id) : part)),
    methods: request.methods ?? [],
    expect: request.expect ?? 1,
    linger: 60,
    limit: 2500,
  });
  const seen = [...places.origin.seen.entries(), ...places.other.seen.entries()]
    .filter(([key]) => key === id)
    .flatMap(([, each]) => each);
  return { ...told, log: await logOf(proxy, told.from), seen };
}

/** Puts `x-case` before the empty line of each well-ended head; a malformed one goes out as it is. */
function mark(text: string, id: string): string {
  return text.replaceAll(/(HTTP\/1\.[01]\r\n(?:[^\r\n]+\r\n)+)\r\n/g, `$1x-case: ${id}\r\n\r\n`);
}

/** The log lines of the connection `from`; waits up to 2 s for the first, as both proxies write in batches. */
async function logOf(proxy: Proxy, from: string): Promise<Record<string, unknown>[]> {
  for (let tries = 0; ; tries++) {
    const lines = proxy.log().filter((line) => line['downstream_remote_address'] === from);
    if (lines.length > 0 || tries === 40) return lines;
    await wait(25);
  }
}
