/** Keeps web pages away from the API: only requests for a name this machine answers to, and no changes from a foreign origin. */
import type { IncomingMessage } from 'node:http';
import { plainAddress } from '#proxy/core/cidr.ts';
import { type Auth, denial } from './auth.ts';
import { forbidden, type StatusError } from './kube/status-error.ts';
import type { Audience } from './route.ts';

/** What every request has to pass. */
export type Guards = {
  /** Names besides localhost and loopback addresses under which it may be asked. */
  readonly allowHosts: readonly string[];
  readonly auth: Auth | null;
};

/** Null: let it in. `changes`: it changes something, or opens a tunnel. */
export type Guard = (request: IncomingMessage, changes: boolean, audience?: Audience) => StatusError | null;

export const guard =
  ({ allowHosts, auth }: Guards): Guard =>
  ({ headers, socket }, changes, audience) =>
    refusal(headers, changes, allowHosts) ??
    denial(auth, { address: plainAddress(socket.remoteAddress ?? ''), authorization: headers.authorization }, audience);

export type Heads = { readonly host?: string | undefined; readonly origin?: string | undefined };

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Null: let it in. A page whose name was rebound to 127.0.0.1 sends its own name as Host
 * (https://en.wikipedia.org/wiki/DNS_rebinding); a page that posts across origins sends its Origin.
 * `changes`: the request changes something, or opens a tunnel.
 */
export function refusal(heads: Heads, changes: boolean, allowHosts: readonly string[]): StatusError | null {
  const host = nameOf(heads.host ?? '');
  if (!LOOPBACK.test(host) && !allowHosts.includes(host)) {
    return forbidden(
      `the control API does not answer for the host name ${JSON.stringify(host)}: expected localhost or a loopback address; ` +
        'lateen up --allow-host NAME adds one',
    );
  }
  const { origin } = heads;
  if (!changes || origin === undefined || sameOrigin(origin, heads.host ?? '')) return null;
  return forbidden(
    `changes from the web page ${JSON.stringify(origin.slice(0, 200))} are refused: it is another origin`,
  );
}

/** Without the port, in lower case. */
function nameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '');
}

function sameOrigin(origin: string, host: string): boolean {
  const [, authority] = /^https?:\/\/([^/]+)$/.exec(origin.toLowerCase()) ?? [];
  return authority === host.toLowerCase();
}
