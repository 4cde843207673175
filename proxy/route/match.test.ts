import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { routeName, tableName } from '../core/brand.ts';
import { Exchange } from '../live/exchange.ts';
import type { StringMatch } from '../snapshot/match.ts';
import type { HeaderMatch, Route, RouteMatch, RouteTable } from '../snapshot/route.ts';
import { buildLinearMatcher } from './linear.ts';
import { buildMatcher } from './match.ts';

const builders = { indexed: buildMatcher, linear: buildLinearMatcher };

/** Routes that match nothing, in front: so that the index is used in every case, and not only for long lists. */
const padding = Array.from({ length: 8 }, (_, i) =>
  route(`pad-${i}`, { path: { kind: 'regex', value: `never-${i}` } }),
);

type Asked = Partial<Pick<Exchange, 'method' | 'path' | 'authority' | 'scheme' | 'headers'>>;

for (const [builder, build] of Object.entries(builders)) {
  describe(`${builder}: the virtual host`, () => {
    const table = tableOf([
      ['exact', ['reviews.default.svc.cluster.local', 'reviews']],
      ['suffix', ['*.example.com']],
      ['longer', ['*.api.example.com']],
      ['odd', ['*-canary.example.com']],
      ['v6', ['[::1]']],
      ['any', ['*']],
      ['late', ['reviews', '*.example.com', '*']],
    ]);
    const match = build(table, (r) => r.name);
    for (const [authority, host] of [
      ['reviews', 'exact'],
      ['REVIEWS:9080', 'exact'],
      ['reviews.default.svc.cluster.local.:80', 'exact'],
      ['a.example.com', 'suffix'],
      ['a.b.example.com', 'suffix'],
      ['x.api.example.com', 'longer'],
      ['api.example.com', 'suffix'],
      ['x-canary.example.com', 'odd'],
      ['x-canary.api.example.com', 'longer'],
      ['example.com', 'any'],
      ['.example.com', 'any'],
      ['.a.example.com', 'suffix'],
      ['evilexample.com', 'any'],
      ['example.com.evil', 'any'],
      ['[::1]:8080', 'v6'],
      ['', 'any'],
      ['__proto__', 'any'],
    ] as const) {
      test(`${authority || 'no authority'} is ${host}`, () => expect(match(asked({ authority }))).toBe(host));
    }

    test('without `*` an unknown host has no route', () => {
      const table = tableOf([['exact', ['reviews']]]);
      expect(build(table, (r) => r.name)(asked({ authority: 'ratings' }))).toBeNull();
    });
  });

  for (const [size, before] of [
    ['few', []],
    ['many', padding],
  ] as const) {
    describe(`${builder}, ${size} routes: one route asks`, () => {
      for (const [name, wants, fits, refuses] of CASES) {
        test(name, () => {
          const table = {
            name: tableName('t'),
            virtualHosts: [{ name: 'h', domains: ['*'], routes: [...before, route('r', wants)] }],
          };
          const match = build(table, (r) => r.name);
          expect(fits.filter((x) => match(asked(x)) !== 'r')).toEqual([]);
          expect(refuses.filter((x) => match(asked(x)) !== null)).toEqual([]);
        });
      }
    });

    test(`${builder}, ${size} routes: the first that matches wins, whatever its kind`, () => {
      const order = ['/a/b', '/a', '/a/b/c'];
      const routes = [
        ...before,
        route('regex', { path: { kind: 'regex', value: '/a/b/c/.*' } }),
        route('header', {
          path: { kind: 'prefix', value: '/a' },
          headers: [header('x', { kind: 'exact', value: '1' })],
        }),
        route('exact', { path: { kind: 'exact', value: '/a/b' } }),
        route('prefix', { path: { kind: 'prefix', value: '/a/' } }),
        route('shadowed', { path: { kind: 'exact', value: '/a/c' } }),
        route('nocase', { path: { kind: 'prefix', value: '/A', ignoreCase: true } }),
        route('rest', {}),
        route('unreachable', { path: { kind: 'exact', value: '/z' } }),
      ];
      const match = build(
        { name: tableName('t'), virtualHosts: [{ name: 'h', domains: ['*'], routes }] },
        (r) => r.name,
      );
      expect(order.map((path) => match(asked({ path })))).toEqual(['exact', 'nocase', 'prefix']);
      expect(['/a/c', '/A', '/z', '/a/b/c/d'].map((path) => match(asked({ path })))).toEqual([
        'prefix',
        'nocase',
        'rest',
        'regex',
      ]);
      expect(match(asked({ path: '/a/b?x=1', headers: ['X', '1'] }))).toBe('header');
    });
  }
}

