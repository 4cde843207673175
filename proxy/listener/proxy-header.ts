/** The PROXY protocol at a gateway: a load balancer that is trusted says whose connection it brings. */
import type { Clock } from '../core/clock.ts';
import type { Connection } from '../live/connection.ts';
import { readProxyHeader } from '../wire/proxy-protocol.ts';
import { readUntil, type Held } from './first-bytes.ts';

/** `why`: what is wrong with the header; "" when there is none to complain of. */
export type Brought = { readonly connection: Connection; readonly why: string };

/**
 * Reads the header that a connection from a trusted address begins with, and takes the client's address from it. Where the
 * connection was made to is known better here, so what the header says of that is left alone: policies tell ports apart.
 * Without a header, or with a broken one, `why` says so: who was told to send one and does not must not pass for a client.
 */
export function readProxied(
  held: Held,
  connection: Connection,
  clock: Clock,
  done: (brought: Brought | null, held: Held) => void,
): void {
  let length = 0;
  const refused = (why: string): Brought => ({ connection, why });
  const decide = (bytes: Buffer): Brought | null => {
    const header = readProxyHeader(bytes);
    if (header.kind === 'more') return null;
    if (header.kind === 'none') return refused('there is no PROXY header');
    if (header.kind === 'broken') return refused(`the PROXY header is broken: ${header.why}`);
    length = header.length;
    const { addresses } = header;
    if (addresses === null) return { connection, why: '' };
    const { sourceAddress: remoteAddress, sourcePort: remotePort } = addresses;
    return { connection: { ...connection, remoteAddress, remotePort }, why: '' };
  };
  readUntil(
    held,
    clock,
    decide,
    () => refused('the PROXY header did not come whole'),
    (brought, { early, ...rest }) => {
      const left = early === null || early.length <= length ? null : early.subarray(length);
      done(brought, { ...rest, early: left });
    },
  );
}
