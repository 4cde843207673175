import { describe, expect, test } from 'vitest';
import type { Connection } from '../live/connection.ts';
import { Exchange } from '../live/exchange.ts';
import type { Attribute, Authz, Policy, Predicate } from '../snapshot/authz.ts';
import type { StringMatch } from '../snapshot/match.ts';
import type { Workload } from '../snapshot/node.ts';
import { authorizer, connectionAuthorizer } from './policy.ts';

const env = { labels: { app: 'ratings' }, trustDomain: 'cluster.local' };
const reviews = workload('reviews', 'v3');
const always: Predicate = { kind: 'always' };
const path = (value: string): Predicate => is('request.path', { kind: 'exact', value });

type Asked = Partial<Pick<Exchange, 'method' | 'path' | 'target' | 'authority' | 'headers' | 'scheme'>> & {
  peer?: Workload | null;
  from?: string;
  port?: number;
};

describe('order and defaults (C8)', () => {
  for (const [name, authz, verdict] of [
    ['no policy at all permits', {}, null],
    ['an ALLOW without rules permits nothing', { allow: [[]] }, 'none'],
    ['an ALLOW of everything permits everything', { allow: [[always]] }, null],
    ['DENY beats ALLOW', { deny: [[path('/a')]], allow: [[always]] }, 'ns[default]-policy[deny-0]-rule[0]'],
    ['a DENY that does not match leaves it to ALLOW', { deny: [[path('/b')]], allow: [[path('/b')]] }, 'none'],
    ['a DENY without rules denies nothing', { deny: [[]] }, null],
    ['a DENY of everything denies everything', { deny: [[always]] }, 'ns[default]-policy[deny-0]-rule[0]'],
    ['any policy and any rule suffices', { allow: [[path('/b')], [path('/c'), path('/a')]] }, null],
    [
      'the rule that denied is named',
      { deny: [[path('/b')], [path('/c'), path('/a')]] },
      'ns[default]-policy[deny-1]-rule[1]',
    ],
    ['AUDIT changes nothing', { audit: [[always]] }, null],
  ] satisfies [string, Rules, string | null][]) {
    test(name, () => expect(judge(authzOf(authz), { path: '/a' })).toBe(verdict));
  }

  test('a denial says who decided, why, and what the client gets', () => {
    const x = asked({ path: '/ratings/0', peer: reviews });
    const verdict = authorizer(authzOf({ deny: [[label('version', 'v3')]] }), env)(x);
    expect(verdict).toEqual({
      kind: 'failure',
      failure: {
        kind: 'denied',
        policy: 'ns[default]-policy[deny-0]-rule[0]',
        status: 403,
        body: 'RBAC: access denied',
      },
    });
    expect(x.decidedBy?.name).toBe('deny-0');
    expect(x.reason).toBe(
      'denied by AuthorizationPolicy default/deny-0, rule 0: the caller is reviews-v3 of namespace default at 127.1.0.7',
    );
  });

  test('when no ALLOW matches, the policies that could have are named', () => {
    const x = asked({});
    void authorizer(authzOf({ allow: [[], [], [], [], []] }), env)(x);
    expect(x.reason).toContain('default/allow-0, default/allow-1, default/allow-2 and 2 more');
    expect(x.reason).toContain('an unknown caller at 127.1.0.7');
  });
});

