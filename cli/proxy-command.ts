/** What `lateen sidecar` and `lateen gateway` share: their flags, and the life of the proxy they start. */
import { Command, Option } from 'commander';
import { boot } from '#proxy/boot.ts';
import type { ProxyOptions } from '#proxy/options.ts';
import { PATH_NORMALIZATIONS, type PathNormalization } from '#proxy/core/path.ts';
import type { Server } from '#proxy/dns/resolv-conf.ts';
import type { ProxyNode } from '#proxy/snapshot/node.ts';
import { PROPAGATIONS, type Propagation } from '#proxy/telemetry/trace-context.ts';
import { CliError } from './cli-error.ts';
import { EnvironmentCommand } from './environment-command.ts';
import { addLimitFlags, limitsOf, type LimitFlags } from './limit-flags.ts';
import { appPort, count, dnsServer, each, labels, milliseconds, percent, port, portMap, url } from './flags.ts';
import { ownAddress } from './own-address.ts';
import { addRegisterFlags, registrationOf, type RegisterFlags } from './register-flags.ts';

type Flags = {
  config?: string;
  control?: string;
  joinTokenFile?: string;
  workload?: string;
  namespace: string;
  labels: Record<string, string>;
  ip: string;
  bind?: string;
  name?: string;
  serviceAccount: string;
  app?: readonly (readonly [string, { host: string; port: number }])[];
  portMap?: Record<string, number>;
  interceptionMode?: ProxyNode['interception'];
  dnsCapture?: readonly Server[];
  dnsUpstream?: readonly Server[];
  outboundPort: number;
  inboundPort: number;
  adminPort: number;
  metricsPort: number;
  mergedPort: number;
  readyPort: number;
  concurrency: number;
  accessLog: string;
  zipkin?: readonly string[];
  otlp?: readonly string[];
  propagation: Propagation;
  outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  pathNormalization: PathNormalization;
  tracing: number;
  state?: string;
  appMetrics?: string;
  drain: number;
  handover?: string;
  takeover?: true;
  trustDomain: string;
} & LimitFlags &
  RegisterFlags;

/** The command of one role, with every flag a proxy has. */
export function proxyCommand(role: ProxyNode['role']): Command {
  const gateway = role === 'gateway';
  const command = new EnvironmentCommand(role)
    .description(
      gateway
        ? 'Runs one gateway proxy until it is told to stop.'
        : 'Runs the proxy beside one application until it is told to stop.',
    )
    .addOption(
      new Option('--config <dir>', 'read every YAML file in this directory, and watch it').conflicts('control'),
    )
    .addOption(new Option('--control <url>', 'follow this control API').argParser(url))
    .option('--join-token-file <file>', 'show --control the token in this file, where it takes nobody without one')
    .option(
      '--workload <name>',
      `name of the Deployment it belongs to${gateway ? ' (default: "istio-ingressgateway")' : ''}`,
    )
    .option('--namespace <name>', 'its namespace', gateway ? 'istio-system' : 'default')
    .option(
      '--labels <pairs>',
      'labels of its pod, such as app=reviews,version=v1',
      labels,
      gateway ? { istio: 'ingressgateway', app: 'istio-ingressgateway' } : {},
    )
    .option(
      '--ip <address>',
      'its own address, where it listens and connects from; a name for it; or auto: the only one there is',
      '127.0.0.1',
    )
    .option('--name <pod>', "name of its pod (default: the workload's)")
    .option('--service-account <name>', 'service account of its pod', 'default')
    .option('--trust-domain <domain>', 'trust domain of the mesh', 'cluster.local');
  if (gateway) {
    command.option(
      '--port-map <pairs>',
      'port of a Gateway server = port to listen on, such as 80=8080,443=8443',
      portMap,
    );
    command.option('--bind <address>', 'address to listen on for the ports of Gateways (default: that of --ip)');
  } else {
    command.option(
      '--app <port=host:port>',
      'where a port of the application really is, such as 9080=127.0.0.1:41234; repeatable',
      each(appPort),
    );
    command.addOption(
      new Option('--interception-mode <mode>', 'REDIRECT: the kernel redirects connections here (lateen iptables)')
        .choices(['REDIRECT', 'NONE'])
        .default('NONE'),
    );
    command.addOption(
      new Option('--dns-capture [address:port]', 'answer DNS for names of the mesh here; repeatable')
        .argParser(each(dnsServer(15053)))
        .preset('127.0.0.1:15053'),
    );
    command.addOption(
      new Option(
        '--dns-upstream <address[:port]>',
        'who knows other names (default: as in resolv.conf); repeatable',
      ).argParser(each(dnsServer(53))),
    );
  }
  addRegisterFlags(addRuntimeFlags(command), role);
  return addLimitFlags(command).action((flags: Flags) => runProxy(role, flags));
}

