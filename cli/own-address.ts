/** `--ip` of a proxy: an address, a name that stands for an address of this machine, or `auto`. */
import { lookup } from 'node:dns/promises';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { parseAddress } from '#proxy/core/cidr.ts';
import { CliError } from './cli-error.ts';

/** What is asked of the machine; tests bring their own. */
export type Surroundings = {
  /** Addresses of a name, IPv4 first. Rejects when there are none. */
  readonly addressesOf: (name: string) => Promise<readonly string[]>;
  readonly interfaces: () => NodeJS.Dict<NetworkInterfaceInfo[]>;
  /** How long a name may take to be known: names of containers come a moment after the container. */
  readonly patienceMs: number;
  readonly retryMs: number;
};

const MACHINE: Surroundings = {
  addressesOf: async (name) => (await lookup(name, { all: true, order: 'ipv4first' })).map((answer) => answer.address),
  interfaces: networkInterfaces,
  patienceMs: 10_000,
  retryMs: 250,
};

/** Without the zone of a link-local one, which nobody else could use. */
const ADDRESS = /^[\da-f.:]+$/i;

/** Letters, digits, `-`, `_` and `.`: what resolvers and Docker take for a name. */
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[-\w.]*\w)?\.?$/i;

/** The address that `text` means. Throws CliError: 2 when it is none, 1 when there is no such address here. */
export async function ownAddress(text: string, around: Surroundings = MACHINE): Promise<string> {
  if (ADDRESS.test(text) && parseAddress(text) !== null) return text;
  if (text === 'auto') return onlyAddress(around);
  // Digits and dots alone are a broken address, which resolvers read in ways of their own.
  if (!HOST_NAME.test(text) || /^[\d.]+$/.test(text))
    throw new CliError(`Expected an IP address, a host name or auto for --ip, got "${text}".`, { exitCode: 2 });
  return named(text, around);
}

function onlyAddress({ interfaces }: Surroundings): string {
  const found = addresses(interfaces()).filter(({ internal, family }) => !internal && family === 'IPv4');
  const [first, second] = found;
  if (first === undefined)
    throw new CliError('--ip auto: this network namespace has no IPv4 address but that of loopback.', {
      hint: 'Say which one with --ip, or connect it to a network first.',
    });
  if (second === undefined) return first.address;
  const all = found.map(({ address, name }) => `${address} (${name})`).join(', ');
  throw new CliError(`--ip auto: this network namespace has several addresses: ${all}.`, {
    hint: 'Say which one with --ip.',
  });
}

async function named(name: string, around: Surroundings): Promise<string> {
  const deadline = performance.now() + around.patienceMs;
  for (;;) {
    const found = await around.addressesOf(name).catch((error: unknown) => error as NodeJS.ErrnoException);
    const own = found instanceof Error ? undefined : found.find((address) => isOwn(address, around));
    if (own !== undefined) return own;
    if (performance.now() >= deadline) throw unknown(name, found, around);
    await pause(around.retryMs);
  }
}

function unknown(name: string, found: readonly string[] | NodeJS.ErrnoException, around: Surroundings): CliError {
  const waited = `in ${Math.round(around.patienceMs / 1000)} s`;
  if (found instanceof Error)
    return new CliError(`--ip ${name}: nobody knew this name ${waited} (${found.code ?? found.message}).`, {
      hint: 'Give the address itself, or --ip auto.',
    });
  const own = addresses(around.interfaces()).map(({ address }) => address);
  return new CliError(
    `--ip ${name}: it stands for ${found.join(', ')}, which is no address of this network namespace.`,
    {
      hint: `Those are ${own.join(', ')}. Is the proxy in the network namespace that it should be in?`,
    },
  );
}

function isOwn(address: string, { interfaces }: Surroundings): boolean {
  return address.startsWith('127.') || addresses(interfaces()).some((known) => known.address === address);
}

const addresses = (all: NodeJS.Dict<NetworkInterfaceInfo[]>): (NetworkInterfaceInfo & { name: string })[] =>
  Object.entries(all).flatMap(([name, infos]) => (infos ?? []).map((info) => ({ ...info, name })));
