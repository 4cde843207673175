/** What finding a route costs, from 10 to 10,000 routes, by the index and by asking each: `node bench/micro/route-match.bench.ts`. */
import { routeName, tableName } from '../../proxy/core/brand.ts';
import { Exchange } from '../../proxy/live/exchange.ts';
import { buildLinearMatcher } from '../../proxy/route/linear.ts';
import { buildMatcher } from '../../proxy/route/match.ts';
import type { Route, RouteMatch, RouteTable } from '../../proxy/snapshot/route.ts';
import { compare } from './timing.ts';

const PLAIN = {
  action: { kind: 'direct', status: 200, body: '', bodyIsBase64: false },
  timeout: null,
  retry: null,
  fault: null,
  cors: null,
  mirrors: [],
  requestHeaders: null,
  responseHeaders: null,
  operation: '',
  source: null,
} as const;

function route(name: string, match: Partial<RouteMatch>): Route {
  const any: RouteMatch = { path: null, method: null, authority: null, scheme: null, headers: [], query: [] };
  return { ...PLAIN, name: routeName(name), match: { ...any, ...match } };
}

/** `n` routes by path prefix behind one host, and one that takes the rest. */
function oneHost(n: number): RouteTable {
  const routes = Array.from({ length: n }, (_, i) =>
    route(`r${i}`, { path: { kind: 'prefix', value: `/service-${i}/` } }),
  );
  return {
    name: tableName('bench'),
    virtualHosts: [{ name: 'one', domains: ['*'], routes: [...routes, route('rest', {})] }],
  };
}

/** `n` hosts with two routes each. */
function manyHosts(n: number): RouteTable {
  const virtualHosts = Array.from({ length: n }, (_, i) => ({
    name: `h${i}`,
    domains: [`service-${i}.default.svc.cluster.local`, `service-${i}`],
    routes: [
      route('jason', {
        headers: [
          {
            name: 'end-user',
            match: { kind: 'exact', value: 'jason' },
            invert: false,
          },
        ],
      }),
      route('rest', {}),
    ],
  }));
  return { name: tableName('bench'), virtualHosts };
}

function asked(authority: string, path: string): Exchange {
  const connection = {
    id: 1,
    remoteAddress: '10.0.0.1',
    remotePort: 1,
    localAddress: '10.0.0.2',
    localPort: 80,
    redirected: false,
    peer: null,
    serverName: '',
  };
  return Object.assign(new Exchange(connection, 'outbound'), { method: 'GET', authority, path });
}

/** Requests for routes all over the table, so that neither the first nor the last is favoured. */
function requests(n: number, make: (i: number) => Exchange): readonly Exchange[] {
  return Array.from({ length: 64 }, (_, i) => make(Math.floor((i * n) / 64)));
}

for (const [what, table, make] of [
  ['routes by path in one host', oneHost, (i: number) => asked('a', `/service-${i}/x?q=1`)],
  ['hosts with two routes', manyHosts, (i: number) => asked(`service-${i}:9080`, '/reviews/0')],
] as const) {
  const cases: Record<string, (i: number) => unknown> = {};
  for (const n of [10, 100, 1000, 10_000]) {
    const sent = requests(n, make);
    for (const [how, build] of [
      ['index', buildMatcher],
      ['one by one', buildLinearMatcher],
    ] as const) {
      const match = build(table(n), (r) => r.name);
      cases[`${n}, ${how}`] = (i) => match(sent[i & 63]!);
    }
  }
  compare(what, cases);
}
