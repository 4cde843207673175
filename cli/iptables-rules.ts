/**
 * The redirect rules, as text for iptables-restore: Istio's chains, names and meaning
 * (https://istio.io/latest/docs/reference/commands/pilot-agent/#pilot-agent-istio-iptables). Rules are written as iptables-save
 * prints them, so that what is there can be compared with what should be.
 */
import type { Cidr, Family, Settings } from './iptables-settings.ts';

export type TableName = 'raw' | 'nat';

/** The rules of one table: those in chains of ours, and those by which the kernel's own chains come to them. */
export type Table = {
  readonly name: TableName;
  readonly chains: readonly string[];
  readonly rules: readonly string[];
  /** `-A CHAIN …` anywhere in the kernel's chain; `-I CHAIN 1 …` before all rules of others. */
  readonly jumps: readonly string[];
};

/** Every chain that any settings make. Nothing else is ever touched, but jumps to them. */
export const OUR_CHAINS: Readonly<Record<TableName, readonly string[]>> = {
  raw: ['ISTIO_OUTPUT', 'ISTIO_PREROUTING'],
  nat: ['ISTIO_INBOUND', 'ISTIO_REDIRECT', 'ISTIO_IN_REDIRECT', 'ISTIO_OUTPUT', 'ISTIO_OUTPUT_DNS'],
};

/** Where the proxy answers DNS: Istio's port. */
const DNS_PORT = 15_053;

/** The proxy connects to the application from here, which is how its connections are told from those of others. */
export const INBOUND_SOURCE: Readonly<Record<Family, string>> = { IPv4: '127.0.0.6/32', IPv6: '::6/128' };
const LOOPBACK: Readonly<Record<Family, string>> = { IPv4: '127.0.0.1/32', IPv6: '::1/128' };
const EVERYTHING: readonly string[] = ['0.0.0.0/0', '::/0'];

/** In the order in which they are to be set. */
export function tablesOf(settings: Settings, family: Family): readonly Table[] {
  const nat: Table = {
    name: 'nat',
    chains: OUR_CHAINS.nat.filter((chain) => settings.redirectDns || chain !== 'ISTIO_OUTPUT_DNS'),
    rules: [
      `-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports ${settings.outboundPort}`,
      `-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports ${settings.inboundPort}`,
      ...inbound(settings, family),
      ...output(settings, family),
      ...(settings.redirectDns ? dns(settings) : []),
    ],
    jumps: [
      '-A PREROUTING -p tcp -j ISTIO_INBOUND',
      // Docker leads 127.0.0.11:53 to its own resolver, by rules that are there before ours.
      ...(settings.redirectDns
        ? ['-I OUTPUT 1 -p tcp -j ISTIO_OUTPUT', '-I OUTPUT 1 -p udp -m udp --dport 53 -j ISTIO_OUTPUT_DNS']
        : ['-A OUTPUT -p tcp -j ISTIO_OUTPUT']),
    ],
  };
  return settings.redirectDns ? [dnsZones(settings), nat] : [nat];
}

function inbound(settings: Settings, family: Family): string[] {
  const chain = '-A ISTIO_INBOUND';
  const rules = settings.excludedInterfaces.map((name) => `${chain} -i ${name} -j RETURN`);
  for (const name of settings.virtualInterfaces) {
    rules.push(...destinations(chain, ` -i ${name}`, settings, family), `${chain} -i ${name} -j RETURN`);
  }
  const captured = (port: number): string => `${chain} -p tcp -m tcp --dport ${port} -j ISTIO_IN_REDIRECT`;
  if (settings.inboundPorts !== '*') {
    // What the application may send out is for the application alone: to others the proxy says no.
    return [...rules, ...new Set([settings.outboundPort, ...settings.inboundPorts].map(captured))];
  }
  return [
    ...rules,
    ...settings.excludedInboundPorts.map((port) => `${chain} -p tcp -m tcp --dport ${port} -j RETURN`),
    `${chain} -p tcp -j ISTIO_IN_REDIRECT`,
  ];
}

