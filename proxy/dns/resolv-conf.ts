/** resolv.conf(5): whom to ask about names that are not ours, and what a resolver puts behind short ones. */
import { parseAddress } from '../core/cidr.ts';

export type Server = { readonly host: string; readonly port: number };

export type ResolvConf = {
  readonly servers: readonly Server[];
  /** Lower case, without dots at their ends. */
  readonly search: readonly string[];
};

/** As many as libc asks (MAXNS), and a bound on the length of lists. */
const MOST_SERVERS = 3;
const MOST_DOMAINS = 32;

/** Lines that make no sense are passed over, as libc does; of `search` and `domain` the last one counts. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: Server[] = [];
  let search: readonly string[] = [];
  for (const line of text.split('\n')) {
    const [keyword = '', ...words] = line.trim().split(/\s+/);
    const [first = ''] = words;
    if (keyword === 'nameserver' && parseAddress(first) !== null) servers.push({ host: first, port: 53 });
    if (keyword === 'search') search = words;
    if (keyword === 'domain' && first !== '') search = [first];
  }
  return {
    servers: servers.slice(0, MOST_SERVERS),
    search: search
      .slice(0, MOST_DOMAINS)
      .map((domain) => domain.toLowerCase().replace(/\.$/, ''))
      .filter((domain) => domain !== ''),
  };
}

/** Those that are not this very server under one of its addresses. `local`: the addresses of this machine. */
export function withoutSelf(
  servers: readonly Server[],
  own: readonly Server[],
  local: readonly string[],
): readonly Server[] {
  const here = (host: string): boolean =>
    isAny(host) || host.startsWith('127.') || local.some((address) => sameAddress(address, host));
  const isOwn = (server: Server): boolean =>
    own.some(
      (o) => o.port === server.port && (sameAddress(o.host, server.host) || (isAny(o.host) && here(server.host))),
    );
  return servers.filter((server) => !isOwn(server));
}

const isAny = (host: string): boolean => parseAddress(host)?.every((word) => word === 0) === true;

const sameAddress = (a: string, b: string): boolean => String(parseAddress(a)) === String(parseAddress(b));