describe('who the caller is', () => {
  for (const [name, when, known, stranger] of [
    ['a label', label('version', 'v3'), true, false],
    ['not a label', { kind: 'not', of: label('version', 'v3') }, false, true],
    [
      'a label it has not',
      { kind: 'string', attribute: { of: 'source.label', name: 'tier' }, match: { kind: 'present' } },
      false,
      false,
    ],
    [
      '__proto__ as a label',
      { kind: 'string', attribute: { of: 'source.label', name: '__proto__' }, match: { kind: 'prefix', value: '' } },
      false,
      false,
    ],
    ['a namespace', is('source.namespace', { kind: 'exact', value: 'default' }), true, false],
    ['not a namespace', { kind: 'not', of: is('source.namespace', { kind: 'exact', value: 'prod' }) }, true, true],
    [
      'a principal',
      is('source.principal', { kind: 'exact', value: 'cluster.local/ns/default/sa/bookinfo-reviews' }),
      true,
      false,
    ],
    ['any principal', is('source.principal', { kind: 'present' }), true, false],
    ['a principal by suffix, anchored', is('source.principal', { kind: 'suffix', value: '/sa/reviews' }), false, false],
    [
      'a service account',
      is('source.serviceAccount', { kind: 'exact', value: 'default/bookinfo-reviews' }),
      true,
      false,
    ],
    [
      'a service account of another namespace',
      is('source.serviceAccount', { kind: 'exact', value: 'prod/bookinfo-reviews' }),
      false,
      false,
    ],
    ['the source address', { kind: 'cidr', attribute: 'source.ip', ranges: ['127.1.0.0/24'] }, true, true],
    ['the remote address', { kind: 'cidr', attribute: 'remote.ip', ranges: ['127.1.1.0/24'] }, false, false],
    ['the destination address', { kind: 'cidr', attribute: 'destination.ip', ranges: ['127.1.0.9'] }, true, true],
    ['the port', { kind: 'port', port: 9080 }, true, true],
    ['another port', { kind: 'port', port: 80 }, false, false],
    [
      'a label of the workload itself',
      {
        kind: 'string',
        attribute: { of: 'destination.label', name: 'app' },
        match: { kind: 'exact', value: 'ratings' },
      },
      true,
      true,
    ],
    [
      'another label of it',
      {
        kind: 'string',
        attribute: { of: 'destination.label', name: 'app' },
        match: { kind: 'exact', value: 'details' },
      },
      false,
      false,
    ],
    ['SNI, which plain text has not', is('connection.sni', { kind: 'present' }), false, false],
    ['all of', { kind: 'all', of: [label('app', 'reviews'), label('version', 'v3'), path('/')] }, true, false],
    ['all of nothing', { kind: 'all', of: [] }, true, true],
    ['any of nothing', { kind: 'any', of: [] }, false, false],
    [
      'three alternatives',
      { kind: 'any', of: [label('version', 'v1'), label('version', 'v2'), label('version', 'v3')] },
      true,
      false,
    ],
  ] satisfies [string, Predicate, boolean, boolean][]) {
    test(name, () => {
      for (const action of ['deny', 'allow'] as const) {
        expect(holds(action, when, { peer: reviews }), `${action}, known`).toBe(known);
        expect(holds(action, when, { peer: null }), `${action}, unknown`).toBe(stranger);
      }
    });
  }

  test('callers that take turns are told apart', () => {
    const ratings = workload('ratings', 'v1');
    for (const when of [
      is('source.principal', { kind: 'suffix', value: '/sa/bookinfo-reviews' }),
      is('source.serviceAccount', { kind: 'exact', value: 'default/bookinfo-reviews' }),
    ]) {
      const filter = authorizer(authzOf({ allow: [[when]] }), env);
      const verdicts = [reviews, ratings, null, reviews, null, ratings].map((peer) => filter(asked({ peer })) === null);
      expect(verdicts).toEqual([true, false, false, true, false, false]);
    }
  });

  test('headers that speak of the caller change nothing', () => {
    const headers = [
      'x-forwarded-for',
      '10.0.0.1',
      'x-forwarded-client-cert',
      'URI=spiffe://cluster.local/ns/default/sa/bookinfo-reviews',
    ];
    expect(holds('allow', is('source.principal', { kind: 'present' }), { headers })).toBe(false);
    expect(holds('allow', { kind: 'cidr', attribute: 'remote.ip', ranges: ['10.0.0.1'] }, { headers })).toBe(false);
  });
});

