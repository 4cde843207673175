/** ServiceEntries that would let through what was blocked, or declare what passed: one for each destination and calling namespace. */
import { cidrPredicate } from '#proxy/core/cidr.ts';
import { DEFAULT_MESH, SERVER_FIRST_PORTS } from '#proxy/compile/defaults.ts';
import { dnsSubdomain, fqdn, isIp } from '#proxy/istio/format.ts';
import { parseObject } from '#proxy/istio/parse.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import type { ServiceEntrySpec } from '#proxy/istio/service-entry.ts';
import type { EgressRegistry } from './egress-registry.ts';
import { destinationOf, type EgressEntry } from './egress-store.ts';

export type Proposal = {
  readonly resource: Resource<ServiceEntrySpec>;
  /** Who called, how often, since when: a sentence each. */
  readonly notes: readonly string[];
};

export type NotProposed = {
  readonly namespace: string;
  readonly destination: string;
  readonly port: number;
  readonly why: string;
};

export type Proposals = { readonly proposals: readonly Proposal[]; readonly notProposed: readonly NotProposed[] };

/** `taken`: whether a ServiceEntry of this name exists already. */
export function propose(
  rows: readonly EgressEntry[],
  registry: EgressRegistry,
  taken: (namespace: string, name: string) => boolean,
): Proposals {
  const groups = new Map<string, EgressEntry[]>();
  const notProposed = new Map<string, NotProposed>();
  for (const row of rows) {
    if (row.verdict === 'allowed') continue;
    const { namespace, port } = row;
    const destination = destinationOf(row);
    const why = objection(row, registry);
    const key = `${namespace}/${destination}`;
    if (why !== null) notProposed.set(`${key}:${port}`, { namespace, destination, port, why });
    else groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const proposals: Proposal[] = [];
  for (const group of groups.values()) {
    const made = entryFor(group, taken);
    if (made !== null) proposals.push(made);
  }
  return { proposals, notProposed: [...notProposed.values()] };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html: credentials of the machine itself. */
const isLinkLocal = cidrPredicate(['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::254/128']);
const IN_MESH = `.svc.${DEFAULT_MESH.domainSuffix}`;

/** Why there is nothing to propose for it; null: there is. */
function objection(row: EgressEntry, registry: EgressRegistry): string | null {
  const { host, address, port, protocol } = row;
  if (protocol === 'other') return 'too many destinations to tell them apart';
  if (host === '' && address === '') return 'neither its name nor its address is known';
  if (port < 1 || port > 65_535) return 'its port is not known';
  if (host === '' && !isIp(address)) return 'its address is none';
  if (host === '' && isLinkLocal(address))
    return 'link-local addresses serve credentials of the machine; write a ServiceEntry by hand if you mean it';
  if (host !== '' && (dnsSubdomain(host) !== null || fqdn(host) !== null)) return 'it is no DNS name';
  const cover = registry.find(row);
  if (cover !== null)
    return cover.port ? `${cover.by} has it` : `${cover.by} has it without port ${port}: add it there`;
  if (host.endsWith(IN_MESH)) return 'it is a name inside the mesh, and there is no such Service';
  return null;
}

function entryFor(rows: readonly EgressEntry[], taken: (namespace: string, name: string) => boolean): Proposal | null {
  const { host, address, namespace } = rows[0]!;
  const base = host === '' ? `ip-${address.replace(/[.:]/g, '-')}`.replace(/-$/, '-0') : host;
  let name = base;
  for (let n = 2; taken(namespace, name); n++) name = `${base.slice(0, 245)}-${n}`;
  const spec =
    host === ''
      ? // Connections are known by their address; the name is for metrics.
        { hosts: [`${base}.external`], addresses: [address], resolution: 'STATIC', endpoints: [{ address }] }
      : { hosts: [host], resolution: 'DNS' };
  const value = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name, namespace },
    spec: { ...spec, ports: portsOf(rows), location: 'MESH_EXTERNAL', exportTo: ['.'] },
  };
  const { resource } = parseObject(value, { defaultNamespace: namespace });
  // What our own validator refuses would help nobody.
  return resource === null ? null : { resource: value as Resource<ServiceEntrySpec>, notes: rows.map(noteOf) };
}

type Port = { readonly number: number; readonly name: string; readonly protocol: string };

/** By number. What was called most often on a port decides what it speaks. */
function portsOf(rows: readonly EgressEntry[]): readonly Port[] {
  const most = new Map<number, EgressEntry>();
  for (const row of rows) {
    const known = most.get(row.port);
    if (known === undefined || row.count > known.count) most.set(row.port, row);
  }
  return [...most.values()].sort((a, b) => a.port - b.port).map(portOf);
}

/** Istio's names of protocols; a port named `tcp-mysql` is opaque also to readers that guess from names. */
const KNOWN: Readonly<Record<number, Omit<Port, 'number'>>> = {
  3306: { name: 'tcp-mysql', protocol: 'TCP' },
  5432: { name: 'tcp-postgres', protocol: 'TCP' },
  6379: { name: 'redis', protocol: 'REDIS' },
  27_017: { name: 'mongo', protocol: 'MONGO' },
};
const USUAL: Readonly<Record<string, number>> = { http: 80, tls: 443 };

function portOf({ port: number, protocol }: EgressEntry): Port {
  // A server that speaks first does not speak HTTP, whatever was tried.
  const word = protocol === 'http' && SERVER_FIRST_PORTS.has(number) ? 'tcp' : protocol;
  const known = word === 'tcp' ? KNOWN[number] : undefined;
  if (known !== undefined) return { number, ...known };
  return { number, name: USUAL[word] === number ? word : `${word}-${number}`, protocol: word.toUpperCase() };
}

function noteOf(row: EgressEntry): string {
  const times = row.count === 1 ? 'once' : `${row.count} times`;
  const when = (ms: number): string => new Date(ms).toISOString().slice(0, 19);
  const span =
    row.count === 1 ? `at ${when(row.lastSeen)}Z` : `since ${when(row.firstSeen)}Z, last at ${when(row.lastSeen)}Z`;
  const verb = row.verdict === 'blocked' ? 'was kept from' : 'called';
  return `${row.workload || 'an unknown workload'} ${verb} ${destinationOf(row)}:${row.port} (${row.protocol}) ${times} ${span}`;
}
