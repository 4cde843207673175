/** What single strings have to look like: names, hosts, addresses, patterns. Each returns null, or what was expected. */
import ipaddr from 'ipaddr.js';
import { RE2JS } from 're2js';

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** RFC 1123 label, as Kubernetes wants it. */
export const dnsLabel = (text: string): string | null =>
  DNS_LABEL.test(text) ? null : 'lower-case letters, digits and `-`, at most 63, with a letter or digit at both ends';

/** RFC 1123 subdomain: names of most resources. */
export const dnsSubdomain = (text: string): string | null =>
  text.length <= 253 &&
  text.split('.').every((label) => label.length > 0 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(label))
    ? null
    : 'lower-case letters, digits, `-` and `.`, at most 253, with a letter or digit at both ends of each part';

/** Name part of label keys, and label values that are not empty. */
const QUALIFIED = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

export function labelKey(text: string): string | null {
  const slash = text.indexOf('/');
  const prefixFits = slash < 0 || dnsSubdomain(text.slice(0, slash)) === null;
  return prefixFits && QUALIFIED.test(text.slice(slash + 1))
    ? null
    : 'a label key: `name` or `dns.prefix/name`, the name at most 63 letters, digits, `-`, `_` and `.`';
}

export const labelValue = (text: string): string | null =>
  text === '' || QUALIFIED.test(text)
    ? null
    : 'a label value: at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends';

/** Name of an environment variable (Kubernetes 1.32: printable ASCII without `=`). */
export const variableName = (text: string): string | null =>
  /^[ -<>-~]+$/.test(text) ? null : 'the name of an environment variable: printable ASCII without `=`';

/** Istio's form of port names. */
export const portName = (text: string): string | null =>
  text.length < 63 && /^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/.test(text)
    ? null
    : 'a port name: letters, digits and `-`, less than 63';

export const portNumber = (text: string): string | null =>
  /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535 ? null : 'a port, 1 to 65535';

export const ip = (text: string): string | null => (isIp(text) ? null : 'an IP address');

/** Dotted IPv4 with four parts, or IPv6 without a zone: what Go's netip and Envoy accept. */
export const isIp = (text: string): boolean =>
  ipaddr.IPv4.isValidFourPartDecimal(text) || (text.includes(':') && !text.includes('%') && ipaddr.IPv6.isValid(text));

export function ipOrCidr(text: string): string | null {
  const [address = '', bits, ...rest] = text.split('/');
  const wide = address.includes(':') ? 128 : 32;
  const bitsFit = bits === undefined || (/^(0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= wide);
  return rest.length === 0 && bitsFit && isIp(address) ? null : 'an IP address or a CIDR range such as 10.0.0.0/8';
}

/** RFC 9110 token. */
export const headerName = (text: string): string | null =>
  /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text) ? null : 'a header name';

export const jwtHeader = (text: string): string | null =>
  /^[-_A-Za-z0-9]+$/.test(text) ? null : 'a header name of letters, digits, `-` and `_`';

export function url(text: string): string | null {
  const parsed = URL.parse(text);
  return parsed !== null && (parsed.protocol === 'http:' || parsed.protocol === 'https:') && parsed.host !== ''
    ? null
    : 'an http or https URL';
}

/** RE2 syntax, at most 1024 characters, not empty. */
export function regex(text: string): string | null {
  if (text === '' || text.length > 1024) return 'a regular expression of 1 to 1024 characters';
  try {
    RE2JS.compile(text);
    return null;
  } catch (error) {
    return `a regular expression in RE2 syntax (${error instanceof Error ? error.message : String(error)})`;
  }
}

/** A host name with at least one label, without a wildcard: FQDN or short name, RFC 1123, at most 255. */
export function fqdn(text: string): string | null {
  const labels = text.replace(/\.$/, '').split('.');
  const fits =
    text.length <= 255 && labels.every((label) => /^[a-zA-Z0-9_]([-a-zA-Z0-9_]{0,61}[a-zA-Z0-9_])?$/.test(label));
  if (!fits) return 'a DNS name';
  return labels.length > 1 && /^\d+$/.test(labels.at(-1)!) ? 'a DNS name whose last part is not a number' : null;
}

export const hostOrIp = (text: string): string | null =>
  isIp(text) || fqdn(text) === null ? null : 'a DNS name or an IP address';

/** A DNS name; `*` may stand for the whole or the start of its first label, or for all of it. */
export function wildcardHost(text: string): string | null {
  if (text === '*') return null;
  const rest = text.replace(/^\*[.-]?/, '');
  return fqdn(rest) === null ? null : 'a DNS name, `*.` and a DNS name, or `*`';
}

/** `dns`, `namespace/dns`, `./dns`, `*` in place of a namespace, of Gateway servers. */
export function gatewayHost(text: string): string | null {
  const [first = '', dns, ...rest] = text.split('/');
  const host = dns ?? first;
  const scopeFits = dns === undefined || first === '*' || first === '.' || dnsLabel(first) === null;
  return rest.length === 0 && scopeFits && (isIp(host) || wildcardHost(host) === null)
    ? null
    : '`dns.name`, `*.dns.name`, `*` or `namespace/dns.name`';
}

/** `mesh`, `name`, `namespace/name`, and the older `name.namespace.svc.cluster.local`. */
export function gatewayRef(text: string): string | null {
  const [first = '', name, ...rest] = text.split('/');
  const fits =
    name === undefined
      ? dnsSubdomain(first) === null
      : (first === '.' || dnsLabel(first) === null) && dnsSubdomain(name) === null;
  return rest.length === 0 && fits ? null : '`gateway`, `namespace/gateway` or `mesh`';
}

export const namespaceRef = (text: string): string | null =>
  text === '.' || text === '*' || text === '~' || dnsLabel(text) === null ? null : 'a namespace, `.` or `*`';

export function serviceAccountRef(text: string): string | null {
  const parts = text.split('/');
  return parts.length <= 2 && parts.every((part) => part !== '' && !part.includes('*'))
    ? null
    : '`namespace/account` or `account`, without `*`';
}

/** AuthorizationPolicy values: `*` only at one end, or alone. */
export function valuePattern(text: string): string | null {
  const inner =
    text === '*' ? '' : text.startsWith('*') ? text.slice(1) : text.endsWith('*') ? text.slice(0, -1) : text;
  return inner.includes('*') ? 'a `*` only at the start or at the end' : null;
}

/** RFC 1035 label, as Services are named. */
export const serviceName = (text: string): string | null =>
  /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)
    ? null
    : 'lower-case letters, digits and `-`, at most 63, with a letter at the start';
