/** What a proxy says of its pod when it registers, read from its bytes. Everything in it is bounded. */
import { isIPv4, isIPv6 } from 'node:net';
import { formatAddress, parseAddress } from '#proxy/core/cidr.ts';
import { decodeBody } from '../kube/body.ts';
import { isObject, type Json, type JsonObject } from '../kube/json.ts';
import { badRequest, tooLarge } from '../kube/status-error.ts';
import { oneOf, shown } from '../numbered-report.ts';

export type MemberContainer = {
  readonly name: string;
  readonly image: string;
  readonly ready: boolean;
  readonly ports: readonly number[];
  /** Why it is not ready; "" when it is, or when nobody knows. */
  readonly reason: string;
};

export type Member = {
  /** IPv4. */
  readonly ip: string;
  /** What else connections from it come from: IPv6, and addresses in other networks. */
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly workload: string;
  readonly role: 'sidecar' | 'gateway';
  /** Name of the machine or container it runs on. */
  readonly node: string;
  /** When this life of the proxy began: RFC 3339. A later one takes the name over. */
  readonly startedAt: string;
  readonly incarnation: string;
  readonly containers: readonly MemberContainer[];
  /** It is about to end: no endpoint any more. */
  readonly terminating: boolean;
};

export type MemberName = { readonly namespace: string; readonly name: string };

/** Bytes of one registration; they have some hundred. */
const MAX_BYTES = 64 * 1024;
const MAX_ADDRESSES = 16;
const MAX_LABELS = 64;
const MAX_CONTAINERS = 32;
const MAX_PORTS = 64;
const MAX_REASON = 512;

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set */
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;
const LABEL_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** `reviews-v1.default`. Names of pods may contain dots, those of namespaces may not. Throws BadRequest. */
export function memberName(id: unknown): MemberName {
  const text = typeof id === 'string' ? id : '';
  const dot = text.lastIndexOf('.');
  const [name, namespace] = [text.slice(0, Math.max(0, dot)), text.slice(dot + 1)];
  if (SUBDOMAIN.test(name) && DNS_LABEL.test(namespace)) return { namespace, name };
  throw badRequest(`pod: expected POD.NAMESPACE, got ${JSON.stringify(id)?.slice(0, 200)}`);
}

/** Throws BadRequest naming the field. */
export function readMember(bytes: Buffer, contentType: string | undefined): Member {
  if (bytes.length > MAX_BYTES) throw tooLarge(`the body is larger than ${MAX_BYTES} bytes`);
  return memberOf(decodeBody(bytes, contentType));
}

/** The same of a value that was read already. What is not known is left out: proxies may be newer than this. */
export function memberOf(body: Json): Member {
  if (!isObject(body)) throw badRequest('expected a registration as a JSON object');
  const { ip, terminating = false } = body;
  if (typeof ip !== 'string' || !isUnicast(ip)) throw expected('ip', 'an IPv4 address of one host', ip);
  if (typeof terminating !== 'boolean') throw expected('terminating', 'true or false', terminating);
  return {
    ip,
    addresses: addressesOf(body['addresses']).filter((address) => address !== ip),
    labels: labelsOf(body['labels']),
    serviceAccount: matching(body, 'serviceAccount', SUBDOMAIN, 'the name of a ServiceAccount'),
    workload: matching(body, 'workload', SUBDOMAIN, 'the name of a workload'),
    role: oneOf(body, 'role', ['sidecar', 'gateway'], ''),
    node: matching(body, 'node', /^[\w.-]{1,253}$/, 'a host name'),
    startedAt: timeOf(body['startedAt']),
    incarnation: matching(body, 'incarnation', /^[\w.:-]{1,100}$/, 'letters, digits and -'),
    containers: containersOf(body['containers']),
    terminating,
  };
}

/** Not 0.0.0.0, nor multicast or broadcast. */
const isUnicast = (ip: string): boolean => isIPv4(ip) && !/^(?:0|22[4-9]|2[3-5]\d)\./.test(ip);

