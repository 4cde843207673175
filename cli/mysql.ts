/** The database of `lateen up --mysql`: outside the mesh, so that egress can be tried. Its own server in a process beside, or a real one. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { InvalidArgumentError } from 'commander';
import type { Resource } from '#proxy/istio/resource.ts';
import { CliError } from './cli-error.ts';

/** Who the services of BookInfo are to the database, and where it is. */
export type MysqlPlace = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Null: the one the services expect, `bookinfo_db`. */
  readonly database: string | null;
};

export type Mysql = { readonly place: MysqlPlace; stop(): Promise<void> };

/** Loopback, outside the addresses of pods, and named by the egress rules of config/bookinfo-mysql. */
const HOST = '127.0.53.6';
const PORT = 3306;
/** Of the pattern's own fallback; the server is reached on this machine alone. */
const ACCOUNT = { user: 'book_user', password: 'password', database: null };

const SECRET = 'demo-credentials';
const START_MS = 15_000;
const STOP_MS = 2000;

/** `mysql://user:password@host:port/database`. Without a password, that of MYSQL_PWD is taken: a command line is no place for one. */
export function mysqlUrl(text: string): MysqlPlace {
  const url = URL.parse(text);
  if (url?.protocol !== 'mysql:' || url.hostname === '' || url.username === '')
    throw new InvalidArgumentError('Expected a URL such as mysql://user:password@db.example.com:3306.');
  const database = part(url.pathname.slice(1));
  if (database.includes('/') || url.search !== '' || url.hash !== '')
    throw new InvalidArgumentError('Expected nothing in the URL behind the name of the database.');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? PORT : Number(url.port),
    user: part(url.username),
    password: url.password === '' ? (process.env['MYSQL_PWD'] ?? '') : part(url.password),
    database: database === '' ? null : database,
  };
}

function part(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new InvalidArgumentError('Expected `%` in the URL to be written as `%25`.');
  }
}

/** The Secret that the services take their account from (the pattern's secrets.yaml). */
export const credentials = ({ host, port, user, password, database }: MysqlPlace): Resource =>
  ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: SECRET, namespace: 'default' },
    type: 'Opaque',
    data: Object.fromEntries(
      Object.entries({
        username: user,
        password,
        host,
        port: String(port),
        ...(database === null ? {} : { database }),
      }).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    ),
  }) as unknown as Resource;

/** Starts the server that comes with Lateen, and again whenever it ends. Throws a CliError when it does not come up. */
export async function startMysql(lateen: readonly string[], stateDir: string): Promise<Mysql> {
  const data = join(stateDir, 'mysql');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const [file = '', ...words] = lateen;
  for (let tries = 1; ; tries++) {
    const { host, port } = await freePlace();
    const args = [...words, 'bookinfo', 'mysql', '--listen', `${host}:${port}`, '--data', data];
    const keeper = new Keeper(() => launch(file, args));
    try {
      await keeper.start();
      return { place: { host, port, ...ACCOUNT }, stop: () => keeper.stop() };
    } catch (error) {
      // Another mesh that starts at the same time may have taken the place in between.
      if (tries === 3 || (await free(host, port)) !== null) throw error;
    }
  }
}

/** In a group of its own: Ctrl-C is for the mesh, whose pods need their database until they have ended. */
const launch = (file: string, args: readonly string[]): ChildProcess =>
  spawn(file, args, {
    env: {
      ...process.env,
      LATEEN_PARENT_PIPE: '1',
      MYSQL_DB_USER: ACCOUNT.user,
      MYSQL_DB_PASSWORD: ACCOUNT.password,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });

/** Keeps one process running: after its end it is started again, at once the first time, then after a while. */
class Keeper {
  readonly #spawn: () => ChildProcess;
  #child: ChildProcess | null = null;
  /** False until it has listened once, and when it is to end. */
  #keeps = false;
  #wait = 0;
  #again: NodeJS.Timeout | null = null;

  constructor(start: () => ChildProcess) {
    this.#spawn = start;
  }

  /** Resolves when it says, in a line of its own, that it listens. */
  async start(): Promise<void> {
    const child = this.#launch();
    const said = await Promise.race([listens(child), ended(child), late()]);
    this.#keeps = said === null;
    if (this.#keeps) return;
    await this.stop();
    throw new CliError(`the MySQL server of BookInfo did not start: ${said}.`, {
      hint: 'Try it alone: ./lateen bookinfo mysql --listen 127.0.53.6:3306 --data /tmp/bookinfo-mysql',
    });
  }

  async stop(): Promise<void> {
    this.#keeps = false;
    if (this.#again !== null) clearTimeout(this.#again);
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const exited = once(child, 'exit');
    child.stdin?.end();
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(kill);
  }

  #launch(): ChildProcess {
    const child = this.#spawn();
    this.#child = child;
    const since = performance.now();
    child.stdin?.on('error', () => {});
    child.once('error', () => {});
    child.once('exit', (code, signal) => {
      if (!this.#keeps) return;
      if (performance.now() - since > 60_000) this.#wait = 0;
      process.stderr.write(
        `the MySQL server of BookInfo ended (${signal ?? `exit code ${code}`}); it is started again\n`,
      );
      this.#again = setTimeout(() => drain(this.#launch()), this.#wait);
      this.#wait = Math.min(Math.max(200, this.#wait * 2), 10_000);
    });
    return child;
  }
}

/** Null once its first line has come: one of JSON, when it listens. */
function listens(child: ChildProcess): Promise<null> {
  return new Promise((resolve) => {
    createInterface({ input: child.stdout! }).once('line', () => {
      resolve(null);
      drain(child);
    });
  });
}

const drain = (child: ChildProcess): void => void child.stdout?.resume();

function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? `exit code ${code}`}`));
  });
}

const late = (): Promise<string> =>
  new Promise((resolve) => setTimeout(() => resolve('it did not listen in time'), START_MS).unref());

/** Its usual place; another port when somebody has it; 127.0.0.1 where there is no other loopback address (macOS). */
async function freePlace(): Promise<{ readonly host: string; readonly port: number }> {
  for (const host of [HOST, '127.0.0.1'])
    for (const wanted of [PORT, 0]) {
      const port = await free(host, wanted);
      if (port !== null) return { host, port };
    }
  throw new CliError('no loopback address has a free port for the MySQL server of BookInfo.');
}

function free(host: string, wanted: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen({ host, port: wanted, exclusive: true }, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