describe('where there are several readings, DENY takes any and ALLOW needs all', () => {
  const header = (value: string): Predicate => headerIs('x-role', { kind: 'exact', value });
  const host = (match: StringMatch): Predicate => is('request.host', match);
  const com: StringMatch = { kind: 'exact', value: 'example.com', ignoreCase: true };
  for (const [name, when, x, denies, allows] of [
    ['one of two lines', header('admin'), { headers: ['x-role', 'user', 'X-Role', 'admin'] }, true, false],
    ['both lines joined', header('user,admin'), { headers: ['x-role', 'user', 'x-role', 'admin'] }, true, false],
    ['two equal lines, joined to another value', header('a'), { headers: ['x-role', 'a', 'x-role', 'a'] }, true, false],
    [
      'every line and the whole',
      headerIs('x-role', { kind: 'prefix', value: 'a' }),
      { headers: ['x-role', 'a1', 'x-role', 'a2'] },
      true,
      true,
    ],
    ['one line', header('admin'), { headers: ['x-role', 'admin'] }, true, true],
    ['no line', header('admin'), {}, false, false],
    ['presence', headerIs('x-role', { kind: 'present' }), { headers: ['x-role', ''] }, true, true],
    [
      'not one of two lines',
      { kind: 'not', of: header('admin') },
      { headers: ['x-role', 'admin', 'x-role', 'x'] },
      true,
      false,
    ],
    ['a host in other case', host(com), { authority: 'EXAMPLE.com' }, true, true],
    ['a host with the dot of the root', host(com), { authority: 'example.com.' }, true, false],
    ['a host with a port', host(com), { authority: 'example.com:81' }, true, false],
    ['a longer host', host(com), { authority: 'evilexample.com' }, false, false],
    [
      'not a host, with a port',
      { kind: 'not', of: host({ kind: 'prefix', value: 'example.com:' }) },
      { authority: 'example.com:81' },
      false,
      false,
    ],
    ['Host as a header', headerIs('Host', com), { authority: 'example.com' }, true, true],
    ['a plain path', path('/private'), { path: '/private', target: '/private?x=%2e' }, true, true],
    ['an encoded path', path('/private'), { path: '/private', target: '/%70rivate' }, true, false],
    ['a path with parameters', path('/private'), { path: '/private;x', target: '/private;x' }, true, false],
    [
      'a path that hides a dot segment',
      { kind: 'string', attribute: { of: 'request.path' }, match: { kind: 'prefix', value: '/public/' } },
      { path: '/public/..%2fprivate', target: '/public/..%2fprivate' },
      true,
      false,
    ],
    [
      'not a path, hidden in it',
      {
        kind: 'not',
        of: { kind: 'string', attribute: { of: 'request.path' }, match: { kind: 'prefix', value: '/public/' } },
      },
      { path: '/public/..%2fprivate', target: '/public/..%2fprivate' },
      true,
      false,
    ],
    ['the path of an absolute target', path('/a'), { path: '/a', target: 'http://ratings:9080/a' }, true, true],
    ['a template', { kind: 'path-template', template: '/a/{*}/c' }, { path: '/a/b/c', target: '/a/b/c' }, true, true],
    [
      'a template over another spelling',
      { kind: 'path-template', template: '/a/{*}/c' },
      { path: '/a/b%2fx/c', target: '/a/b%2fx/c' },
      true,
      false,
    ],
    ['a method, in its case', is('request.method', { kind: 'exact', value: 'GET' }), { method: 'get' }, false, false],
  ] satisfies [string, Predicate, Asked, boolean, boolean][]) {
    test(name, () => expect([holds('deny', when, x), holds('allow', when, x)]).toEqual([denies, allows]));
  }
});

describe('what is broken fails closed', () => {
  for (const [name, when] of [
    ['an expression that is no RE2', is('request.path', { kind: 'regex', value: '(' })],
    ['an expression about the caller', is('source.namespace', { kind: 'regex', value: '(?=a)' })],
    ['a range that is none', { kind: 'cidr', attribute: 'source.ip', ranges: ['10.0.0.0/8', 'nonsense'] }],
    ['a template that is none', { kind: 'path-template', template: '/{**}/{*}' }],
  ] satisfies [string, Predicate][]) {
    test(`${name}: a DENY denies, an ALLOW does not allow, and so with not`, () => {
      for (const predicate of [when, { kind: 'not', of: when } satisfies Predicate]) {
        expect(holds('deny', predicate, {})).toBe(true);
        expect(holds('allow', predicate, {})).toBe(false);
      }
    });
  }

  test('a catastrophic expression is quick (C7)', () => {
    const start = performance.now();
    expect(
      holds('deny', headerIs('x', { kind: 'regex', value: '(a+)+$' }), { headers: ['x', `${'a'.repeat(50_000)}!`] }),
    ).toBe(false);
    expect(performance.now() - start).toBeLessThan(500);
  });
});

