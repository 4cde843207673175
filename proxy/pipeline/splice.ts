/** Joins two connections byte for byte: WebSockets after their 101, CONNECT tunnels, TCP. Half-close and backpressure as they come. */
import type { Socket } from 'node:net';
import type { Environment } from './environment.ts';

type End = { readonly socket: unknown; readonly early: Buffer | null };

/**
 * `passed` is told of bytes as they pass, from a and from b; `ended` once, when both are closed: `byA` when a was the first to end.
 */
export function splice(
  env: Environment,
  a: End,
  b: End,
  passed: (fromA: number, fromB: number) => void,
  ended: (byA: boolean) => void,
): void {
  const client = a.socket as Socket;
  const server = b.socket as Socket;
  let open = 2;
  let first: Socket | null = null;
  const tunnel = { close: () => closeBoth() };
  env.tunnels.add(tunnel);
  relay(client, server, a.early, (n) => passed(n, 0));
  relay(server, client, b.early, (n) => passed(0, n));

  function relay(from: Socket, to: Socket, early: Buffer | null, count: (bytes: number) => void): void {
    const pass = (bytes: Buffer): void => {
      count(bytes.length);
      if (!to.write(bytes)) from.pause();
    };
    if (early !== null && early.length > 0) pass(early);
    from.on('data', pass);
    to.on('drain', () => from.resume());
    from.on('end', () => {
      first ??= from;
      to.end();
    });
    // A reset on one side is a reset on the other: neither must believe that all is well.
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => {
      first ??= from;
      if (!from.readableEnded) to.destroy();
      if (--open > 0) return;
      env.tunnels.delete(tunnel);
      ended(first === client);
    });
    from.resume();
  }

  function closeBoth(): void {
    client.destroy();
    server.destroy();
  }
}
