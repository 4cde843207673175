/** What `lateen iptables` is asked for: texts of flags and annotations, each checked before anything is run. */
import ipaddr from 'ipaddr.js';
import { parseCidr } from '#proxy/core/cidr.ts';
import { CliError } from './cli-error.ts';

/** A network as iptables-save writes it: bits behind the mask are 0. */
export type Cidr = { readonly family: Family; readonly text: string };
export type Family = 'IPv4' | 'IPv6';

export type Settings = {
  /** Where the proxy takes connections of the application, and connections to it. */
  readonly outboundPort: number;
  readonly inboundPort: number;
  /** Who is the proxy: what it sends is not redirected. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly inboundPorts: '*' | readonly number[];
  /** Means something only when `inboundPorts` is `*`. */
  readonly excludedInboundPorts: readonly number[];
  readonly outboundRanges: '*' | readonly Cidr[];
  readonly excludedOutboundRanges: readonly Cidr[];
  /** Redirected whatever their address, unless that is excluded. */
  readonly outboundPorts: readonly number[];
  readonly excludedOutboundPorts: readonly number[];
  /** What comes in by these is outbound: a virtual machine is behind them. */
  readonly virtualInterfaces: readonly string[];
  readonly excludedInterfaces: readonly string[];
  readonly redirectDns: boolean;
};

/** A text to be read, and what to call it when it is wrong. */
export type Given = { readonly text: string; readonly from: string };
export type SettingName = Exclude<keyof Settings, 'redirectDns'> | 'mode';

/** Throws a CliError (exit code 2) that names the flag or annotation. */
export function settingsOf(given: Readonly<Record<SettingName, Given>>, redirectDns: boolean): Settings {
  checkMode(given.mode);
  const uids = list(given.uids, id);
  const settings: Settings = {
    outboundPort: portOf(given.outboundPort)(given.outboundPort.text),
    inboundPort: portOf(given.inboundPort)(given.inboundPort.text),
    uids,
    gids: given.gids.text.trim() === '' ? uids : list(given.gids, id),
    inboundPorts: given.inboundPorts.text.trim() === '*' ? '*' : list(given.inboundPorts, portOf),
    excludedInboundPorts: list(given.excludedInboundPorts, portOf),
    outboundRanges: given.outboundRanges.text.trim() === '*' ? '*' : ranges(given.outboundRanges),
    excludedOutboundRanges: ranges(given.excludedOutboundRanges),
    outboundPorts: list(given.outboundPorts, portOf),
    excludedOutboundPorts: list(given.excludedOutboundPorts, portOf),
    virtualInterfaces: list(given.virtualInterfaces, networkInterface),
    excludedInterfaces: list(given.excludedInterfaces, networkInterface),
    redirectDns,
  };
  if (uids.length === 0) throw expected(given.uids, 'at least one user id: without it, the proxy would call itself');
  if (settings.inboundPort === settings.outboundPort)
    throw expected(given.inboundPort, `another port than ${given.outboundPort.from}`);
  return settings;
}

function checkMode({ text, from }: Given): void {
  if (text === 'REDIRECT') return;
  const hint =
    text === 'TPROXY'
      ? 'TPROXY keeps the address of the client, and needs CAP_NET_ADMIN in the proxy itself, for as long as it runs; REDIRECT does not.'
      : text === 'NONE'
        ? 'With NONE nothing is redirected, so there is nothing to set: lateen iptables --clean removes what is set.'
        : null;
  throw new CliError(`${from}: only REDIRECT can be set, got ${quoted(text)}.`, { hint, exitCode: 2 });
}

/** Separated by commas; spaces and empty places do not matter, and what is said twice is said once. */
function list<T extends string | number>(given: Given, reader: (given: Given) => (text: string) => T): readonly T[] {
  const read = reader(given);
  const parts = given.text.split(',').map((part) => part.trim());
  return [...new Set(parts.filter((part) => part !== '').map((part) => read(part)))];
}

function ranges(given: Given): readonly Cidr[] {
  const byText = new Map(list(given, (g) => (text) => range(g, text).text).map((text) => [text, range(given, text)]));
  return [...byText.values()];
}

const portOf =
  (given: Given) =>
  (text: string): number => {
    const n = Number(text);
    if (!/^[1-9]\d{0,4}$/.test(text) || n > 65_535) throw expected(given, 'ports between 1 and 65535', text);
    return n;
  };

const id =
  (given: Given) =>
  (text: string): number => {
    // The last one means "no change" to setuid(2).
    if (!/^(?:0|[1-9]\d{0,9})$/.test(text) || Number(text) >= 0xffffffff) throw expected(given, 'numeric ids', text);
    return Number(text);
  };

/** As dev_valid_name() of the kernel, without what would mean something to iptables; `+` at the end stands for any rest. */
const networkInterface =
  (given: Given) =>
  (text: string): string => {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,14}\+?$/.test(text) || text.length > 15)
      throw expected(given, 'network interfaces such as eth1', text);
    return text;
  };

function range(given: Given, text: string): Cidr {
  const cidr = cidrOf(text);
  if (cidr === null) throw expected(given, 'IP ranges such as 10.0.0.0/8 or 2001:db8::/32', text);
  return cidr;
}

/** Null when it is neither a range nor an address. */
export function cidrOf(text: string): Cidr | null {
  const parsed = text.includes('%') ? null : parseCidr(text);
  if (parsed === null) return null;
  const bits = parsed.masks.map((mask) => mask.toString(2).replaceAll('0', '').length).reduce((a, b) => a + b, 0);
  const bytes = parsed.words.flatMap((word) => [24, 16, 8, 0].map((shift) => (word >>> shift) & 255));
  const address = ipaddr.fromByteArray(bytes);
  return address.kind() === 'ipv4'
    ? { family: 'IPv4', text: `${address.toString()}/${bits}` }
    : { family: 'IPv6', text: `${(address as ipaddr.IPv6).toRFC5952String()}/${bits}` };
}

function expected({ from, text }: Given, what: string, part: string = text): CliError {
  return new CliError(`${from}: expected ${what}, got ${quoted(part)}.`, { exitCode: 2 });
}

/** With whatever a terminal or a log would take for its own made visible. */
const quoted = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
