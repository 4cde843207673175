/** `lateen up`: the whole mesh on this machine, until it is told to stop. */
import { existsSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { PodRuntime } from '#control-api/pod-runtime.ts';
import { startRunner, type Runner } from '#control-api/runner/runner.ts';
import { PATH_NORMALIZATIONS, type PathNormalization } from '#proxy/core/path.ts';
import { rangesProblem } from '#proxy/istio/interception.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import { PROPAGATIONS, type Propagation } from '#proxy/telemetry/trace-context.ts';
import { Api, reachable } from './api.ts';
import { applyFiles, applyOne } from './applied.ts';
import { CliError, report } from './cli-error.ts';
import { forget, startControlPlane, type ControlPlane } from './control-plane.ts';
import { count, each, percent, port, url } from './flags.ts';
import { watchReady, type ReadyWatch } from './mesh-ready.ts';
import { credentials, mysqlUrl, startMysql, type Mysql, type MysqlPlace } from './mysql.ts';
import { paint } from './paint.ts';

type Flags = {
  readonly host: string;
  readonly port: number;
  readonly gatewayBind: string;
  readonly gatewayPort: number;
  readonly gatewayTlsPort: number;
  readonly podCidr: string;
  readonly state: string;
  readonly fresh?: true;
  readonly bookinfo?: true;
  readonly empty?: true;
  /** True: the database that comes with Lateen. */
  readonly mysql?: true | MysqlPlace;
  readonly includeIpRanges: string;
  readonly excludeIpRanges: string;
  readonly watch: string;
  readonly images: string;
  readonly zipkin?: readonly string[];
  readonly otlp?: readonly string[];
  readonly propagation: Propagation;
  readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  readonly pathNormalization: PathNormalization;
  readonly tracing: number;
  readonly accessLog: string;
  readonly concurrency: number;
  readonly allowHost?: readonly string[];
};

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What makes the page work, and nothing more: every rule on top is for people to try. */
const BOOKINFO = ['config/bookinfo/bookinfo.yaml', 'config/bookinfo/bookinfo-gateway.yaml'];
const BOOKINFO_MYSQL = ['config/bookinfo-mysql/bookinfo-mysql.yaml', 'config/bookinfo-mysql/bookinfo-gateway.yaml'];
/** How long Pods may take to end what they are doing when the mesh is stopped. */
const STOP_MS = 5000;

export const command = (): Command =>
  new Command('up')
    .description(
      'Runs the mesh on this machine: control API, ingress gateway, and every Deployment as processes with a sidecar each.\nOn the first start BookInfo is applied. Ctrl-C stops everything.',
    )
    .option('--port <port>', 'of the control API', port, 8001)
    .option('--host <address>', 'the control API listens on', '127.0.0.1')
    .option('--gateway-port <port>', 'of the ingress gateway, HTTP', port, 8080)
    .option('--gateway-tls-port <port>', 'of the ingress gateway, HTTPS', port, 8443)
    .option('--gateway-bind <address>', 'the ingress gateway listens on', '127.0.0.1')
    .option('--pod-cidr <range>', 'loopback addresses for pods', '127.1.0.0/16')
    .option('--state <dir>', 'where changes, logs and last good configurations are kept', '.lateen')
    .option('--fresh', 'forget what an earlier run kept there')
    .addOption(new Option('--bookinfo', 'apply BookInfo, also when this is not the first start').conflicts('empty'))
    .option('--empty', 'do not apply BookInfo')
    .option(
      '--mysql [url]',
      'BookInfo on MySQL, outside the mesh: mysql://user:password@host:port, or its own server',
      mysqlUrl,
    )
    .option(
      '--include-ip-ranges <ranges>',
      'addresses that applications reach through their sidecars',
      ranges(true),
      '*',
    )
    .option('--exclude-ip-ranges <ranges>', 'addresses that they reach without', ranges(false), '')
    .option('--watch <dir>', 'follow the YAML files of this directory', join(ROOT, 'config/live'))
    .option('--images <file>', 'which command an image stands for', join(ROOT, 'config/images.yaml'))
    .option('--zipkin <url>', 'send spans to this Zipkin, too; repeatable', each(url))
    .option('--otlp <url>', 'send spans to this OpenTelemetry collector, too; repeatable', each(url))
    .addOption(
      new Option('--propagation <headers>', 'which headers carry traces from hop to hop')
        .choices(PROPAGATIONS)
        .default('b3'),
    )
    .addOption(
      new Option('--outbound-policy <policy>', 'what happens to calls to hosts nobody declared')
        .choices(['ALLOW_ANY', 'REGISTRY_ONLY'])
        .default('ALLOW_ANY'),
    )
    .addOption(
      new Option('--path-normalization <mode>', 'which spellings of a path are one: as in Istio’s MeshConfig')
        .choices(PATH_NORMALIZATIONS)
        .default('BASE'),
    )
    .option('--tracing <percent>', 'share of requests that start a trace', percent, 100)
    .option('--access-log <where>', 'of the proxies: stdout (lateen logs it per container), off or a file', 'stdout')
    .option('--concurrency <n>', 'worker threads of each proxy', count, 1)
    .option('--allow-host <name>', 'the control API answers to this host name, too; repeatable', each(String))
    .action(up);

async function up(flags: Flags): Promise<void> {
  const started = performance.now();
  const stateDir = resolve(flags.state);
  if (flags.fresh === true) forget(stateDir);
  let runner: Runner | null = null;
  let mysql: Mysql | null = null;
  let ready: ReadyWatch | null = null;
  const runtime: PodRuntime = {
    logs: (...about) => runner?.pods.logs(...about) ?? null,
    exec: (...about) => runner?.pods.exec(...about) ?? null,
  };
  const plane = await startControlPlane({
    host: flags.host,
    port: flags.port,
    stateDir,
    allowHosts: flags.allowHost ?? [],
    watchDir: existsSync(flags.watch) ? flags.watch : null,
    runtime,
    ready: () => ready?.current() ?? { ready: false, reasons: ['starting'] },
    idle: () => runner?.idle() ?? Promise.resolve(),
    mesh: {
      outboundTrafficPolicy: flags.outboundPolicy,
      tracingPercent: flags.tracing,
      pathNormalization: flags.pathNormalization,
    },
  });
  const stop = stopOnSignals(async () => {
    await runner?.stop(STOP_MS);
    // Pods may write to it until they have ended.
    await mysql?.stop();
    await plane.close();
  });
  try {
    const gateway = await gatewayPlace(flags);
    // Pods of an earlier run are gone, and what they kept with them.
    for (const name of ['logs', 'pods', 'proxies']) rmSync(join(stateDir, name), { recursive: true, force: true });
    const api = new Api(reachable(plane.api.url));
    if (flags.mysql === true) mysql = await startMysql(lateen(), stateDir);
    const database = flags.mysql === true ? (mysql?.place ?? null) : (flags.mysql ?? null);
    const secret = database === null ? null : credentials(database);
    const onMysql = usesMysql(plane.store.list('Deployment', 'default'));
    // Before any Pod starts: what it finds then is what it keeps.
    if (secret !== null) await applyOne(api, secret, false);
    else if (onMysql && existsSync(join(stateDir, 'mysql'))) process.stderr.write(FORGOTTEN);
    runner = startMesh(flags, plane, stateDir, gateway, api.server);
    const first = plane.fresh || (secret !== null && !onMysql);
    if (flags.empty !== true && (first || flags.bookinfo === true))
      await applyFiles(
        api,
        (secret === null ? BOOKINFO : BOOKINFO_MYSQL).map((file) => join(ROOT, file)),
      );
    plane.begun();
    const page = { host: reachableHost(gateway.bind), port: gateway.http, path: '/productpage' };
    // Without a rule that lets it through, the database is blocked, which is what is to be seen.
    const blocked = database !== null && flags.outboundPolicy === 'REGISTRY_ONLY';
    ready = watchReady(plane.store, page, blocked ? 0 : undefined);
    const nag = setInterval(
      () => process.stderr.write(`still waiting: ${ready?.current().reasons.join('; ') ?? ''}\n`),
      10_000,
    );
    await ready.wait(stop.signal);
    clearInterval(nag);
    if (!stop.signal.aborted)
      process.stdout.write(table(api.server, page, (performance.now() - started) / 1000, stateDir, database));
  } catch (error) {
    process.exitCode = report(error);
    await stop.now();
  }
}

/** A port 0 is chosen now, since the Gateway's Service has to name it. Throws a CliError when a port is taken. */
async function gatewayPlace(flags: Flags): Promise<{ bind: string; http: number; https: number }> {
  const bind = flags.gatewayBind;
  const http = await usablePort(bind, flags.gatewayPort, '--gateway-port');
  return { bind, http, https: await usablePort(bind, flags.gatewayTlsPort, '--gateway-tls-port') };
}

function usablePort(host: string, wanted: number, flag: string): Promise<number> {
  return new Promise((found, refuse) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is taken' : `cannot be bound (${error.code ?? error.message})`;
      refuse(
        new CliError(`port ${wanted} on ${host} ${why}; the ingress gateway needs it.`, {
          hint: `Stop what listens there (ss -ltnp 'sport = :${wanted}'), or choose another port: ${flag} N.`,
        }),
      );
    });
    server.listen({ host, port: wanted, exclusive: true }, () => {
      const { port } = server.address() as { port: number };
      server.close(() => found(port));
    });
  });
}

