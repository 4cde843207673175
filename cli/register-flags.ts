/** The flags by which `lateen sidecar` and `lateen gateway` make themselves Pods of the mesh. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { ProxyOptions } from '#proxy/options.ts';
import type { AppContainer } from '#proxy/registration.ts';
import type { ProxyNode } from '#proxy/snapshot/node.ts';
import { CliError } from './cli-error.ts';
import { each, port } from './flags.ts';

export type RegisterFlags = {
  register?: true;
  appName?: string;
  appImage?: string;
  appPort?: readonly number[];
  appProbe?: AppContainer['probe'];
};

const GROUP = 'Registration:';
/** Kubernetes' rule for names of containers (RFC 1123 label). */
const CONTAINER_NAME = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/** Adds them under a heading of their own; a gateway has no application beside it. */
export function addRegisterFlags(command: Command, role: ProxyNode['role']): Command {
  const flag = (flags: string, what: string): Option => new Option(flags, what).helpGroup(GROUP);
  command.addOption(flag('--register', 'make itself a Pod of the mesh that --control serves, for as long as it runs'));
  if (role === 'gateway') return command;
  return command
    .addOption(
      flag('--app-name <name>', "name of the application's container (default: its label app)").argParser(
        containerName,
      ),
    )
    .addOption(flag('--app-image <image>', 'its image, to be shown in the Pod (default: its name)'))
    .addOption(flag('--app-port <port>', 'a port of it, to be shown in the Pod; repeatable').argParser(each(appPort)))
    .addOption(
      flag(
        '--app-probe <url>',
        'ready when this answers: http://127.0.0.1:9080/health or tcp://127.0.0.1:9080',
      ).argParser(appProbe),
    );
}

/** What they ask for; throws CliError when they do not fit together. */
export function registrationOf(
  flags: RegisterFlags & { readonly control?: string },
  node: ProxyNode,
): Pick<ProxyOptions, 'register'> {
  const given = [
    ['--app-name', flags.appName],
    ['--app-image', flags.appImage],
    ['--app-port', flags.appPort],
    ['--app-probe', flags.appProbe],
  ].find(([, value]) => value !== undefined);
  if (flags.register !== true) {
    if (given === undefined) return {};
    throw new CliError(`${given[0] as string} needs --register: it is what a Pod shows.`, { exitCode: 2 });
  }
  if (flags.control === undefined)
    throw new CliError('--register needs --control URL: there is nobody else to register with.', { exitCode: 2 });
  if (node.role === 'gateway') return { register: { app: null } };
  const name = flags.appName ?? node.labels['app'] ?? node.workload;
  if (!CONTAINER_NAME.test(name) || name === 'istio-proxy')
    throw new CliError(`"${name}" cannot be the name of the application's container: give it one with --app-name.`, {
      exitCode: 2,
    });
  const app = { name, image: flags.appImage ?? name, ports: flags.appPort ?? [], probe: flags.appProbe ?? null };
  return { register: { app } };
}

function containerName(text: string): string {
  if (CONTAINER_NAME.test(text) && text !== 'istio-proxy') return text;
  const what = 'Expected the name of a container (a-z, 0-9 and "-", at most 63 characters, not istio-proxy)';
  throw new InvalidArgumentError(`${what}, got "${text}".`);
}

function appPort(text: string): number {
  const n = port(text);
  if (n === 0) throw new InvalidArgumentError('Expected a port between 1 and 65535, got "0".');
  return n;
}

/** `http://127.0.0.1:9080/health` or `tcp://127.0.0.1:9080`. */
export function appProbe(text: string): NonNullable<AppContainer['probe']> {
  const parsed = URL.parse(text);
  const scheme = parsed?.protocol;
  const isTcp = scheme === 'tcp:';
  const fits =
    parsed !== null &&
    (isTcp || scheme === 'http:') &&
    parsed.hostname !== '' &&
    parsed.username === '' &&
    parsed.password === '' &&
    // A port of its own is left out by URL where it is the scheme's.
    (isTcp ? parsed.port !== '' && /^\/?$/.test(parsed.pathname + parsed.search) : true) &&
    parsed.port !== '0';
  if (!fits)
    throw new InvalidArgumentError(
      `Expected http://HOST:PORT/PATH or tcp://HOST:PORT, such as http://127.0.0.1:9080/health, got "${text}".`,
    );
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  return { host, port: Number(parsed.port || 80), path: isTcp ? null : parsed.pathname + parsed.search };
}