const CASES: readonly [name: string, wants: Partial<RouteMatch>, fits: Asked[], refuses: Asked[]][] = [
  ['nothing', {}, [{}, { path: '*' }], []],
  [
    'an exact path, without its query',
    { path: exact('/a') },
    [{ path: '/a' }, { path: '/a?b' }],
    [{ path: '/a/' }, { path: '/A' }, { path: '/' }],
  ],
  [
    'a prefix, which is plain text',
    { path: { kind: 'prefix', value: '/foo' } },
    [{ path: '/foo' }, { path: '/foobar?x' }],
    [{ path: '/fo' }, { path: '/x?/foo' }],
  ],
  [
    'a regex for the whole path',
    { path: { kind: 'regex', value: '/(a|b)+' } },
    [{ path: '/ab' }, { path: '/a?c' }],
    [{ path: '/abc' }, { path: '/' }],
  ],
  [
    'a path in any case',
    { path: { kind: 'exact', value: '/LogIn', ignoreCase: true } },
    [{ path: '/login' }],
    [{ path: '/logi' }],
  ],
  ['a method, in its case', { method: exact('GET') }, [{ method: 'GET' }], [{ method: 'get' }, { method: 'POST' }]],
  [
    'an authority, port and case included',
    { authority: exact('Reviews:80') },
    [{ authority: 'Reviews:80' }],
    [{ authority: 'reviews:80' }, { authority: 'Reviews' }],
  ],
  ['a scheme', { scheme: exact('https') }, [{ scheme: 'https' }], [{ scheme: 'http' }]],
  [
    'a header',
    { headers: [header('end-user', exact('jason'))] },
    [{ headers: ['End-User', 'jason'] }],
    [{}, { headers: ['end-user', 'Jason'] }, { headers: ['end-user', 'jason,x'] }],
  ],
  ['a header that is there', { headers: [header('x', { kind: 'present' })] }, [{ headers: ['X', ''] }], [{}]],
  [
    'any line of a header',
    { headers: [header('x', exact('b'))] },
    [{ headers: ['x', 'a', 'y', '-', 'X', 'b'] }],
    [{ headers: ['x', 'a', 'x', 'c'] }],
  ],
  [
    'a header that is not so',
    { headers: [header('x', exact('a'), true)] },
    [{}, { headers: ['x', 'b'] }],
    [{ headers: ['x', 'a'] }],
  ],
  ['a header that is not there', { headers: [header('x', { kind: 'present' }, true)] }, [{}], [{ headers: ['x', ''] }]],
  [
    'a missing header not to be empty',
    { headers: [header('x', exact(''), true)] },
    [{ headers: ['x', 'a'] }],
    [{}, { headers: ['x', ''] }],
  ],
  [
    'Host, which is the authority',
    { headers: [header('host', exact('a:1'))] },
    [{ authority: 'a:1' }],
    [{ authority: 'a' }],
  ],
  [
    'pseudo headers',
    { headers: [header(':method', exact('PUT')), header(':path', exact('/a?b'))] },
    [{ method: 'PUT', path: '/a?b' }],
    [{ method: 'PUT', path: '/a' }],
  ],
  ['__proto__', { headers: [header('__proto__', exact('a'))] }, [{ headers: ['__proto__', 'a'] }], [{}]],
  [
    'a query parameter, not decoded',
    { query: [{ name: 'q', match: exact('%41') }] },
    [{ path: '/?q=%41' }, { path: '/?x&q=%41&q=b' }],
    [{ path: '/?q=A' }, { path: '/q=%41' }, { path: '/?q=b&q=%41' }, { path: '/?qq=%41' }],
  ],
  [
    'a parameter that is there',
    { query: [{ name: 'q', match: { kind: 'present' } }] },
    [{ path: '/?q' }, { path: '/?a&q=' }],
    [{ path: '/' }, { path: '/?' }, { path: '/?aq=1' }],
  ],
  [
    'many things at once',
    {
      path: { kind: 'prefix', value: '/p' },
      method: exact('GET'),
      headers: [header('a', exact('1')), header('b', exact('2'), true)],
    },
    [{ path: '/p', headers: ['a', '1'] }],
    [
      { path: '/p', headers: ['a', '1', 'b', '2'] },
      { path: '/p' },
      { path: '/q', headers: ['a', '1'] },
      { path: '/p', headers: ['a', '1'], method: 'POST' },
    ],
  ],
];

