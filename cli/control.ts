/** `lateen control`: the control API alone, for proxies that somebody else runs (containers, pods). */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { Auth } from '#control-api/auth.ts';
import { dockerRuntime } from '#control-api/docker/docker-runtime.ts';
import { keptJoinToken } from '#control-api/join-token.ts';
import { meshNetworks } from '#control-api/mesh-networks.ts';
import { putGatewayService } from '#control-api/runner/mesh-object.ts';
import { PATH_NORMALIZATIONS, type PathNormalization } from '#proxy/core/path.ts';
import { Api, reachable } from './api.ts';
import { applyFiles } from './applied.ts';
import { startControlPlane } from './control-plane.ts';
import { EnvironmentCommand } from './environment-command.ts';
import { CliError } from './cli-error.ts';
import { dockerSocket, each, eachText, networks, percent, port } from './flags.ts';
import { readyOnDemand } from './mesh-ready.ts';

type Flags = {
  readonly host: string;
  readonly port: number;
  readonly state: string;
  readonly watch?: string;
  readonly apply?: readonly string[];
  readonly gatewayPort: number;
  readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  readonly pathNormalization: PathNormalization;
  readonly tracing: number;
  readonly dnsCapture?: true;
  readonly allowHost?: readonly string[];
  readonly joinTokenFile?: string;
  readonly meshNetworks: readonly string[] | 'auto';
  readonly docker?: string;
  readonly dockerProject?: string;
};

export const command = (): Command =>
  new EnvironmentCommand('control')
    .description(
      'Runs the control API alone until it is told to stop. Its pods are proxies that register themselves (--register).',
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on', port, 8001)
    .option('--state <dir>', 'where changes are kept', '.lateen')
    .option('--watch <dir>', 'follow the YAML files of this directory')
    .option('--apply <file>', 'apply it on the first start with this state; repeatable', eachText)
    .option('--gateway-port <port>', 'of the ingress gateway, as it is reached from outside', port, 8080)
    .addOption(
      new Option('--outbound-policy <policy>', 'what the proxies do with calls to hosts nobody declared')
        .choices(['ALLOW_ANY', 'REGISTRY_ONLY'])
        .default('ALLOW_ANY'),
    )
    .addOption(
      new Option('--path-normalization <mode>', 'of the proxies: which spellings of a path are one')
        .choices(PATH_NORMALIZATIONS)
        .default('BASE'),
    )
    .option('--tracing <percent>', 'of the proxies: share of requests that start a trace', percent, 100)
    .option(
      '--dns-capture',
      'of the proxies: they answer DNS for names of the mesh, so that no ServiceEntry needs addresses',
    )
    .option('--allow-host <name>', 'answer to this host name, too; repeatable', each(String))
    .option(
      '--join-token-file <file>',
      'take proxies from --mesh-networks that show the token in this file, and nobody else from there; made when it is not there',
    )
    .addOption(
      new Option(
        '--mesh-networks <ranges>',
        'with --join-token-file: addresses of the mesh, such as 10.1.0.0/16,10.2.0.0/16; auto: the networks it is in, but for their gateways',
      )
        .argParser(networks)
        .default('auto' as const),
    )
    .addOption(
      new Option(
        '--docker [socket]',
        'answer kubectl logs and exec from Docker, for pods that are containers of docker compose; whoever may ask may then run commands in them',
      )
        .argParser(dockerSocket)
        .preset('/var/run/docker.sock'),
    )
    .option('--docker-project <name>', "docker compose project of the pods (default: its own container's)")
    .action(control);

/** Null: nobody has to show anything. Throws CliError when the token can be neither read nor made. */
function authOf({ joinTokenFile, meshNetworks: ranges }: Flags): Auth | null {
  if (joinTokenFile === undefined) {
    if (ranges === 'auto') return null;
    throw new CliError('--mesh-networks needs --join-token-file: without it, nobody is asked who they are.', {
      exitCode: 2,
    });
  }
  try {
    return { isMesh: meshNetworks(ranges), token: keptJoinToken(resolve(joinTokenFile)) };
  } catch (error) {
    throw new CliError(`--join-token-file: ${(error as Error).message}.`, {
      hint: 'Give it a file of its own, which proxies can read and applications cannot; without one there, it is made.',
    });
  }
}

async function control(flags: Flags): Promise<void> {
  let ready: ReturnType<typeof readyOnDemand> | null = null;
  const plane = await startControlPlane({
    host: flags.host,
    port: flags.port,
    stateDir: resolve(flags.state),
    allowHosts: flags.allowHost ?? [],
    auth: authOf(flags),
    watchDir: flags.watch ?? null,
    runtime: flags.docker === undefined ? null : dockerRuntime(flags.docker, flags.dockerProject ?? null),
    ready: () => ready?.() ?? { ready: false, reasons: ['starting'] },
    mesh: {
      outboundTrafficPolicy: flags.outboundPolicy,
      tracingPercent: flags.tracing,
      pathNormalization: flags.pathNormalization,
      dnsCapture: flags.dnsCapture === true,
    },
  });
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    void plane.close().finally(() => process.exit(0));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    putGatewayService(plane.store, flags.gatewayPort);
    if (plane.fresh && flags.apply !== undefined) await applyFiles(new Api(reachable(plane.api.url)), flags.apply);
    plane.begun();
  } catch (error) {
    await plane.close();
    throw error;
  }
  ready = readyOnDemand(plane.store);
  process.stdout.write(`ready: control API at ${plane.api.url}\n`);
}
