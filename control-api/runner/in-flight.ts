/** How many requests an application is still answering, as its sidecar counts them: a Pod must not end before they are done. */
import { get } from 'node:http';
import { sleep, type Clock } from './clock.ts';

/** Null: the sidecar does not say (any more). */
export type InFlight = (ip: string) => Promise<number | null>;

const ADMIN_PORT = 15000;
const POLL_MS = 25;

/** Asks the admin page of the sidecar at `ip`, as Envoy words it: `inbound|9080||::rq_active::3`. */
export const askSidecar: InFlight = (ip) =>
  new Promise((resolve) => {
    const request = get({ host: ip, port: ADMIN_PORT, path: '/clusters', agent: false, timeout: 1000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(response.statusCode === 200 ? activeIn(text) : null));
      response.on('error', () => resolve(null));
    });
    request.on('timeout', () => {
      // Too busy to say is not idle.
      resolve(1);
      request.destroy();
    });
    request.on('error', () => resolve(null));
  });

/** Requests and connections to the application, out of the `/clusters` page. */
export function activeIn(page: string): number {
  const counts = page.matchAll(/^inbound\|[^:]*::rq_(?:pending_)?active::(\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Resolves when nothing has been in flight for two looks in a row, when the sidecar does not answer, or after `withinMs`. */
export async function untilQuiet(clock: Clock, inFlight: InFlight, ip: string, withinMs: number): Promise<void> {
  const deadline = clock.now() + withinMs;
  for (let quiet = 0; quiet < 2 && clock.now() < deadline;) {
    const active = await inFlight(ip);
    if (active === null) return;
    quiet = active === 0 ? quiet + 1 : 0;
    if (quiet < 2) await sleep(clock, POLL_MS);
  }
}
