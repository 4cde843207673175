/** Sets the redirect rules of this network namespace, or removes them, and looks whether the kernel has them. */
import { readFileSync } from 'node:fs';
import { CliError } from './cli-error.ts';
import { backends, ip, type Backend } from './iptables-backend.ts';
import { INBOUND_SOURCE, tablesOf, type Table } from './iptables-rules.ts';
import type { Family, Settings } from './iptables-settings.ts';
import { holdsOurs, isAsWanted, restoreText, type State } from './iptables-state.ts';

/** What became of one family. */
export type Outcome = {
  readonly family: Family;
  readonly change: 'unchanged' | 'set' | 'replaced' | 'removed' | 'skipped';
  /** The program that did it, or why nothing was done. */
  readonly by: string;
};

/** Exit codes besides 1 (refused, or not as it should be) and 2 (asked wrongly). */
const NOT_PERMITTED = 3;
const NOT_INSTALLED = 4;

/** A backend, and what it has now. */
type Place = { readonly backend: Backend; readonly state: State };

/** `wait`: seconds for the lock of another iptables. Throws a CliError; IPv4 comes first, and stays when IPv6 fails. */
export function setRules(settings: Settings, wait: number): Outcome[] {
  demandPrivilege();
  const outcomes = [setFamily('IPv4', tablesOf(settings, 'IPv4'), wait)];
  const six = ipv6();
  if (six === 'none') return [...outcomes, { family: 'IPv6', change: 'skipped', by: 'there is no IPv6 here' }];
  try {
    outcomes.push(setFamily('IPv6', tablesOf(settings, 'IPv6'), wait));
    addInboundSource();
  } catch (error) {
    // Connections could go out, and come in, past the proxy.
    if (!(error instanceof CliError) || six === 'reachable') throw error;
    outcomes.push({ family: 'IPv6', change: 'skipped', by: `${error.message} (Only link-local addresses are here.)` });
  }
  return outcomes;
}

/** Removes what {@link setRules}, or istio-iptables, has set, of both kinds of iptables. */
export function removeRules(wait: number): Outcome[] {
  demandPrivilege();
  return (['IPv4', 'IPv6'] as const).map((family): Outcome => {
    if (family === 'IPv6' && ipv6() === 'none') return { family, change: 'skipped', by: 'there is no IPv6 here' };
    const { readable, complaints } = placesOf(family, wait);
    if (readable.length === 0 && family === 'IPv4') throw nothingWorks(family, complaints);
    const holders = readable.filter(({ state }) => holdsOurs(state));
    for (const place of holders) remove(place);
    if (family === 'IPv6' && hasInboundSource()) ip(['-6', 'address', 'del', INBOUND_SOURCE.IPv6, 'dev', 'lo']);
    return holders.length === 0
      ? { family, change: 'unchanged', by: 'no rules' }
      : { family, change: 'removed', by: holders.map(({ backend }) => backend.name).join(', ') };
  });
}

function setFamily(family: Family, wanted: readonly Table[], wait: number): Outcome {
  const { readable, complaints } = placesOf(family, wait);
  // Where rules of ours are already; else the one that is called iptables, if the kernel has what it needs.
  const holders = readable.filter(({ state }) => holdsOurs(state));
  const candidates = holders.length > 0 ? holders.slice(0, 1) : readable;
  for (const { backend, state } of candidates) {
    const unchanged = isAsWanted(wanted, state);
    const refusal = unchanged ? null : backend.restore(restoreText(wanted, state));
    if (refusal !== null) {
      complaints.push(refusal);
      continue;
    }
    for (const other of holders.slice(1)) remove(other);
    if (!unchanged) verify(family, backend, wanted);
    const change = unchanged ? 'unchanged' : holders.length > 0 ? 'replaced' : 'set';
    return { family, change, by: `${backend.name}, ${backend.kind}` };
  }
  throw nothingWorks(family, complaints);
}