function startMesh(
  flags: Flags,
  { api, store }: ControlPlane,
  stateDir: string,
  gateway: { bind: string; http: number; https: number },
  controlUrl: string,
): Runner {
  const zipkin = [controlUrl, ...(flags.zipkin ?? [])].map((to) => `--zipkin=${to}`);
  return startRunner({
    store,
    controlUrl,
    lateen: lateen(),
    outbound: { include: flags.includeIpRanges, exclude: flags.excludeIpRanges },
    stateDir,
    imagesFile: resolve(flags.images),
    podCidr: flags.podCidr,
    gateway,
    proxyFlags: [
      ...zipkin,
      ...(flags.otlp ?? []).map((to) => `--otlp=${to}`),
      `--propagation=${flags.propagation}`,
      `--tracing=${flags.tracing}`,
      `--outbound-policy=${flags.outboundPolicy}`,
      `--path-normalization=${flags.pathNormalization}`,
      `--access-log=${flags.accessLog}`,
      `--concurrency=${flags.concurrency}`,
    ],
    cwd: process.cwd(),
    startWidth: Math.max(2, availableParallelism() * 2),
    settled: (revision) => api.proxies.settled(revision),
    onError: (message) => process.stderr.write(`${message}\n`),
  });
}

/** The first signal ends everything in order; a second one at once. */
function stopOnSignals(all: () => Promise<void>): { readonly signal: AbortSignal; now(): Promise<void> } {
  const ending = new AbortController();
  const end = async (): Promise<void> => {
    ending.abort();
    await all();
  };
  const stop = (): void => {
    // The reaper ends what is left.
    if (ending.signal.aborted) process.exit(130);
    process.stderr.write('stopping …\n');
    void end().then(
      () => process.exit(0),
      (error: unknown) => process.exit(report(error)),
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
  return { signal: ending.signal, now: end };
}

const reachableHost = (host: string): string => (host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host);

function table(
  control: string,
  page: { readonly host: string; readonly port: number; readonly path: string },
  seconds: number,
  stateDir: string,
  database: MysqlPlace | null,
): string {
  const shown = (address: string): string => address.replace('//127.0.0.1:', '//localhost:');
  const rows = [
    ['BookInfo', shown(`http://${page.host}:${page.port}${page.path}`)],
    ['control API', shown(control)],
    ['kubectl', `kubectl --server ${shown(control)} get pods`],
    ...(database === null ? [] : [['MySQL', `${database.host}:${database.port}, outside the mesh`]]),
    ['traces', shown(`${control}/lateen/v1/traces`)],
    ['logs', join(stateDir, 'logs')],
    ['stop', 'Ctrl-C'],
  ];
  return `${paint('green', 'ready')} in ${seconds.toFixed(1)} s\n\n${rows.map(([name, value]) => `  ${paint('bold', name!.padEnd(12))} ${value}\n`).join('')}\n`;
}

const FORGOTTEN =
  'BookInfo runs on MySQL here, since an earlier start with --mysql; start with --mysql again, or anew with --fresh.\n';

const usesMysql = (deployments: readonly Resource[]): boolean =>
  deployments.some(({ spec }) => JSON.stringify(spec).includes('"demo-credentials"'));

/** Reads IP ranges with commas between; `star`: also `*`. */
const ranges =
  (star: boolean) =>
  (text: string): string => {
    const problem = rangesProblem(text, star);
    if (problem === null) return text;
    throw new InvalidArgumentError(`E${problem.slice(1)}.`);
  };

const lateen = (): string[] => [process.execPath, ...inheritedFlags(), join(ROOT, 'cli/main.ts')];

/** The flags the launcher gave this process are right for its children, too; a debugger's port is not. */
const inheritedFlags = (): string[] => process.execArgv.filter((flag) => !flag.startsWith('--inspect'));