test('the index and the obvious way agree on every table and every request', () => {
  const path = fc.constantFrom('/', '/a', '/ab', '/a/b', '/a/b/c', '/b', '/A', '/a/', '');
  const pathMatch: fc.Arbitrary<StringMatch | null> = fc.oneof(
    fc.constant(null),
    fc.record({ kind: fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const), value: path }),
    fc.record({ kind: fc.constantFrom('exact' as const, 'prefix' as const), value: path, ignoreCase: fc.boolean() }),
    fc.constantFrom<StringMatch>(
      { kind: 'regex', value: '/a.*' },
      { kind: 'regex', value: '.*b' },
      { kind: 'present' },
    ),
  );
  const more: fc.Arbitrary<Partial<RouteMatch>> = fc.constantFrom<Partial<RouteMatch>>(
    {},
    {},
    {},
    { method: exact('POST') },
    { headers: [header('x', exact('1'))] },
    { query: [{ name: 'q', match: exact('1') }] },
  );
  const routes = fc.array(fc.tuple(pathMatch, more), { maxLength: 20 });
  const domain = fc.constantFrom('a', 'b.a', '*.a', '*.b.a', '*', '*a', '*-x.a', 'A', 'a.');
  const hosts = fc.array(fc.tuple(fc.array(domain, { maxLength: 3 }), routes), { maxLength: 4 });
  const request = fc.record({
    authority: fc.constantFrom('a', 'A:80', 'b.a', 'c.b.a', 'q-x.a', '.a', 'z', 'a.:1', ''),
    path: fc.tuple(path, fc.constantFrom('', '?q=1', '?q')).map((parts) => parts.join('')),
    method: fc.constantFrom('GET', 'POST'),
    headers: fc.constantFrom<string[]>([], ['X', '1']),
  });
  fc.assert(
    fc.property(hosts, fc.array(request, { minLength: 5, maxLength: 10 }), (hosts, requests) => {
      const table: RouteTable = {
        name: tableName('t'),
        virtualHosts: hosts.map(([domains, routes], h) => ({
          name: `${h}`,
          domains,
          routes: routes.map(([path, more], r) => route(`${h}/${r}`, { path, ...more })),
        })),
      };
      const indexed = buildMatcher(table, (r) => r.name);
      const linear = buildLinearMatcher(table, (r) => r.name);
      for (const x of requests) expect(indexed(asked(x)), JSON.stringify({ table, x })).toBe(linear(asked(x)));
    }),
    { numRuns: 1500 },
  );
});

describe('size does not show', () => {
  test('ten thousand virtual hosts cost no more than ten', () => {
    const time = (hosts: number): number => {
      const match = buildMatcher(
        tableOf(Array.from({ length: hosts }, (_, i) => [`h${i}`, [`svc-${i}`, `*.svc-${i}.example`]])),
        (r) => r.name,
      );
      const x = asked({ authority: `svc-${hosts - 1}:9080`, path: '/reviews/0' });
      return fastest(() => expect(match(x) === null).toBe(false), match, x);
    };
    // Both are some tens of nanoseconds; a search through all would be a thousand times slower.
    expect(time(10_000)).toBeLessThan(Math.max(time(10) * 20, 0.002));
  });

  test('ten thousand routes of one host cost little more than ten', () => {
    const routes = Array.from({ length: 10_000 }, (_, i) =>
      route(`r${i}`, { path: i % 2 === 0 ? exact(`/exact/${i}`) : { kind: 'prefix', value: `/prefix/${i}/` } }),
    );
    const match = buildMatcher(
      { name: tableName('t'), virtualHosts: [{ name: 'h', domains: ['*'], routes }] },
      (r) => r.name,
    );
    for (const [path, name] of [
      ['/exact/9998', 'r9998'],
      ['/prefix/9999/x', 'r9999'],
    ] as const) {
      const x = asked({ path });
      expect(fastest(() => expect(match(x)).toBe(name), match, x)).toBeLessThan(0.02);
    }
  });

  /** Milliseconds of the best of many calls, which a busy machine disturbs least. */
  function fastest(check: () => void, match: (x: Exchange) => unknown, x: Exchange): number {
    check();
    let best = Infinity;
    for (let round = 0; round < 50; round++) {
      const start = performance.now();
      for (let i = 0; i < 100; i++) match(x);
      best = Math.min(best, (performance.now() - start) / 100);
    }
    return best;
  }
});

test('each reachable route is linked once, when the first request for its host comes', () => {
  const linked: string[] = [];
  const routes = [route('a', { path: exact('/a') }), route('b', {}), route('c', {})];
  const match = buildMatcher({ name: tableName('t'), virtualHosts: [{ name: 'h', domains: ['*'], routes }] }, (r) => {
    linked.push(r.name);
    return r;
  });
  expect(linked).toEqual([]);
  expect(match(asked({ path: '/a' }))).toBe(routes[0]);
  match(asked({}));
  expect(linked).toEqual(['a', 'b']);
});

function exact(value: string): StringMatch {
  return { kind: 'exact', value };
}

function header(name: string, match: StringMatch, invert = false): HeaderMatch {
  return { name, match, invert };
}

function route(name: string, match: Partial<RouteMatch>): Route {
  return {
    name: routeName(name),
    match: { path: null, method: null, authority: null, scheme: null, headers: [], query: [], ...match },
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
  };
}

/** One route each, named as its host. */
function tableOf(hosts: readonly (readonly [string, readonly string[]])[]): RouteTable {
  return {
    name: tableName('t'),
    virtualHosts: hosts.map(([name, domains]) => ({ name, domains, routes: [route(name, {})] })),
  };
}

function asked(given: Asked): Exchange {
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
  return Object.assign(new Exchange(connection, 'outbound'), { method: 'GET', authority: 'reviews' }, given);
}