function placesOf(family: Family, wait: number): { readable: Place[]; complaints: string[] } {
  const readable: Place[] = [];
  const complaints: string[] = [];
  for (const backend of backends(family, wait)) {
    const state = backend.read();
    if (typeof state === 'string') complaints.push(state);
    else readable.push({ backend, state });
  }
  return { readable, complaints };
}

function verify(family: Family, backend: Backend, wanted: readonly Table[]): void {
  const state = backend.read();
  if (typeof state !== 'string' && isAsWanted(wanted, state)) return;
  throw new CliError(`${family}: ${backend.name} took the rules, but they are not what ${backend.name}-save shows.`, {
    hint: `Does something else change them at the same time? ${typeof state === 'string' ? state : `See: ${backend.name}-save`}`,
  });
}

function remove({ backend, state }: Place): void {
  const refusal = backend.restore(restoreText([], state));
  if (refusal !== null) throw new CliError(`${backend.name} does not remove the rules: ${refusal}`);
}

function nothingWorks(family: Family, complaints: readonly string[]): CliError {
  if (complaints.length > 0) {
    return new CliError(`${family}: the rules cannot be set: ${complaints.join('; ')}`, {
      hint: 'The kernel needs the nat table, REDIRECT and the owner match (and, for --redirect-dns, the raw table and CT): CONFIG_NF_NAT, CONFIG_NETFILTER_XT_TARGET_REDIRECT, CONFIG_NETFILTER_XT_MATCH_OWNER.',
    });
  }
  return new CliError(`${family === 'IPv4' ? 'iptables' : 'ip6tables'} is not installed.`, {
    hint: 'Debian, Ubuntu: apt-get install iptables; Fedora, RHEL: dnf install iptables-nft; Alpine: apk add iptables. --dry-run needs none.',
    exitCode: NOT_INSTALLED,
  });
}

function demandPrivilege(): void {
  if (process.platform !== 'linux')
    throw new CliError('connections can be redirected on Linux only.', {
      hint: 'docs/interception.md tells how to do without. --dry-run works everywhere.',
      exitCode: NOT_INSTALLED,
    });
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const CAP_NET_ADMIN = 12n;
  if (((BigInt(`0x${capabilities}`) >> CAP_NET_ADMIN) & 1n) === 1n) return;
  throw new CliError(
    'this needs CAP_NET_ADMIN (capabilities(7)) in the network namespace whose connections are to be redirected.',
    {
      hint: 'Run it as root; in a pod, from an init container with securityContext.capabilities.add: [NET_ADMIN, NET_RAW]; in docker compose, with cap_add: [NET_ADMIN, NET_RAW]. --dry-run needs nothing.',
      exitCode: NOT_PERMITTED,
    },
  );
}

/** Whether this namespace has IPv6 at all, and whether anyone else can be reached by it. */
function ipv6(): 'none' | 'local' | 'reachable' {
  const scopes = inet6().map(([, , , scope]) => scope);
  if (scopes.length === 0) return 'none';
  // linux/ipv6.h: 10 host, 20 link.
  return scopes.every((scope) => scope === '10' || scope === '20') ? 'local' : 'reachable';
}

/**
 * IPv4 has a whole network of loopback addresses, IPv6 only one: the address the proxy is to connect to the application from must
 * be made.
 */
function addInboundSource(): void {
  if (hasInboundSource()) return;
  const refusal = ip(['-6', 'address', 'add', INBOUND_SOURCE.IPv6, 'dev', 'lo']);
  if (refusal !== null)
    throw new CliError(`IPv6: the address ${INBOUND_SOURCE.IPv6} cannot be added to lo: ${refusal}`, {
      hint: 'The proxy connects to the application from it, so that its connections are known.',
    });
}

const hasInboundSource = (): boolean => inet6().some(([address]) => address === '6'.padStart(32, '0'));

/** Lines of /proc/net/if_inet6: address, interface index, prefix length, scope, flags, interface. */
function inet6(): string[][] {
  try {
    const lines = readFileSync('/proc/net/if_inet6', 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => line.trim().split(/\s+/));
  } catch {
    return [];
  }
}