function addressesOf(value: Json | undefined = []): readonly string[] {
  if (!Array.isArray(value)) throw expected('addresses', 'a list', value);
  const list = value as readonly Json[];
  if (list.length > MAX_ADDRESSES) throw badRequest(`addresses: expected at most ${MAX_ADDRESSES}, got ${list.length}`);
  const all = list.map((item, i) => {
    const words = typeof item === 'string' ? parseAddress(item) : null;
    const address = words === null ? '' : formatAddress(words);
    if (!isUnicast(address) && !isUnicastV6(address)) throw expected(`addresses[${i}]`, 'an address of one host', item);
    return address;
  });
  return [...new Set(all)].sort();
}

/** Neither loopback nor "any", nor multicast. */
const isUnicastV6 = (address: string): boolean => isIPv6(address) && !/^(?:::1?$|ff)/.test(address);

function labelsOf(value: Json | undefined = {}): Readonly<Record<string, string>> {
  if (!isObject(value)) throw expected('labels', 'an object', value);
  const entries = Object.entries(value);
  if (entries.length > MAX_LABELS) throw badRequest(`labels: expected at most ${MAX_LABELS}, got ${entries.length}`);
  return Object.fromEntries(
    entries.map(([key, label]) => {
      const at = `labels[${shown(key)}]`;
      if (!isLabelKey(key)) throw badRequest(`${at}: expected the name of a label, such as app or example.com/tier`);
      if (typeof label !== 'string' || !LABEL_VALUE.test(label))
        throw expected(at, 'at most 63 letters, digits, -, _ and .', label);
      return [key, label];
    }),
  );
}

function isLabelKey(key: string): boolean {
  const slash = key.indexOf('/');
  return LABEL_NAME.test(key.slice(slash + 1)) && (slash < 0 || SUBDOMAIN.test(key.slice(0, slash)));
}

function timeOf(value: Json | undefined): string {
  const at = typeof value === 'string' && value.length <= 40 ? Date.parse(value) : Number.NaN;
  // Beyond these, it could not be written as RFC 3339.
  if (!(at >= 0 && at < 253_402_300_800_000)) throw expected('startedAt', 'a time such as 2026-01-31T12:00:00Z', value);
  return new Date(at).toISOString();
}

function containersOf(value: Json | undefined): readonly MemberContainer[] {
  if (!Array.isArray(value)) throw expected('containers', 'a list', value);
  const list = value as readonly Json[];
  if (list.length === 0 || list.length > MAX_CONTAINERS)
    throw badRequest(`containers: expected 1 to ${MAX_CONTAINERS}, got ${list.length}`);
  const containers = list.map((item, i) => containerOf(item, `containers[${i}]`));
  const twice = containers.find(({ name }, i) => containers.findIndex((c) => c.name === name) < i);
  if (twice !== undefined) throw badRequest(`containers: two are named ${twice.name}`);
  return containers;
}

function containerOf(item: Json, at: string): MemberContainer {
  if (!isObject(item)) throw expected(at, 'an object', item);
  const { ready, ports = [] } = item;
  if (typeof ready !== 'boolean') throw expected(`${at}.ready`, 'true or false', ready);
  if (!Array.isArray(ports) || ports.length > MAX_PORTS)
    throw expected(`${at}.ports`, `a list of at most ${MAX_PORTS} ports`, ports);
  return {
    name: matching(item, 'name', DNS_LABEL, 'the name of a container', `${at}.`),
    image: matching({ image: '', ...item }, 'image', /^[ -~]{0,255}$/, 'the name of an image', `${at}.`),
    ready,
    ports: (ports as readonly Json[]).map((port, i) => {
      if (typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536) return port;
      throw expected(`${at}.ports[${i}]`, 'a port from 1 to 65535', port);
    }),
    reason: ready ? '' : reasonOf(item['reason'], `${at}.reason`),
  };
}

/** Whoever shows it may be a terminal: printable ASCII alone is kept. */
function reasonOf(value: Json | undefined, at: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw expected(at, 'a string', value);
  return value.slice(0, MAX_REASON).replace(/[^ -~]/g, '?');
}

function matching(body: JsonObject, field: string, pattern: RegExp, what: string, at = ''): string {
  const value = body[field];
  if (typeof value === 'string' && value.length <= 300 && pattern.test(value)) return value;
  throw expected(at + field, what, value);
}

const expected = (field: string, what: string, got: Json | undefined): Error =>
  badRequest(`${field}: expected ${what}, got ${shown(got)}`);