function addRuntimeFlags(command: Command): Command {
  const number = (name: string, what: string, by: number): Option =>
    new Option(`--${name} <port>`, what).argParser(port).default(by);
  return command
    .addOption(number('outbound-port', 'where the application sends what goes out', 15001))
    .addOption(number('inbound-port', 'where redirected traffic comes in', 15006))
    .addOption(number('admin-port', 'admin pages', 15000))
    .addOption(number('metrics-port', 'metrics of the proxy', 15090))
    .addOption(number('merged-port', 'metrics of proxy and application together', 15020))
    .addOption(number('ready-port', 'readiness: /healthz/ready', 15021))
    .option('--concurrency <n>', 'worker threads', count, 1)
    .option('--access-log <where>', 'stdout, off or a file', 'stdout')
    .option('--zipkin <url>', 'send spans to this Zipkin collector; repeatable', each(url))
    .option('--otlp <url>', 'send spans to this OpenTelemetry collector (OTLP over HTTP); repeatable', each(url))
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
    .option('--tracing <percent>', 'share of requests that start a trace', percent, 1)
    .option('--state <dir>', 'keep the last good configuration here, for a start without control API')
    .option('--app-metrics <url>', 'metrics page of the application, merged into --merged-port', url)
    .option('--drain <time>', 'how long requests in flight may take when it is told to stop', milliseconds, 5000)
    .option(
      '--handover <dir>',
      'proxies with the same directory here share their listening sockets, so that one can take over from another',
    )
    .option('--takeover', 'once ready, tell the proxy whose sockets it shares to drain (needs --handover)');
}

async function runProxy(role: ProxyNode['role'], flags: Flags): Promise<void> {
  const proxy = await boot(proxyOptions(role, { ...flags, ip: await ownAddress(flags.ip) }));
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    proxy.drain().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  await proxy.ready;
  // The proxy lives on in its own sockets; what ends it is a signal.
}

/** What the flags ask of a proxy. Throws CliError when they do not fit together. */
export function proxyOptions(role: ProxyNode['role'], flags: Flags): ProxyOptions {
  if (flags.config === undefined && flags.control === undefined) {
    throw new CliError(
      '--config DIR or --control URL is needed: a proxy must know where its configuration comes from.',
      { exitCode: 2 },
    );
  }
  if (flags.takeover === true && flags.handover === undefined)
    throw new CliError('--takeover needs --handover DIR: where the proxy to take over from is found.', { exitCode: 2 });
  const ports = { outbound: flags.outboundPort, inbound: flags.inboundPort };
  const node = nodeOf(role, flags);
  return {
    node,
    ...registrationOf(flags, node),
    source: sourceOf(flags),
    mesh: {
      trustDomain: flags.trustDomain,
      rootNamespace: 'istio-system',
      outboundTrafficPolicy: flags.outboundPolicy,
      tracingPercent: flags.tracing,
      accessLog: flags.accessLog !== 'off',
      pathNormalization: flags.pathNormalization,
      domainSuffix: 'cluster.local',
      ports,
      dnsCapture: flags.dnsCapture !== undefined,
    },
    ports: {
      ...ports,
      admin: flags.adminPort,
      merged: flags.mergedPort,
      ready: flags.readyPort,
      metrics: flags.metricsPort,
    },
    concurrency: flags.concurrency,
    accessLog: flags.accessLog,
    zipkin: flags.zipkin ?? [],
    otlp: flags.otlp ?? [],
    propagation: flags.propagation,
    stateDir: flags.state ?? null,
    appMetrics: flags.appMetrics ?? null,
    drainMs: flags.drain,
    limits: limitsOf(flags),
    ...dnsOf(flags),
    handover: flags.handover === undefined ? null : { dir: flags.handover, takeover: flags.takeover === true },
  };
}

function sourceOf({ config, control, joinTokenFile }: Flags): ProxyOptions['source'] {
  if (config === undefined)
    return { kind: 'control-api', url: control!, ...(joinTokenFile === undefined ? {} : { joinTokenFile }) };
  if (joinTokenFile === undefined) return { kind: 'files', dir: config };
  throw new CliError('--join-token-file needs --control URL: nobody else is shown it.', { exitCode: 2 });
}

function dnsOf({ dnsCapture: listen, dnsUpstream: upstreams }: Flags): Pick<ProxyOptions, 'dns'> {
  if (listen === undefined && upstreams !== undefined)
    throw new CliError('--dns-upstream needs --dns-capture: nothing is asked otherwise.', { exitCode: 2 });
  return listen === undefined ? {} : { dns: { listen, ...(upstreams === undefined ? {} : { upstreams }) } };
}

function nodeOf(role: ProxyNode['role'], flags: Flags): ProxyNode {
  const { labels } = flags;
  const workload = flags.workload ?? (role === 'gateway' ? 'istio-ingressgateway' : (labels['app'] ?? flags.name));
  if (workload === undefined)
    throw new CliError('--workload NAME is needed: which Deployment does this sidecar belong to?', { exitCode: 2 });
  return {
    role,
    name: flags.name ?? workload,
    namespace: flags.namespace,
    workload,
    serviceAccount: flags.serviceAccount,
    labels,
    ip: flags.ip,
    canonicalService: labels['service.istio.io/canonical-name'] ?? labels['app'] ?? workload,
    canonicalRevision: labels['service.istio.io/canonical-revision'] ?? labels['version'] ?? 'latest',
    cluster: 'Kubernetes',
    trustDomain: flags.trustDomain,
    rootNamespace: 'istio-system',
    portMap: flags.portMap ?? {},
    ...(flags.bind === undefined ? {} : { bind: flags.bind }),
    interception: flags.interceptionMode ?? 'NONE',
    appPorts: Object.fromEntries(flags.app ?? []),
  };
}
