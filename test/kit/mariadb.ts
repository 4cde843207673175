/** A real MariaDB of a test's own: its data in a directory that goes with it, as a user without rights, on a loopback address. */
import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const MARIADB: boolean = ['mariadbd', 'mariadb-install-db'].every(installed);
if (!MARIADB && process.env['LATEEN_REQUIRE_TOOLS'] === '1')
  throw new Error('MariaDB is not installed, and LATEEN_REQUIRE_TOOLS=1 requires it');

export type Mariadb = AsyncDisposable & {
  readonly host: string;
  readonly port: number;
  /** Ends it as a crash would, or lets it stand still. */
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Starts it again, on the same data and port. Resolves when it takes connections. */
  start(): Promise<void>;
};

/**
 * root and book_user may do everything, with `password`. `more`: flags of mariadbd. `namespace`: a network namespace (test/kit/namespace.ts) where it
 * runs, at port 3306 then.
 */
export async function startMariadb(
  host: string,
  more: readonly string[] = [],
  namespace: string | null = null,
): Promise<Mariadb> {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-mariadb-'));
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  if (user.uid !== undefined) chownSync(dir, user.uid, user.gid);
  const data = `--datadir=${join(dir, 'data')}`;
  const install = ['--no-defaults', '--auth-root-authentication-method=normal', '--skip-test-db', data];
  execFileSync('mariadb-install-db', install, { stdio: 'ignore', cwd: dir, ...user });
  const init = join(dir, 'init.sql');
  const narrower = "DROP USER IF EXISTS root@'127.0.0.1', root@'::1';\n";
  writeFileSync(init, narrower + ['root', 'book_user'].map(account).join(''), { mode: 0o644 });
  const port = namespace === null ? await freePort(host) : 3306;
  const args = [
    '--no-defaults',
    data,
    `--bind-address=${host}`,
    `--port=${port}`,
    `--socket=${join(dir, 'sock')}`,
    `--pid-file=${join(dir, 'pid')}`,
    `--init-file=${init}`,
    '--innodb-buffer-pool-size=8M',
    // What is written outlives a crash of the server, which is all a test does.
    '--innodb-flush-log-at-trx-commit=2',
    '--skip-name-resolve',
    ...more,
  ];
  let child: ChildProcess | null = null;
  const start = async (): Promise<void> => {
    const options: SpawnOptions = { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] };
    // Only root may enter a namespace, so there it is the server that gives its rights away.
    const there = [`--net=/run/netns/${namespace}`, '--', 'mariadbd', ...args, `--user=${user.uid}`];
    child = namespace === null ? spawn('mariadbd', args, { ...options, ...user }) : spawn('nsenter', there, options);
    await listening(child);
  };
  const signal = async (name: NodeJS.Signals): Promise<void> => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exit = name === 'SIGKILL' ? once(child, 'exit') : null;
    child.kill(name);
    await exit;
  };
  const end = (): void => void child?.kill('SIGKILL');
  process.once('exit', end);
  await start();
  return {
    host,
    port,
    signal,
    start,
    [Symbol.asyncDispose]: async () => {
      await signal('SIGKILL');
      process.off('exit', end);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const account = (name: string): string =>
  `CREATE USER IF NOT EXISTS ${name}@'%' IDENTIFIED BY 'password';\nGRANT ALL ON *.* TO ${name}@'%' WITH GRANT OPTION;\n`;

/** Its log says when it is ready; when it ends before, the log is the error. */
function listening(child: ChildProcess): Promise<void> {
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`mariadbd ended:\n${said.slice(-20).join('\n')}`)));
    createInterface({ input: child.stderr! }).on('line', (line) => {
      said.push(line);
      if (line.includes('ready for connections')) resolve();
    });
  });
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function installed(tool: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
