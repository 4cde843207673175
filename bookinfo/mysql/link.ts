/** One connection to MySQL with a patience: whatever mysql2 or the server does, a statement ends as a value, and in time. */
import type { Socket } from 'node:net';
import type { Connection } from 'mysql2';
import type { MysqlSettings } from './settings.ts';
import { openSocket } from './socket.ts';

export type Row = Readonly<Record<string, unknown>>;

export type Rows = { readonly ok: true; readonly rows: readonly Row[]; readonly affected: number };

/** Why there is no answer. `errno` is the server's own (dev.mysql.com, Server Error Reference); null: nothing was heard of it. */
export type Failure = {
  readonly ok: false;
  readonly stage: 'connect' | 'query';
  readonly reason: string;
  readonly errno: number | null;
};

export type Value = string | number | null;

export class Link {
  /** True from its end on: it is of no more use. */
  dead = false;
  /** When, by performance.now(). */
  readonly opened = performance.now();
  readonly #socket: Socket;
  readonly #connection: Connection;
  /** Takes the result of the statement under way. */
  #pending: ((result: Rows | Failure) => void) | null = null;

  private constructor(socket: Socket, connection: Connection) {
    this.#socket = socket;
    this.#connection = connection;
    socket.once('end', () => {
      this.dead = true;
    });
    socket.once('close', () => {
      this.dead = true;
      this.#pending?.(failure('query', new Error('the connection was lost')));
    });
  }

  /** Connects and signs in, both within `timeoutMs`. */
  static async open(settings: MysqlSettings, timeoutMs: number): Promise<Link | Failure> {
    const until = performance.now() + timeoutMs;
    // Loaded by the first connection: most services of the sample have no database.
    const driver = (await import('mysql2')).default;
    let socket: Socket;
    try {
      socket = await openSocket(settings, timeoutMs);
    } catch (error) {
      return failure('connect', error);
    }
    const { host, port, user, password, database, tls } = settings;
    const options = {
      host,
      port,
      user,
      password,
      stream: socket,
      charset: 'utf8mb4',
      ...(database === '' ? {} : { database }),
    };
    const checked = { rejectUnauthorized: tls === 'verify', verifyIdentity: tls === 'verify' };
    const connection = driver.createConnection(tls === 'off' ? options : { ...options, ssl: checked });
    guard(socket);
    const link = new Link(socket, connection);
    return await new Promise((resolve) => {
      const give = (result: Link | Failure): void => {
        clearTimeout(timer);
        if (result !== link) link.destroy();
        resolve(result);
      };
      const left = Math.max(1, until - performance.now());
      const timer = setTimeout(
        () => give(failure('connect', new Error(`${host}:${port}: no greeting within ${timeoutMs} ms`))),
        left,
      );
      // Stays for good: mysql2 tells of a connection's end by this event, and an event nobody hears is thrown.
      connection.on('error', (error: Error) => give(failure('connect', error)));
      connection.once('connect', () => give(link));
      socket.resume();
    });
  }

  /** Runs a prepared statement, one at a time. When it does not end in time the connection is given up, with the statement on it. */
  execute(sql: string, values: readonly Value[], timeoutMs: number): Promise<Rows | Failure> {
    return new Promise((resolve) => {
      const give = (result: Rows | Failure): void => {
        clearTimeout(timer);
        this.#pending = null;
        resolve(result);
      };
      const late = (): void => {
        give(failure('query', new Error('no answer in time')));
        this.destroy();
      };
      const timer = setTimeout(late, Math.max(1, timeoutMs));
      this.#pending = give;
      this.#connection.execute(sql, [...values], (error, result) => {
        if (error !== null) {
          const known = failure('query', error);
          // Only what the server said of a statement leaves the connection as it was.
          if (known.errno === null) this.destroy();
          return give(known);
        }
        const rows = Array.isArray(result) ? (result as unknown as readonly Row[]) : [];
        give({ ok: true, rows, affected: Array.isArray(result) ? 0 : result.affectedRows });
      });
    });
  }

  /** An idle connection does not keep the process alive. */
  keepsAlive(yes: boolean): void {
    if (yes) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Says goodbye; cuts when that is not heard within a second. */
  end(): void {
    if (this.dead) return this.destroy();
    this.dead = true;
    this.#connection.end(() => {});
    setTimeout(() => this.#socket.destroy(), 1_000).unref();
  }

  destroy(): void {
    this.dead = true;
    this.#connection.destroy();
    this.#socket.destroy();
  }
}

/** mysql2 reads what comes in the socket's event: bytes that are no MySQL make it throw there, which nobody could catch. */
function guard(socket: Socket): void {
  for (const listener of socket.listeners('data') as ((chunk: Buffer) => void)[]) {
    socket.off('data', listener);
    socket.on('data', (chunk: Buffer) => {
      try {
        listener(chunk);
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error('no MySQL'));
      }
    });
  }
}

function failure(stage: Failure['stage'], error: unknown): Failure {
  const { errno, sqlState, message } = error as { errno?: unknown; sqlState?: unknown; message?: string };
  const said = typeof sqlState === 'string' && typeof errno === 'number';
  return { ok: false, stage, reason: message ?? 'unknown', errno: said ? errno : null };
}
