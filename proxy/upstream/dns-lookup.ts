/** Asks for the addresses of one name: by c-ares, which tells the TTL, and by the system's resolver for what DNS does not know. */
import { lookup, promises as dns } from 'node:dns';
import { readFileSync, statSync } from 'node:fs';

/** `ttl`: milliseconds; null: not told. */
export type DnsAnswer = { readonly addresses: readonly string[]; readonly ttl: number | null };

/** Rejects with an error whose `code` is one of Node's (dns, "Error codes"). `prefer`: the other family only when there is none of it. */
export type DnsLookup = (name: string, prefer: 4 | 6) => Promise<DnsAnswer>;

export type DnsSetup = {
  /** Servers to ask instead of the system's: `127.0.0.1:5353`. For tests. */
  readonly servers?: readonly string[];
  readonly hostsFile?: string;
  /** The system's resolver (getaddrinfo). */
  readonly system?: (name: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;
};

/** Two tries, the second one twice as long: a server that does not answer costs some 6 s. */
const QUERY = { timeout: 2000, tries: 2 };

/** DNS has not answered; the system's resolver would ask the same servers, and hold one of Node's few threads meanwhile. */
const SILENT = new Set(['ETIMEOUT', 'ESERVFAIL', 'ECANCELLED']);

/** Like Envoy's resolver: the hosts file first, then DNS; what DNS does not know may be in a search domain or in mDNS. */
export function createDnsLookup(setup: DnsSetup = {}): DnsLookup {
  const { servers, hostsFile = '/etc/hosts', system = bySystem } = setup;
  const hosts = hostsReader(hostsFile);
  let resolver: dns.Resolver | null = null;

  return async (name, prefer) => {
    if (!name.includes('.') || name.endsWith('.localhost') || hosts().has(name)) return ask(name, prefer);
    try {
      return await query(name, prefer);
    } catch (error) {
      const code = codeOf(error);
      // Servers are read from resolv.conf once: after a laptop's change of networks they are others.
      if (code === 'ETIMEOUT' || code === 'ECONNREFUSED') resolver = null;
      if (SILENT.has(code)) throw error;
      return ask(name, prefer);
    }
  };

  async function query(name: string, prefer: 4 | 6): Promise<DnsAnswer> {
    resolver ??= createResolver(servers);
    const asked = resolver;
    const one = async (family: 4 | 6): Promise<DnsAnswer> => {
      const records = await (family === 4 ? asked.resolve4(name, { ttl: true }) : asked.resolve6(name, { ttl: true }));
      const ttl = records.reduce((least, record) => Math.min(least, record.ttl), Infinity);
      return { addresses: records.map((record) => record.address), ttl: ttl === Infinity ? null : ttl * 1000 };
    };
    try {
      const answer = await one(prefer);
      if (answer.addresses.length > 0) return answer;
    } catch (error) {
      if (codeOf(error) !== 'ENODATA') throw error;
    }
    return one(prefer === 4 ? 6 : 4);
  }

  async function ask(name: string, prefer: 4 | 6): Promise<DnsAnswer> {
    const found = await system(name);
    const wanted = found.filter(({ family }) => family === prefer);
    return { addresses: (wanted.length > 0 ? wanted : found).map(({ address }) => address), ttl: null };
  }
}

function createResolver(servers: readonly string[] | undefined): dns.Resolver {
  const resolver = new dns.Resolver(QUERY);
  if (servers !== undefined) resolver.setServers(servers);
  return resolver;
}

function bySystem(name: string): Promise<readonly { address: string; family: number }[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly { address: string; family: number }[]>();
  lookup(name, { all: true, verbatim: true }, (error, found) => (error === null ? resolve(found) : reject(error)));
  return promise;
}

/** The names in the hosts file, lower case; read again when it has changed. */
function hostsReader(file: string): () => ReadonlySet<string> {
  let names: ReadonlySet<string> = new Set();
  let seen = '';
  return () => {
    try {
      const { mtimeMs, size, ino } = statSync(file);
      const now = `${mtimeMs} ${size} ${ino}`;
      if (now !== seen) names = namesIn(readFileSync(file, 'utf8'));
      seen = now;
    } catch {
      names = new Set();
      seen = '';
    }
    return names;
  };
}

function namesIn(hosts: string): Set<string> {
  const names = new Set<string>();
  for (const line of hosts.split('\n')) {
    for (const name of line.replace(/#.*/, '').trim().split(/\s+/).slice(1)) names.add(name.toLowerCase());
  }
  return names;
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';
