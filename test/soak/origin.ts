/** The fleet behind the proxy: three versions that echo, do what a request's `x-fault` says, note what they did, and restart now and then. */
import { createServer, type Server, type Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import { field, LlhttpReader, type Seen } from '../conformance/llhttp.ts';
import type { Fault } from './faults.ts';

const SWITCH = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

/** After these nothing more is read from the connection. */
const ENDING: ReadonlySet<Fault> = new Set<Fault>([
  'rst-before-head',
  'fin-before-head',
  'rst-in-head',
  'rst-in-body',
  'fin-in-body',
  'fin-in-chunks',
  'garbage',
  'fin-after',
  'close-said',
  'hang',
]);

export type Window = { readonly from: number; to: number };

/** `size` bytes that only the request `id` is answered with. */
export const contentOf = (id: string, size: number): string =>
  `${id} `.repeat(Math.ceil(size / (id.length + 1))).slice(0, size);

/** What a request body is answered with. */
export const receiptOf = (body: string): string => `${body.length} ${crc32(Buffer.from(body, 'latin1'))}`;

export class Fleet implements AsyncDisposable {
  /** What each request met, arrival by arrival. The judge takes entries out. */
  readonly met = new Map<string, Fault[]>();
  /** `performance.now()` of restarts, oldest first; the last may be open (Infinity). */
  readonly restarts: Window[] = [];
  /** When an idle connection was last closed without a word. */
  closedIdleAt = -Infinity;
  /** What is no HTTP/1.1 request in the form a proxy sends it: none, ever. */
  readonly broken: string[] = [];
  readonly versions: readonly Version[];

  private constructor(hosts: readonly string[]) {
    this.versions = hosts.map((host, i) => new Version(this, `v${i + 1}`, host));
  }

  static async start(hosts: readonly string[]): Promise<Fleet> {
    const fleet = new Fleet(hosts);
    for (const version of fleet.versions) await version.listen();
    return fleet;
  }

  /** Takes the last version out for `ms`: its connections are reset, new ones refused. */
  async restart(ms: number): Promise<void> {
    const window = { from: performance.now(), to: Infinity };
    this.restarts.push(window);
    if (this.restarts.length > 1000) this.restarts.shift();
    const version = this.versions.at(-1)!;
    await version.close();
    await new Promise((done) => setTimeout(done, ms));
    await version.listen();
    window.to = performance.now();
  }

  /** Whether a restart fell into the time from `from` to `to`, with a little room for what it leaves behind. */
  restartedWithin(from: number, to: number): boolean {
    return this.restarts.some((window) => window.from < to && window.to + 250 > from);
  }

  /** Connections that the proxy has to it. */
  get connections(): number {
    return this.versions.reduce((sum, version) => sum + version.connections, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const version of this.versions) await version.close();
  }
}

export class Version {
  readonly name: string;
  readonly host: string;
  port = 0;
  readonly #fleet: Fleet;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;

  constructor(fleet: Fleet, name: string, host: string) {
    this.#fleet = fleet;
    this.name = name;
    this.host = host;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, this.host, resolve);
    });
    const address = server.address();
    if (address !== null && typeof address === 'object') this.port = address.port;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server!.close(resolve));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      reader.close();
    });
    socket.on('error', () => undefined);
    let reader = new LlhttpReader('request');
    let fault: Fault | null = null;
    let state: 'http' | 'tunnel' | 'over' = 'http';
    socket.on('data', (bytes: Buffer) => {
      if (state === 'tunnel') return void socket.write(bytes);
      if (state === 'over') return;
      reader.feed(bytes);
      const seen = reader.messages[0];
      if (reader.error !== null) this.#fleet.broken.push(`${reader.error}: ${bytes.toString('latin1', 0, 500)}`);
      if (seen === undefined) return;
      if (fault === null) {
        fault = this.#faultOf(seen);
        if (fault === 'informational') socket.write('HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n'.repeat(3));
        if (fault === 'early') {
          state = 'over';
          socket.end(this.#head(seen, 'Content-Length: 5\r\nConnection: close\r\n', '413 Too Large') + 'early');
          return;
        }
      }
      if (!seen.complete) return;
      if (seen.target.startsWith('/ws')) state = 'tunnel';
      else if (ENDING.has(fault)) state = 'over';
      if (state === 'tunnel') socket.write(this.#head(seen, SWITCH, '101 Switching Protocols'));
      else this.#act(socket, seen, fault);
      reader.close();
      reader = new LlhttpReader('request');
      fault = null;
    });
  }

  #act(socket: Socket, seen: Seen, fault: Fault): void {
    const answer = this.#answer(seen);
    const headEnd = answer.indexOf('\r\n\r\n') + 4;
    const middle = answer.slice(0, Math.floor((headEnd + answer.length) / 2));
    switch (fault) {
      case 'rst-before-head':
        return void socket.resetAndDestroy();
      case 'fin-before-head':
        return void socket.end();
      case 'rst-in-head':
        return void socket.write(answer.slice(0, headEnd - 3), 'latin1', () => socket.resetAndDestroy());
      case 'rst-in-body':
        return void socket.write(middle, 'latin1', () => setImmediate(() => socket.resetAndDestroy()));
      case 'fin-in-body':
        return void socket.end(middle, 'latin1');
      case 'fin-in-chunks':
        return void socket.end(this.#head(seen, 'Transfer-Encoding: chunked\r\n') + '5\r\nhalf \r\n', 'latin1');
      case 'garbage':
        return void socket.end('SSH-2.0-OpenSSH_9.2\r\n\r\n');
      case 'hang':
        return;
      case 'fin-after':
        socket.end(answer, 'latin1');
        this.#fleet.closedIdleAt = performance.now();
        return;
      case 'close-said':
        return void socket.end(this.#answer(seen, 'Connection: close\r\n'), 'latin1');
      case 'busy':
        return void socket.write(this.#head(seen, 'Content-Length: 4\r\n', '503 Busy') + 'busy', 'latin1');
      case 'slow':
        // One after the other: when the machine stalls, timers of several lengths run by length, not in order.
        setTimeout(() => {
          socket.write(answer.slice(0, headEnd + 5), 'latin1');
          setTimeout(() => socket.write(answer.slice(headEnd + 5), 'latin1'), 200);
        }, 100);
        return;
      default:
        socket.write(answer, 'latin1');
    }
  }

  /** Notes and gives the fault of one arrival; `x-fault-once`: only the first try meets it. */
  #faultOf(seen: Seen): Fault {
    const id = field(seen.headers, 'x-id') ?? '';
    const wanted = (field(seen.headers, 'x-fault') ?? 'none') as Fault;
    const before = this.#fleet.met.get(id) ?? [];
    const fault = before.length > 0 && field(seen.headers, 'x-fault-once') !== undefined ? 'none' : wanted;
    this.#fleet.met.set(id, [...before, fault]);
    return fault;
  }

  #head(seen: Seen, rest: string, status = '200 OK'): string {
    const id = field(seen.headers, 'x-id') ?? '';
    return `HTTP/1.1 ${status}\r\nx-origin: ${this.name}\r\nx-echo-id: ${id}\r\n${rest}\r\n`;
  }

  #content(seen: Seen): string {
    if (seen.method !== 'GET' && seen.method !== 'HEAD') return receiptOf(seen.body);
    return contentOf(field(seen.headers, 'x-id') ?? '', Number(field(seen.headers, 'x-size') ?? 200));
  }

  #answer(seen: Seen, fields = ''): string {
    const status = field(seen.headers, 'x-status');
    if (status === '204') return this.#head(seen, fields, '204 No Content');
    if (status === '304') return this.#head(seen, `${fields}ETag: "x"\r\n`, '304 Not Modified');
    const content = this.#content(seen);
    if (seen.method === 'HEAD') return this.#head(seen, `${fields}Content-Length: ${content.length}\r\n`);
    if (field(seen.headers, 'x-chunked') === undefined)
      return this.#head(seen, `${fields}Content-Length: ${content.length}\r\n`) + content;
    let chunks = '';
    for (let at = 0; at < content.length; at += 30_000) {
      const chunk = content.slice(at, at + 30_000);
      chunks += `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
    }
    return `${this.#head(seen, `${fields}Transfer-Encoding: chunked\r\n`)}${chunks}0\r\n\r\n`;
  }
}
