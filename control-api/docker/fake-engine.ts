/** A stand-in for dockerd in tests: its Engine API on a unix socket, with the frames and hijacked connections of the real one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

export type FakeContainer = {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly tty?: boolean;
};

export type FakeOptions = {
  readonly versions?: { readonly least: string; readonly most: string };
  /** Of this process's own container; null: it runs in none. */
  readonly ownProject?: string | null;
  readonly containers: readonly FakeContainer[];
  readonly logs?: (response: ServerResponse, query: URLSearchParams, id: string) => void;
  /** Reads and writes the connection of a command. */
  readonly exec?: (socket: Socket, command: readonly string[]) => void;
  readonly refuseExec?: { readonly status: number; readonly message: string };
  /** Answers to successive questions for a command's state; the last one stays. */
  readonly execStates?: readonly object[];
};

export type FakeEngine = AsyncDisposable & {
  readonly socketPath: string;
  /** `GET /v1.41/containers/json?…`, in order. */
  readonly requests: readonly string[];
};

export const frame = (type: number, payload: string | Buffer): Buffer => {
  const bytes = Buffer.from(payload as string);
  const head = Buffer.alloc(8);
  head[0] = type;
  head.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([head, bytes]);
};

/** A container as docker compose labels it. */
export const composed = (id: string, service: string, more: Readonly<Record<string, string>> = {}): FakeContainer => ({
  id,
  labels: {
    'com.docker.compose.project': 'mesh',
    'com.docker.compose.service': service,
    'com.docker.compose.container-number': '1',
    'com.docker.compose.oneoff': 'False',
    ...more,
  },
});

export async function fakeEngine(options: FakeOptions): Promise<FakeEngine> {
  const { versions = { least: '1.12', most: '1.41' }, ownProject = 'mesh', execStates = [] } = options;
  const dir = mkdtempSync(join(tmpdir(), 'lateen-docker-'));
  const socketPath = join(dir, 'docker.sock');
  const requests: string[] = [];
  const all: FakeContainer[] = [...options.containers];
  if (ownProject !== null) all.push({ ...composed(hostname(), 'control'), ...labelled(ownProject) });
  const commands: (readonly string[])[] = [];
  let asked = 0;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests.push(`${request.method} ${request.url}`);
    const body = Buffer.concat(await request.toArray()).toString();
    const say = (status: number, value: object): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const { pathname, searchParams } = new URL(request.url!, 'http://docker');
    if (pathname === '/version') return say(200, { ApiVersion: versions.most, MinAPIVersion: versions.least });
    const [, version = '', path = ''] = /^\/v([\d.]+)(\/.*)$/.exec(pathname) ?? [];
    const minor = (text: string): number => Number(text.split('.')[1]);
    if (!(minor(version) >= minor(versions.least) && minor(version) <= minor(versions.most)))
      return say(400, { message: `client version ${version} is not supported` });
    if (path === '/containers/json') return say(200, listed(searchParams.get('filters')!));
    const [, kind = '', id = '', what = ''] = path.split('/');
    const container = all.find((c) => c.id === id);
    if (kind === 'containers' && container === undefined) return say(404, { message: `No such container: ${id}` });
    if (what === 'logs') return options.logs!(response, searchParams, id);
    if (what === 'exec')
      return say(201, { Id: String(commands.push((JSON.parse(body) as { Cmd: string[] }).Cmd) - 1) });
    if (kind === 'exec')
      return say(200, execStates[Math.min(asked++, execStates.length - 1)] ?? { Running: false, ExitCode: 0 });
    say(200, { Id: id, Config: { Tty: container!.tty ?? false, Labels: container!.labels } });
  }

  function listed(filters: string): object[] {
    const { label } = JSON.parse(filters) as { readonly label: readonly string[] };
    const holds = (c: FakeContainer): boolean =>
      label.every((l) => c.labels[l.slice(0, l.indexOf('='))] === l.slice(l.indexOf('=') + 1));
    return all.filter(holds).map((c) => ({ Id: c.id, Labels: c.labels }));
  }

  const server = createServer((request, response) => void serve(request, response));
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    requests.push(`${request.method} ${request.url}`);
    const { refuseExec } = options;
    if (refuseExec !== undefined) {
      const body = JSON.stringify({ message: refuseExec.message });
      socket.end(
        `HTTP/1.1 ${refuseExec.status} No\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      );
      return;
    }
    void begin(request, socket, head);
  });

  async function begin(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    // Node gives the body as that of a request without upgrade, and what comes after it as `head`.
    await request.toArray();
    if (head.length > 0) socket.unshift(head);
    const type = 'Content-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp';
    socket.write(`HTTP/1.1 101 UPGRADED\r\n${type}\r\n\r\n`);
    options.exec!(socket, commands[Number(/exec\/(\d+)\//.exec(request.url!)![1])]!);
  }

  await new Promise<void>((resolve) => void server.listen(socketPath, resolve));
  return {
    socketPath,
    requests,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => void server.close(resolve));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const labelled = (project: string): Pick<FakeContainer, 'labels'> => ({
  labels: { ...composed('', 'control').labels, 'com.docker.compose.project': project },
});
