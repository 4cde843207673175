/** Whether an address leads back to this proxy: a request sent there would come round for ever. */
import { parseAddress } from '../core/cidr.ts';
import type { Environment } from './environment.ts';

/** `only`: an endpoint may be the application behind this proxy; what comes in there does not go out again. */
export function leadsBack(env: Environment, asked: string, port: number, only: 'outbound' | null = null): boolean {
  const host = asked.includes(':') ? plain(asked) : asked;
  const local =
    host === env.node.ip || host === 'localhost' || host.startsWith('127.') || host === '::1' || ANY.has(host);
  if (!local) return false;
  const { listeners } = env.plans.current.snapshot;
  return listeners.some(
    (l) =>
      l.port === port &&
      (only === null || l.direction === only) &&
      (l.address === host || ANY.has(l.address) || ANY.has(host) || (host === 'localhost' && LOOPBACK.has(l.address))),
  );
}

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1']);

/** To the kernel, a connection to "any address" is one to this machine. */
const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::', '[::]']);

/** IPv4 inside IPv6 (`::ffff:127.0.0.1`) is IPv4 to the kernel; loopback and "any" have many spellings. */
function plain(asked: string): string {
  const words = parseAddress(asked.replace(/^\[|\]$/g, ''));
  if (words === null) return asked;
  if (words.length === 1) return [24, 16, 8, 0].map((shift) => (words[0]! >>> shift) & 255).join('.');
  const [a, b, c, last] = words;
  return a === 0 && b === 0 && c === 0 && (last === 0 || last === 1) ? `::${last === 0 ? '' : '1'}` : asked;
}