function output(settings: Settings, family: Family): string[] {
  const chain = '-A ISTIO_OUTPUT';
  const own = LOOPBACK[family];
  // A resolver on this machine (127.0.0.53) is DNS all the same.
  const notDns = settings.redirectDns ? ' -p tcp -m tcp ! --dport 53' : '';
  const owners = ownersOf(settings);
  const returns = (match: string): string => `${chain}${match} -j RETURN`;
  return [
    ...settings.excludedInterfaces.map((name) => returns(` -o ${name}`)),
    ...settings.excludedOutboundPorts.map((port) => returns(` -p tcp -m tcp --dport ${port}`)),
    // The proxy to the application: not to be captured again.
    returns(` -s ${INBOUND_SOURCE[family]} -o lo`),
    // The application to a service of which it is an endpoint itself: out by the proxy, and in by it.
    ...owners.map((owner) => `${chain} ! -d ${own} -o lo${notDns} -m owner ${owner} -j ISTIO_IN_REDIRECT`),
    ...owners.map((owner) => returns(` -m owner ${owner}`)),
    // The application to itself, unless ranges were asked for that have the loopback addresses in them.
    ...(asksForLoopback(settings) ? [] : [returns(` -o lo${notDns}`)]),
    ...(settings.redirectDns ? [`${chain} -p tcp -m tcp --dport 53 -j REDIRECT --to-ports ${DNS_PORT}`] : []),
    returns(` -d ${own}`),
    ...destinations(chain, '', settings, family),
  ];
}

/** What goes out, by where it goes. `match`: of these packets only. */
function destinations(chain: string, match: string, settings: Settings, family: Family): string[] {
  const byRange = (cidr: Cidr, target: string): string =>
    EVERYTHING.includes(cidr.text) ? `${chain}${match} -j ${target}` : `${chain} -d ${cidr.text}${match} -j ${target}`;
  const byPort = (port: number, target: string): string =>
    `${chain}${match} -p tcp -m tcp --dport ${port} -j ${target}`;
  const included = settings.outboundRanges;
  return [
    // In ISTIO_OUTPUT they have come before.
    ...(match === '' ? [] : settings.excludedOutboundPorts.map((port) => byPort(port, 'RETURN'))),
    ...settings.excludedOutboundRanges.filter((c) => c.family === family).map((cidr) => byRange(cidr, 'RETURN')),
    ...settings.outboundPorts.map((port) => byPort(port, 'ISTIO_REDIRECT')),
    ...(included === '*'
      ? [`${chain}${match} -j ISTIO_REDIRECT`]
      : included.filter((c) => c.family === family).map((cidr) => byRange(cidr, 'ISTIO_REDIRECT'))),
  ];
}

function dns(settings: Settings): string[] {
  const chain = '-A ISTIO_OUTPUT_DNS';
  return [
    ...settings.excludedInterfaces.map((name) => `${chain} -o ${name} -j RETURN`),
    ...ownersOf(settings).map((owner) => `${chain} -m owner ${owner} -j RETURN`),
    `${chain} -p udp -j REDIRECT --to-ports ${DNS_PORT}`,
  ];
}

/**
 * UDP has no connections: a query of the proxy from the port that the application has just used would be taken for more of the
 * application's, and redirected back to the proxy. So each has a zone of connection tracking of its own: 1 the proxy and its
 * resolvers, 2 the application and the proxy (as Istio does: istio/istio#33469). To a resolver on this machine the proxy's queries stay
 * in no zone: Docker's answers from a port that only connection tracking knows to be that of the query, and answers are in none.
 */
function dnsZones(settings: Settings): Table {
  const chain = '-A ISTIO_OUTPUT';
  const owners = ownersOf(settings);
  return {
    name: 'raw',
    chains: OUR_CHAINS.raw,
    rules: [
      ...settings.excludedInterfaces.map((name) => `${chain} -o ${name} -j RETURN`),
      ...owners.flatMap((owner) => [
        `${chain} -o lo -p udp -m udp --dport 53 -m owner ${owner} -j RETURN`,
        `${chain} -p udp -m udp --dport 53 -m owner ${owner} -j CT --zone 1`,
        `${chain} -p udp -m udp --sport ${DNS_PORT} -m owner ${owner} -j CT --zone 2`,
      ]),
      // Not the proxy's: a packet keeps the first zone it was given.
      `${chain} -p udp -m udp --dport 53 -j CT --zone 2`,
      ...settings.excludedInterfaces.map((name) => `-A ISTIO_PREROUTING -i ${name} -j RETURN`),
      '-A ISTIO_PREROUTING -p udp -m udp --sport 53 -j CT --zone 1',
    ],
    jumps: ['-A PREROUTING -p udp -j ISTIO_PREROUTING', '-A OUTPUT -p udp -j ISTIO_OUTPUT'],
  };
}

const ownersOf = ({ uids, gids }: Settings): string[] => [
  ...uids.map((uid) => `--uid-owner ${uid}`),
  ...gids.map((gid) => `--gid-owner ${gid}`),
];

const asksForLoopback = ({ outboundRanges }: Settings): boolean =>
  outboundRanges !== '*' && outboundRanges.some(({ text }) => /^(?:127\.|::1\/128$)/.test(text));
