/** Questions over UDP: one packet, one answer. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Server } from './resolv-conf.ts';
import type { Serve } from './tcp-listener.ts';

export type UdpListener = { readonly address: Server; close(): void };

/** Rejects when the address cannot be bound. */
export async function listenUdp(bind: Server, serve: Serve, shared: boolean): Promise<UdpListener> {
  const socket = createSocket({ type: bind.host.includes(':') ? 'udp6' : 'udp4', reusePort: shared });
  let open = true;
  socket.on('message', (message, { address, port }) => {
    serve(message, { port }, (reply) => {
      // Who asked may be gone; nothing depends on it.
      if (open && reply !== null) socket.send(reply, port, address, () => undefined);
    });
  });
  try {
    socket.bind({ address: bind.host, port: bind.port, exclusive: true });
    await once(socket, 'listening');
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on('error', () => undefined);
  const { address: host, port } = socket.address();
  return {
    address: { host, port },
    close() {
      open = false;
      socket.close();
    },
  };
}
