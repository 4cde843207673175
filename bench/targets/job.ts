/** What a proxy is asked to do, said once for everybody: `lateen-job.ts` and `envoy-job.ts` put it into their own words. */
import type { Place } from './candidate.ts';

/** Everything must hold for a route to be taken; nothing given matches all. */
export type JobMatch = {
  readonly path?: { readonly kind: 'exact' | 'prefix'; readonly value: string };
  readonly header?: { readonly name: string; readonly value: string };
};

export type JobRoute = { readonly name: string; readonly match: JobMatch };

/** First match wins, as in Istio and Envoy. */
export type JobHost = { readonly name: string; readonly routes: readonly JobRoute[] };

export type Job = {
  readonly hosts: readonly JobHost[];
  /** Refuses DELETE of /admin*. */
  readonly authz: boolean;
  /** Sets and removes headers of request and response. */
  readonly headers: boolean;
  /** Shares requests 90 to 10 among two subsets. */
  readonly weights: boolean;
  /** Istio's JSON access log, to a file. */
  readonly log: boolean;
  /** Percent of requests that start a trace; null: no tracing at all. */
  readonly tracing: number | null;
  /** It relays bytes to the origin, whatever they say; hosts and all that is about requests are left out. */
  readonly opaque: boolean;
};

/** Which request finds which route. */
export type Probe = { readonly path: string; readonly headers: Readonly<Record<string, string>> };

export const HOST = 'reviews.bench';
const ALL: JobRoute = { name: 'default', match: {} };

/** Forwards everything of one host to one place. */
export const PLAIN: Job = {
  hosts: [{ name: HOST, routes: [ALL] }],
  authz: false,
  headers: false,
  weights: false,
  log: false,
  tracing: null,
  opaque: false,
};

/** A route by a header, then the rest, as BookInfo's reviews. */
export const JASON: JobHost = {
  name: HOST,
  routes: [{ name: 'jason', match: { header: { name: 'end-user', value: 'jason' } } }, ALL],
};

/**
 * `count` routes in turns by prefix, by exact path, and by prefix with a header, `perHost` of them on each host; the last of each host
 * takes what is left. Route n belongs to host ⌊n / perHost⌋.
 */
export function manyRoutes(count: number, perHost: number): readonly JobHost[] {
  return Array.from({ length: Math.ceil(count / perHost) }, (_, h) => ({
    name: hostName(h, count <= perHost),
    routes: [...Array.from({ length: Math.min(perHost, count - h * perHost) }, (_, i) => route(h * perHost + i)), ALL],
  }));
}

/** A request that finds route `n` of `manyRoutes(count, perHost)`. */
export function probe(n: number, count: number, perHost: number): Probe {
  const { match } = route(n);
  const path = match.path?.kind === 'exact' ? match.path.value : `${match.path?.value ?? '/'}item`;
  return {
    path,
    headers: {
      Host: hostName(Math.floor(n / perHost), count <= perHost),
      ...(match.header === undefined ? {} : { [match.header.name]: match.header.value }),
    },
  };
}

/** `size` route numbers below `count`, the same in every run, spread over all of them. */
export function sampleOf(count: number, size: number): readonly number[] {
  let state = 42;
  return Array.from({ length: size }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((state / 0x8000_0000) * count);
  });
}

const hostName = (n: number, only: boolean): string => (only ? HOST : `h${n}.bench`);

function route(n: number): JobRoute {
  const name = `r${n}`;
  if (n % 3 === 0) return { name, match: { path: { kind: 'prefix', value: `/api/service-${n}/` } } };
  if (n % 3 === 1) return { name, match: { path: { kind: 'exact', value: `/page/${n}` } } };
  return {
    name,
    match: {
      path: { kind: 'prefix', value: `/tenant/${n}/` },
      header: { name: 'x-tenant', value: `t${n}` },
    },
  };
}

/** The places a job needs. */
export type JobPlaces = { readonly origin: Place; readonly collector: Place };
