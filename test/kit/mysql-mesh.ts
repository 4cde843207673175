/** A mesh with BookInfo on MySQL, and its database outside of it: the one that comes with Lateen, or a real MariaDB. */
import { connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { Link, type Failure } from '#bookinfo/mysql/link.ts';
import { BOOKINFO_DB } from '#bookinfo/mysql/schema.ts';
import { mysqlSettings } from '#bookinfo/mysql/settings.ts';
import { MARIADB, startMariadb } from './mariadb.ts';
import { startMesh, type Mesh } from './mesh.ts';
import { run } from './steer.ts';

export type MysqlMesh = AsyncDisposable & {
  readonly mesh: Mesh;
  /** `127.0.53.6:3306`: the database, as proxies and logs name it. */
  readonly place: string;
  readonly host: string;
  readonly port: number;
  /** A file of config/bookinfo-mysql, with the addresses of this mesh and its database instead of those of `npm start`. */
  config(name: string): Promise<string>;
  /** `kubectl apply` of such a text; back when every proxy has it. */
  apply(text: string): Promise<string>;
  /** The newest pod with these labels. */
  pod(labels: string): Promise<{ readonly name: string; readonly ip: string }>;
  /** Back when every proxy that is not about to end has what was last applied. */
  settled(): Promise<void>;
  /** A connection of the test's own to the database, through the sidecar of that pod. */
  connect(labels: string): Promise<Link | Failure>;
  /** The database answers no more; `heal` ends that. */
  fail(): Promise<void>;
  heal(): Promise<void>;
  /** Cuts all its connections. */
  restart(): Promise<void>;
};

export type Kind = {
  readonly name: string;
  readonly available: boolean;
  start(args: readonly string[]): Promise<MysqlMesh>;
};

export const DATABASES: readonly Kind[] = [
  { name: "Lateen's own server", available: true, start: onItsOwn },
  { name: MARIADB ? 'MariaDB' : 'MariaDB, which is not installed here', available: MARIADB, start: onMariadb },
];

type Control = Pick<MysqlMesh, 'fail' | 'heal' | 'restart'>;

/** Stands still when it fails: whoever waits for it must give up by himself. */
async function onItsOwn(args: readonly string[]): Promise<MysqlMesh> {
  const mesh = await startMesh({ args: ['--mysql', ...args] });
  const { host, port } = placeOf(await mesh.kubectl('get', 'secret', 'demo-credentials', '-o', 'json'));
  const signal = async (name: NodeJS.Signals): Promise<void> => {
    const { stdout } = await run('ps', ['-axo', 'pid=,command=']);
    const line = stdout.split('\n').find((l) => l.includes(`bookinfo mysql --listen ${host}:${port} `));
    if (line === undefined) throw new Error(`nobody serves ${host}:${port}:\n${stdout}`);
    process.kill(Number.parseInt(line, 10), name);
  };
  return made(mesh, host, port, {
    fail: () => signal('SIGSTOP'),
    heal: () => signal('SIGCONT'),
    restart: async () => {
      await signal('SIGKILL');
      // `lateen up` starts it again.
      while (!(await accepts(host, port))) await new Promise((resolve) => setTimeout(resolve, 20));
    },
  });
}

/** Is killed when it fails: whoever tries is refused. */
async function onMariadb(args: readonly string[]): Promise<MysqlMesh> {
  const server = await startMariadb('127.49.0.1');
  const { host, port } = server;
  const fail = (): Promise<void> => server.signal('SIGKILL');
  const heal = (): Promise<void> => server.start();
  const restart = (): Promise<void> => fail().then(heal);
  try {
    const mesh = await startMesh({ args: ['--mysql', `mysql://book_user:password@${host}:${port}`, ...args] });
    const whole = made(mesh, host, port, { fail, heal, restart });
    return {
      ...whole,
      [Symbol.asyncDispose]: async () => {
        await whole[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

function made(mesh: Mesh, host: string, port: number, control: Control): MysqlMesh {
  const pod: MysqlMesh['pod'] = async (labels) => {
    const both = 'jsonpath={.items[-1:].metadata.name} {.items[-1:].status.podIP}';
    const [name = '', ip = ''] = (
      await mesh.kubectl('get', 'pod', '-l', labels, '--sort-by=.metadata.creationTimestamp', '-o', both)
    ).split(' ');
    return { name, ip };
  };
  const settled = async (): Promise<void> => {
    for (;;) {
      const { proxies } = (await (await fetch(`${mesh.control}/lateen/v1/proxies`)).json()) as Proxies;
      if (proxies.every(({ sync }) => sync === 'SYNCED' || sync === 'DISCONNECTED')) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return {
    mesh,
    host,
    port,
    place: `${host}:${port}`,
    ...control,
    pod,
    settled,
    config: async (name) => {
      const pods = (await pod('app=details')).ip.replace(/\.\d+\.\d+$/, '.0.0/16');
      return readFileSync(new URL(`../../config/bookinfo-mysql/${name}.yaml`, import.meta.url), 'utf8')
        .replaceAll('127.0.53.6', host)
        .replaceAll('3306', String(port))
        .replaceAll('127.1.0.0/16', pods);
    },
    apply: async (text) => {
      const { code, stdout, stderr } = await mesh.tryKubectl(['apply', '-f', '-'], text);
      if (code !== 0) throw new Error(stderr);
      await settled();
      return stdout;
    },
    connect: async (labels) => {
      const env = {
        MYSQL_DB_HOST: host,
        MYSQL_DB_PORT: String(port),
        MYSQL_DB_USER: 'book_user',
        MYSQL_DB_PASSWORD: 'password',
        http_proxy: `http://${(await pod(labels)).ip}:15001`,
      };
      return Link.open(mysqlSettings(env, BOOKINFO_DB)!, 5000);
    },
    [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose](),
  };
}

type Proxies = { readonly proxies: readonly { readonly sync: string }[] };

function placeOf(secret: string): { readonly host: string; readonly port: number } {
  const { data } = JSON.parse(secret) as { readonly data: Readonly<Record<string, string>> };
  const read = (key: string): string => Buffer.from(data[key]!, 'base64').toString();
  return { host: read('host'), port: Number(read('port')) };
}

/** Whether anybody takes connections there. */
export function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => resolve(true)).on('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
