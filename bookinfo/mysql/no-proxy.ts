/** `no_proxy`: which places are reached without the proxy, in the words that curl and Go understand. */
import { BlockList, isIP } from 'node:net';

/**
 * Is the place named by one of the entries? Entries stand between commas or spaces: `*`, a host (its subdomains, too, with or without a
 * leading dot or `*.`), an address, a range of addresses, and any of them with a port: `db.example:3306`, `[::1]:3306`, `*:9080`.
 * Names are not resolved. The first entry that names the place counts; `!*:3306` says that it is reached through the proxy after all.
 * Unlike Go, loopback addresses are no exception: that is where pods live here.
 */
export function bypassesProxy(noProxy: string, host: string, port: number): boolean {
  const name = bare(host);
  const first = noProxy
    .split(/[\s,]+/)
    .find((entry) => entry !== '' && names(entry.replace(/^!/, '').toLowerCase(), name, port));
  return first !== undefined && !first.startsWith('!');
}

function names(entry: string, host: string, port: number): boolean {
  const [place, only] = split(entry);
  if (only !== null && only !== port) return false;
  if (place === '*') return true;
  if (place.includes('/')) return inRange(place, host);
  const wanted = place.replace(/^\*?\./, '');
  if (isIP(wanted) !== 0 || isIP(host) !== 0) return wanted === host;
  return wanted !== '' && (host === wanted || host.endsWith(`.${wanted}`));
}

/** A bare IPv6 address has colons, too, but then no port. */
function split(entry: string): readonly [place: string, port: number | null] {
  const [, v6, v6Port] = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(entry) ?? [];
  if (v6 !== undefined) return [v6, v6Port === undefined ? null : Number(v6Port)];
  const [, place, port] = /^([^:]*):(\d{1,5})$/.exec(entry) ?? [];
  return place === undefined ? [entry, null] : [place, Number(port)];
}

function inRange(range: string, host: string): boolean {
  const [, network = '', bits = ''] = /^(.+)\/(\d{1,3})$/.exec(range) ?? [];
  const [family, of] = [isIP(network), isIP(host)];
  if (family === 0 || of !== family || Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(network, Number(bits), type);
  return list.check(host, type);
}

const bare = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
