/** Joins two connections byte for byte: WebSockets after their 101, CONNECT tunnels, TCP. Half-close and backpressure as they come. */
import type { Socket } from 'node:net';
import type { Timer } from '../core/clock.ts';
import { writeLent, type Reads } from '../wire/lent-reads.ts';
import type { Direction } from '../live/exchange.ts';
import type { Environment } from './environment.ts';

/** One end: a connection (a Socket), who is told of what it reads (its Reads), and what it has said already. */
export type End = { readonly socket: unknown; readonly reads: unknown; readonly early: Buffer | null };

/** How a tunnel came to its end. */
export type TunnelEnd = {
  /** Who ended it: the first of the two to send its FIN or a reset, or the proxy. */
  readonly by: 'a' | 'b' | 'proxy';
  /** `fin`: both have said good-bye. `idle`: nothing passed for too long. `old`: it lasted too long. `cut`: the proxy had to go. */
  readonly how: 'fin' | 'reset' | 'idle' | 'old' | 'cut';
};

export type Tunnel = {
  readonly direction: Direction;
  /** Milliseconds without a byte in either direction after which both ends are cut; 0: never. */
  readonly idle: number;
  /** Milliseconds after which both ends are cut, whatever passes; 0: never. */
  readonly longest: number;
  /** Told of bytes as they pass, from a and from b. */
  readonly passed: (fromA: number, fromB: number) => void;
  /** Told once, when both ends are closed. */
  readonly ended: (end: TunnelEnd) => void;
};

/** Half a tunnel may stay silent so long when no other limit is set: a peer that never says good-bye holds nothing for ever. */
const HALF_OPEN_MS = 3_600_000;

/** After so long without a byte the kernel asks whether the peer is still there; it gives up after ten more seconds. */
const KEEP_ALIVE_MS = 60_000;

/** What is shorter is written from a copy of its own size, so that a peer that does not read holds that, and not a whole block. */
const SMALL = 4096;

/** Bytes that may wait for a peer that reads slower than they come: more than a read, so that not every one that is a little late stops the other. */
const MOST_WAITING = 196_608;

export function splice(env: Environment, a: End, b: End, { direction, idle, longest, passed, ended }: Tunnel): void {
  const client = a.socket as Socket;
  const server = b.socket as Socket;
  let open = 2;
  let by: TunnelEnd['by'] | null = null;
  let how: TunnelEnd['how'] = 'fin';
  let activeMs = env.clock.now();
  let limit = 0;
  let timer: Timer | null = null;
  const oldAge = longest > 0 ? env.clock.add(longest, cut, 'old' as const) : null;
  const tunnel = { direction, lastMs: () => activeMs, close: () => cut('cut') };
  env.tunnels.add(tunnel);
  if (idle > 0) watch(idle);
  relay(a, server, 'a');
  relay(b, client, 'b');

  function relay({ socket, reads, early }: End, to: Socket, side: 'a' | 'b'): void {
    const from = socket as Socket;
    const source = reads as Reads;
    let saidGoodBye = false;
    const pass = (bytes: Buffer): void => {
      activeMs = env.clock.now();
      if (side === 'a') passed(bytes.length, 0);
      else passed(0, bytes.length);
      if (bytes.length < SMALL) to.write(Buffer.from(bytes));
      else writeLent(to, bytes);
      if (to.writableLength > MOST_WAITING) from.pause();
    };
    source.onBytes = pass;
    // The other connection asks by itself (upstream/connect.ts).
    if (side === 'a') from.setKeepAlive(true, KEEP_ALIVE_MS);
    from.resume();
    if (early !== null && early.length > 0) pass(early);
    to.on('drain', () => {
      activeMs = env.clock.now();
      from.resume();
    });
    const goodBye = (): void => {
      by ??= side;
      activeMs = env.clock.now();
      saidGoodBye = true;
      to.end();
      if (limit === 0) watch(HALF_OPEN_MS);
    };
    from.on('end', goodBye);
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
      source.end();
      // Also when its good-bye came, and it was closed for it, before the two were joined.
      if (!saidGoodBye) to.destroy();
      if (--open > 0) return;
      timer?.cancel();
      oldAge?.cancel();
      env.tunnels.delete(tunnel);
      ended({ by, how });
    });
    if (from.readableEnded) goodBye();
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

  function cut(why: 'idle' | 'old' | 'cut'): void {
    by ??= 'proxy';
    how = why;
    client.destroy();
    server.destroy();
  }
}
