/** Resolves the names of DNS clusters again and again; a failure keeps the last good answer (Envoy's STRICT_DNS does). */
import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import type { LiveCluster } from '../live/cluster.ts';
import type { Endpoint } from '../snapshot/endpoints.ts';

type DnsHost = { readonly host: string; readonly port: number; readonly weight: number };

/** Istio's dnsRefreshRate is 60 s; a shorter one follows failovers sooner at no cost worth naming. */
const REFRESH_MS = 15_000;
const RETRY_MS = 2000;
/** More addresses than this of one name are not used. */
const MAX_ADDRESSES = 256;

export class Resolver {
  readonly #onResolved: (cluster: LiveCluster, endpoints: readonly Endpoint[]) => void;
  readonly #timers = new Map<LiveCluster, { readonly wanted: string; timer: NodeJS.Timeout | null; over: boolean }>();

  constructor(onResolved: (cluster: LiveCluster, endpoints: readonly Endpoint[]) => void) {
    this.#onResolved = onResolved;
  }

  /** Exactly these clusters are kept resolved from now on. */
  watch(clusters: readonly LiveCluster[]): void {
    const wanted = new Set(clusters.filter((c) => c.settings.discovery.kind === 'dns'));
    for (const [cluster, job] of this.#timers) {
      if (wanted.has(cluster) && job.wanted === JSON.stringify(cluster.settings.discovery)) continue;
      job.over = true;
      if (job.timer !== null) clearTimeout(job.timer);
      this.#timers.delete(cluster);
    }
    for (const cluster of wanted) {
      const { discovery } = cluster.settings;
      if (this.#timers.has(cluster) || discovery.kind !== 'dns') continue;
      const job = { wanted: JSON.stringify(discovery), timer: null, over: false };
      this.#timers.set(cluster, job);
      void this.#resolve(cluster, discovery.hosts, job);
    }
  }

  close(): void {
    this.watch([]);
  }

  async #resolve(
    cluster: LiveCluster,
    hosts: readonly DnsHost[],
    job: { timer: NodeJS.Timeout | null; over: boolean },
  ): Promise<void> {
    const answers = await Promise.all(hosts.map(addressesOf));
    if (job.over) return;
    const failed = answers.some((a) => a === null);
    const found = answers.flatMap((a) => a ?? []);
    // Half an answer would take endpoints away that may be fine.
    if (found.length > 0 && (!failed || cluster.endpoints.length === 0)) this.#onResolved(cluster, found);
    job.timer = setTimeout(() => void this.#resolve(cluster, hosts, job), failed ? RETRY_MS : REFRESH_MS);
    job.timer.unref();
  }
}

async function addressesOf({ host, port, weight }: DnsHost): Promise<Endpoint[] | null> {
  const endpoint = (address: string): Endpoint => ({ address, port, weight, healthy: true, locality: '' });
  if (isIP(host) !== 0) return [endpoint(host)];
  try {
    const answers = await dns.lookup(host, { all: true, verbatim: true });
    return [...new Set(answers.map((a) => a.address))].slice(0, MAX_ADDRESSES).map(endpoint);
  } catch {
    return null;
  }
}