describe('TCP: only the connection can be asked', () => {
  const port: Predicate = { kind: 'port', port: 9080 };
  const other: Predicate = { kind: 'port', port: 1 };
  const http = path('/x');
  for (const [name, authz, verdict] of [
    ['no policy', {}, null],
    ['a DENY of the caller', { deny: [[label('version', 'v3')]] }, 'ns[default]-policy[deny-0]-rule[0]'],
    ['an ALLOW of another caller', { allow: [[label('version', 'v1')]] }, 'none'],
    [
      'a DENY that asks for a path too is wider',
      { deny: [[{ kind: 'all', of: [http, port] }]] },
      'ns[default]-policy[deny-0]-rule[0]',
    ],
    ['but not wider than its port', { deny: [[{ kind: 'all', of: [http, other] }]] }, null],
    [
      'a DENY that asks only for what is not a path',
      { deny: [[{ kind: 'not', of: http }]] },
      'ns[default]-policy[deny-0]-rule[0]',
    ],
    ['an ALLOW that asks for a path never holds', { allow: [[{ kind: 'all', of: [http, port] }]] }, 'none'],
    [
      'nor one that asks for what is not a path',
      { allow: [[{ kind: 'all', of: [{ kind: 'not', of: http }, port] }]] },
      'none',
    ],
    ['an ALLOW with an alternative that asks for none', { allow: [[{ kind: 'any', of: [http, port] }]] }, null],
  ] satisfies [string, Rules, string | null][]) {
    test(name, () => {
      const denial = connectionAuthorizer(authzOf(authz), env)(connection({ peer: reviews }));
      expect(denial?.details ?? null).toBe(verdict === null ? null : `rbac_access_denied_matched_policy[${verdict}]`);
    });
  }
});

type Rules = { readonly [action in 'deny' | 'allow' | 'audit']?: readonly (readonly Predicate[])[] };

function authzOf({ deny = [], allow = [], audit = [] }: Rules): Authz {
  const list = (action: string, policies: readonly (readonly Predicate[])[]): Policy[] =>
    policies.map((rules, i) => ({
      namespace: 'default',
      name: `${action}-${i}`,
      rules: rules.map((when) => ({ when })),
      reply: { status: 403, body: 'RBAC: access denied' },
      source: { kind: 'AuthorizationPolicy', namespace: 'default', name: `${action}-${i}`, path: 'spec' },
    }));
  return { deny: list('deny', deny), allow: list('allow', allow), audit: list('audit', audit) };
}

/** Null: permitted; else the policy that was named. */
function judge(authz: Authz, given: Asked): string | null {
  const verdict = authorizer(authz, env)(asked(given));
  if (verdict instanceof Promise) throw new Error('authorization has nothing to wait for');
  return verdict?.kind === 'failure' && verdict.failure.kind === 'denied' ? verdict.failure.policy : null;
}

/** Whether the only rule of the only policy holds. */
function holds(action: 'deny' | 'allow', when: Predicate, given: Asked): boolean {
  return (judge(authzOf({ [action]: [[when]] }), given) === null) === (action === 'allow');
}

function is(of: Exclude<Attribute, { name: string }>['of'], match: StringMatch): Predicate {
  return { kind: 'string', attribute: { of }, match };
}

function headerIs(name: string, match: StringMatch): Predicate {
  return { kind: 'string', attribute: { of: 'request.header', name }, match };
}

function label(name: string, value: string): Predicate {
  return { kind: 'string', attribute: { of: 'source.label', name }, match: { kind: 'exact', value } };
}

function workload(app: string, version: string): Workload {
  return {
    name: `${app}-${version}-1`,
    namespace: 'default',
    workload: `${app}-${version}`,
    serviceAccount: `bookinfo-${app}`,
    labels: { app, version },
    ip: '127.1.0.7',
    canonicalService: app,
    canonicalRevision: version,
    cluster: 'Kubernetes',
  };
}

function connection({ peer = null, from = '127.1.0.7', port = 9080 }: Asked): Connection {
  return {
    id: 1,
    remoteAddress: from,
    remotePort: 40_000,
    localAddress: '127.1.0.9',
    localPort: port,
    redirected: false,
    peer,
    serverName: '',
  };
}

function asked(given: Asked): Exchange {
  const { peer: _peer, from: _from, port: _port, ...rest } = given;
  const x = new Exchange(connection(given), 'inbound');
  return Object.assign(x, { method: 'GET', authority: 'ratings:9080', target: given.path ?? '/' }, rest);
}
