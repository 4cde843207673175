/** Asks an HTTP proxy for a tunnel on a connection that is open: DestinationRule's `tunnel`, Envoy's `tunneling_config`. */
import type { Socket } from 'node:net';
import type { Tunnel } from '../snapshot/cluster.ts';
import { DEFAULT_LIMITS, findHeadEnd, parseResponseHead, type ResponseHead } from '../wire/http1-head.ts';
import { keep, type Reads } from '../wire/lent-reads.ts';

/** The answer to CONNECT is small; whoever sends more is no proxy. */
const LIMITS = { ...DEFAULT_LIMITS, maxBytes: 16_384 };
/** More informational responses than this before the final one are an attack. */
const MAX_INFORMATIONAL = 16;

export type TunnelAsked = {
  /** `early`: bytes that came behind the answer, to be kept. */
  onOpen(early: Buffer | null, head: ResponseHead): void;
  onRefused(cause: string): void;
};

/** The request head. By POST, bytes go in the chunks of its body and come in those of the response's (Envoy: `use_post`). */
export function tunnelRequest({ method, host, port }: Tunnel): string {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return method === 'CONNECT'
    ? `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`
    : `POST / HTTP/1.1\r\nhost: ${authority}\r\ntransfer-encoding: chunked\r\n\r\n`;
}

/** Calls one of `done`'s functions, or none when the connection ends in an error. Who limits the time is the caller. */
export function askForTunnel(socket: Socket, reads: Reads, tunnel: Tunnel, done: TunnelAsked): void {
  let carry: Buffer | null = null;
  let informational = 0;
  const onEnd = (): void => refuse('the proxy closed the connection');
  socket.once('end', onEnd);
  reads.onBytes = (bytes) => {
    const all: Buffer = carry === null ? bytes : Buffer.concat([carry, bytes]);
    for (let at = 0; ;) {
      const end = findHeadEnd(all, at, 0);
      if (end < 0) {
        if (all.length - at > LIMITS.maxBytes) return refuse('the answer is too long');
        carry = at === 0 ? keep(all) : Buffer.from(all.subarray(at));
        return;
      }
      const head = parseResponseHead(all, at, end, LIMITS);
      if (head.problem) return refuse(`not HTTP (${head.details})`);
      at = end + 4;
      if (head.status >= 200) return onFinal(head, all.subarray(at));
      if (head.status === 101 || ++informational > MAX_INFORMATIONAL) return refuse(String(head.status));
    }
  };
  socket.write(tunnelRequest(tunnel), 'latin1');

  function onFinal(head: ResponseHead, rest: Buffer): void {
    if (head.status >= 300) return refuse(String(head.status));
    over();
    // Lengths in an answer to CONNECT mean nothing (RFC 9110 section 9.3.6): what follows is the far end's.
    done.onOpen(rest.length === 0 ? null : Buffer.from(rest), head);
  }

  function refuse(why: string): void {
    over();
    done.onRefused(`tunnel refused: ${why}`);
  }

  function over(): void {
    socket.off('end', onEnd);
    reads.onBytes = () => undefined;
  }
}
