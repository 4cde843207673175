/** Joins two connections byte for byte: WebSockets after their 101, CONNECT tunnels, TCP. Half-close and backpressure as they come. */
import type { Socket } from 'node:net';
import type { Timer } from '../core/clock.ts';
import type { Environment } from './environment.ts';

type End = { readonly socket: unknown; readonly early: Buffer | null };

/** How a tunnel came to its end. */
export type TunnelEnd = {
  /** Who ended it: the first of the two to send its FIN or a reset, or the proxy. */
  readonly by: 'a' | 'b' | 'proxy';
  /** `fin`: both have said good-bye. `idle`: nothing passed for too long. `cut`: the proxy had to go. */
  readonly how: 'fin' | 'reset' | 'idle' | 'cut';
};

export type Tunnel = {
  /** Milliseconds without a byte in either direction after which both ends are cut; 0: never. */
  readonly idle: number;
  /** Told of bytes as they pass, from a and from b. */
  readonly passed: (fromA: number, fromB: number) => void;
  /** Told once, when both ends are closed. */
  readonly ended: (end: TunnelEnd) => void;
};

/** Half a tunnel may stay silent so long when no other limit is set: a peer that never says good-bye holds nothing for ever. */
const HALF_OPEN_MS = 3_600_000;

/** After so long without a byte the kernel asks whether the peer is still there; it gives up after ten more seconds. */
const KEEP_ALIVE_MS = 60_000;

export function splice(env: Environment, a: End, b: End, { idle, passed, ended }: Tunnel): void {
  const client = a.socket as Socket;
  const server = b.socket as Socket;
  let open = 2;
  let by: TunnelEnd['by'] | null = null;
  let how: TunnelEnd['how'] = 'fin';
  let activeMs = env.clock.now();
  let limit = 0;
  let timer: Timer | null = null;
  const tunnel = { close: () => cut('cut') };
  env.tunnels.add(tunnel);
  if (idle > 0) watch(idle);
  relay(client, server, 'a', a.early);
  relay(server, client, 'b', b.early);

  function relay(from: Socket, to: Socket, side: 'a' | 'b', early: Buffer | null): void {
    const pass = (bytes: Buffer): void => {
      activeMs = env.clock.now();
      if (side === 'a') passed(bytes.length, 0);
      else passed(0, bytes.length);
      if (!to.write(bytes)) from.pause();
    };
    let saidGoodBye = false;
    // The other connection asks by itself (upstream/connect.ts).
    if (side === 'a') from.setKeepAlive(true, KEEP_ALIVE_MS);
    from.resume();
    if (early !== null && early.length > 0) pass(early);
    from.on('data', pass);
    to.on('drain', () => {
      activeMs = env.clock.now();
      from.resume();
    });
    from.on('end', () => {
      by ??= side;
      activeMs = env.clock.now();
      saidGoodBye = true;
      to.end();
      if (limit === 0) watch(HALF_OPEN_MS);
    });
    // A reset on one side is a reset on the other: neither must believe that all is well.
    from.on('error', () => {
      if (how === 'fin') {
        how = 'reset';
        by = side;
      }
      to.resetAndDestroy();
    });
    from.on('close', () => {
      by ??= side;
      // Also when its good-bye came, and it was closed for it, before the two were joined.
      if (!saidGoodBye) to.destroy();
      if (--open > 0) return;
      timer?.cancel();
      env.tunnels.delete(tunnel);
      ended({ by, how });
    });
  }

  function watch(ms: number): void {
    limit = ms;
    timer = env.clock.add(ms, look, undefined);
  }

  function look(): void {
    const left = activeMs + limit - env.clock.now();
    if (left > 0) timer = env.clock.add(left, look, undefined);
    else cut('idle');
  }

  function cut(why: 'idle' | 'cut'): void {
    by ??= 'proxy';
    how = why;
    client.destroy();
    server.destroy();
  }
}
