/** Readers of option values that several verbs share. Each says what it expected. */
import { InvalidArgumentError } from 'commander';
import { parseAddress, parseCidr } from '#proxy/core/cidr.ts';

/** A TCP port; 0 lets the system choose. */
export function port(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n > 65535)
    throw new InvalidArgumentError(`Expected a port between 0 and 65535, got "${text}".`);
  return n;
}

/** A whole number ≥ 1. */
export function count(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1)
    throw new InvalidArgumentError(`Expected a whole number of at least 1, got "${text}".`);
  return n;
}

/** A whole number ≥ 0. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`Expected a whole number, got "${text}".`);
  return Number(text);
}

/** Bytes, such as `61440`, `60Ki`, `512Mi` or `2Gi` (Kubernetes' suffixes). */
export function bytes(text: string): number {
  const [, number, unit = ''] = /^(\d+)(Ki|Mi|Gi)?$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError(`Expected a size such as 61440 or 512Mi, got "${text}".`);
  return Number(number) * 1024 ** ['', 'Ki', 'Mi', 'Gi'].indexOf(unit);
}

/** 0 … 100. */
export function percent(text: string): number {
  const n = Number(text);
  if (text.trim() === '' || !(n >= 0 && n <= 100))
    throw new InvalidArgumentError(`Expected a percentage between 0 and 100, got "${text}".`);
  return n;
}

/** Seconds, such as `5`, `0.5`, `1.5s` or `200ms`, as milliseconds. */
export function milliseconds(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError(`Expected a time such as 5s or 200ms, got "${text}".`);
  return Math.round(Number(number) * (unit === 'ms' ? 1 : unit === 'm' ? 60_000 : 1000));
}

/** Path of a Docker socket; `true` stands for the usual one, nothing for none. */
export function dockerSocket(text: string): string | undefined {
  if (text === '') return undefined;
  const path = text === 'true' ? '/var/run/docker.sock' : text.replace(/^unix:\/\//, '');
  if (!path.startsWith('/'))
    throw new InvalidArgumentError(`Expected the path of a socket such as /var/run/docker.sock, got "${text}".`);
  return path;
}

/** `auto`, or ranges with commas between. */
export function networks(text: string): readonly string[] | 'auto' {
  if (text === 'auto') return 'auto';
  const ranges = text.split(/[, ]+/).filter((range) => range !== '');
  const wrong = ranges.length === 0 ? text : ranges.find((range) => parseCidr(range) === null);
  if (wrong === undefined) return ranges;
  throw new InvalidArgumentError(`Expected auto, or ranges such as 10.1.0.0/16,10.2.0.0/16, got "${wrong}".`);
}

/** `http://…` or `https://…`, without a slash at its end. */
export function url(text: string): string {
  const parsed = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol))
    throw new InvalidArgumentError(`Expected a URL such as http://localhost:8001, got "${text}".`);
  return parsed.href.replace(/\/+$/, '');
}

/** For options that may be given more than once, and whose values may have spaces in them: paths. */
export const eachText = (text: string, sofar: readonly string[] | undefined): readonly string[] => [
  ...(sofar ?? []),
  text,
];

/** For options that may be given more than once, or several values at once with spaces between, as the environment has to. */
export const each =
  <T>(read: (text: string) => T) =>
  (text: string, sofar: readonly T[] | undefined): readonly T[] => [
    ...(sofar ?? []),
    ...text
      .split(/\s+/)
      .filter((value) => value !== '')
      .map(read),
  ];

/** `app=reviews,version=v1` */
export function labels(text: string): Record<string, string> {
  const pairs = text
    .split(',')
    .filter((pair) => pair.trim() !== '')
    .map((pair): [string, string] => {
      const at = pair.indexOf('=');
      if (at < 1)
        throw new InvalidArgumentError(`Expected key=value pairs such as app=reviews,version=v1, got "${pair}".`);
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    });
  return Object.fromEntries(pairs);
}

/** `80=8080,443=8443` */
export function portMap(text: string): Record<string, number> {
  return Object.fromEntries(Object.entries(labels(text)).map(([from, to]) => [String(port(from)), port(to)]));
}

/** `9080=127.0.0.1:41234`: where the port of an application really is. */
export function appPort(text: string): readonly [string, { host: string; port: number }] {
  const [, from, host, to] = /^(\d+)=(?:(.+):)?(\d+)$/.exec(text) ?? [];
  if (from === undefined || to === undefined)
    throw new InvalidArgumentError(`Expected PORT=HOST:PORT such as 9080=127.0.0.1:41234, got "${text}".`);
  return [String(port(from)), { host: host ?? '127.0.0.1', port: port(to) }];
}

/** `10.0.0.0/8`, `fd00::/8` or one address. */
export function range(text: string): string {
  if (parseCidr(text) === null)
    throw new InvalidArgumentError(`Expected an IP address or a range such as 10.0.0.0/8, got "${text}".`);
  return text;
}

/** `127.0.0.1:15053`, `[::1]:15053`, or an address alone, with this port then. */
export const dnsServer =
  (otherwise: number) =>
  (text: string): { host: string; port: number } => {
    const [, bracketed, plain, number] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
    const host = bracketed ?? plain ?? text;
    if (parseAddress(host) === null)
      throw new InvalidArgumentError(`Expected an IP address and a port such as 127.0.0.1:15053, got "${text}".`);
    return { host, port: number === undefined ? otherwise : port(number) };
  };
