/** Connections that stop being HTTP: WebSocket for exec, and a plain answer to whatever else asks for an upgrade. */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Call, KubeContext } from './call.ts';
import { targetOf } from './catalogue.ts';
import { carry, exec, fail, PROTOCOLS } from './exec.ts';
import { badRequest, internal, noSuchPath, StatusError } from './status-error.ts';

const MAX_MESSAGE = 1024 * 1024;

/** `refused`: why one may not ask; null: it may. Returns the function that ends all sessions. */
export function serveUpgrades(
  server: Server,
  context: KubeContext,
  refused: (request: IncomingMessage) => StatusError | null,
): () => void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE,
    handleProtocols: (offered) => PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
  });
  /** Their command has yet to start. */
  const waiting = new Set<Duplex>();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    begin(request, socket, head).catch((error: unknown) =>
      refuse(socket, error instanceof StatusError ? error : internal()),
    );
  });

  async function begin(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const denied = refused(request);
    if (denied !== null) throw denied;
    const call = callOf(request);
    // First what is wrong with the request itself: of two errors, kubectl shows the one of its second try, over SPDY.
    const start = exec(context, call);
    checkProtocol(request);
    waiting.add(socket);
    const command = await start().catch((error: unknown) => (error instanceof StatusError ? error : internal()));
    waiting.delete(socket);
    if (socket.destroyed) return command instanceof StatusError ? undefined : command.kill();
    if (command instanceof StatusError)
      // Over the WebSocket: without one, kubectl would try once more over SPDY, and show what is wrong with that.
      return sockets.handleUpgrade(request, socket, head, (client) => fail(client, command));
    socket.once('close', () => command.kill());
    sockets.handleUpgrade(request, socket, head, (client) => carry(client, command, call.query));
  }

  return () => {
    for (const socket of waiting) socket.destroy();
    for (const client of sockets.clients) client.terminate();
    sockets.close();
  };
}

function callOf(request: IncomingMessage): Call {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const target = targetOf(path);
  if (target.info.kind !== 'Pod' || target.name === null) throw noSuchPath();
  if (target.subresource !== 'exec') {
    const what = target.subresource ?? 'this';
    throw badRequest(
      `${what} is not supported: of the ways into a pod, only exec and log are; a pod's ports can be reached at its address`,
    );
  }
  return {
    method: request.method ?? 'GET',
    target,
    query: new URLSearchParams(query),
    accept: '',
    contentType: undefined,
    body: Buffer.alloc(0),
    author: { via: 'exec', user: 'local' },
  };
}

/** kubectl tries WebSocket first and falls back to SPDY, so this is what its user gets to see when both fail. */
function checkProtocol({ headers }: IncomingMessage): void {
  if (headers.upgrade?.toLowerCase() !== 'websocket') {
    throw badRequest(
      `exec works over WebSocket (${PROTOCOLS.join(', ')}), not over ${JSON.stringify(headers.upgrade ?? '')}: ` +
        'kubectl 1.31 or later does that by itself; before, set KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true',
    );
  }
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((p) => p.trim());
  if (!PROTOCOLS.some((protocol) => offered.includes(protocol))) {
    throw badRequest(
      `expected one of the subprotocols ${PROTOCOLS.join(', ')}, got ${JSON.stringify(offered.join(', '))}`,
    );
  }
}

function refuse(socket: Duplex, error: StatusError): void {
  const body = JSON.stringify(error.status());
  socket.end(
    `HTTP/1.1 ${error.code} ${error.reason}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `connection: close\r\n\r\n${body}`,
  );
}
