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
  const logged = proxy.log().length;
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
  return { ...told, log: await logOf(proxy, told, logged), seen };
}

/** Puts `x-case` before the empty line of each well-ended head; a malformed one goes out as it is. */
function mark(text: string, id: string): string {
  return text.replaceAll(/(HTTP\/1\.[01]\r\n(?:[^\r\n]+\r\n)+)\r\n/g, `$1x-case: ${id}\r\n\r\n`);
}

/** The log lines of this connection after the first `logged` ones (an earlier one may have had its port); waits up to 1 s, as both proxies write in batches. */
async function logOf(proxy: Proxy, told: RawExchange, logged: number): Promise<Record<string, unknown>[]> {
  const wanted = Math.max(1, told.replies.filter(({ status }) => status >= 200 || status === 101).length);
  for (let tries = 0; ; tries++) {
    const lines = proxy
      .log()
      .slice(logged)
      .filter((line) => line['downstream_remote_address'] === told.from);
    if (lines.length >= wanted || tries === 40) return lines;
    await wait(25);
  }
}
