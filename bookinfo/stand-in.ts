/** A service on a free port of this machine, for tests: the real thing or whoever stands in for it. */
import { connect, createServer, type AddressInfo } from 'node:net';
import { startService, type Env, type Handler, type Service } from './service.ts';

/** Lines of its request log, parsed, go into `log`. */
export const standIn = (handle: Handler, log: Record<string, unknown>[] = []): Promise<Service> =>
  startService({
    name: 'stand-in',
    handle,
    host: '127.0.0.1',
    port: 0,
    keepAliveMs: 5_000,
    log: (line) => log.push(JSON.parse(line) as Record<string, unknown>),
  });

/** The environment that points a service at `url` for `part`. */
export function at(part: 'details' | 'reviews' | 'ratings', url: string): Env {
  const { hostname, port } = new URL(url);
  return { [`${part.toUpperCase()}_HOSTNAME`]: hostname, [`${part.toUpperCase()}_SERVICE_PORT`]: port };
}

/** A port on which nobody listens. */
export async function unusedPort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Sends bytes as they are, and collects what comes back until the other side ends. */
export function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(bytes));
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket
      .on('end', () => socket.end())
      .on('close', () => resolve(answer))
      .on('error', reject);
  });
}
