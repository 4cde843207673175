import { describe, expect, test } from 'vitest';
import { parseObject } from './parse.ts';

function said(spec: unknown): string[] {
  const resource = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'a', namespace: 'prod' },
    spec,
  };
  return parseObject(resource, { defaultNamespace: 'default' }).problems.map(
    (p) => `${p.severity} ${p.path}: ${p.message}`,
  );
}

const to = (host: string, weight?: number) => ({ destination: { host }, ...(weight === undefined ? {} : { weight }) });
const route = [to('reviews')];
/** One http route, and nothing else worth a word. */
const http = (rule: object) => ({ hosts: ['reviews'], http: [rule] });

describe('VirtualService', () => {
  test.each<[string, object]>([
    ['a plain route', http({ route })],
    ['weights that do not sum to 100', http({ route: [to('a', 1), to('b', 2)] })],
    ['one destination of weight 0', http({ route: [to('a', 0)] })],
    ['presence of a header', http({ match: [{ headers: { 'end-user': {} } }], route })],
    ['an empty prefix', http({ match: [{ uri: { prefix: '' } }], route })],
    ['a redirect', http({ redirect: { uri: '/new', redirectCode: 302 } })],
    ['a direct answer', http({ directResponse: { status: 503, body: { string: 'no' } } })],
    [
      'retries',
      http({ route, retries: { attempts: 3, perTryTimeout: '2s', retryOn: 'gateway-error,connect-failure,418' } }),
    ],
    [
      'a host header set by a header operation',
      http({ route, headers: { request: { set: { Host: 'b', 'x-a': '100%%', 'x-b': '%REQ(X-C)%' } } } }),
    ],
    [
      'a fault',
      http({
        route,
        fault: { delay: { fixedDelay: '7s', percentage: { value: 100 } }, abort: { grpcStatus: 'UNAVAILABLE' } },
      }),
    ],
    ['TCP routes', { hosts: ['db'], tcp: [{ match: [{ port: 3306 }], route: [to('a', 50), to('b', 50)] }] }],
    [
      'TLS routes',
      {
        hosts: ['*.a.com'],
        gateways: ['mesh', 'gw'],
        tls: [{ match: [{ port: 443, sniHosts: ['b.a.com', '*.a.com'], destinationSubnets: ['10.0.0.0/8'] }], route }],
      },
    ],
    ['all hosts at a gateway', { hosts: ['*'], gateways: ['bookinfo-gateway'], http: [{ route }] }],
    ['an address at a gateway', { hosts: ['10.0.0.1'], gateways: ['istio-system/gw'], http: [{ route }] }],
    [
      'a regex rewrite with a group',
      http({ route, rewrite: { uriRegexRewrite: { match: '^/(a+)', rewrite: '/\\1' } } }),
    ],
  ])('accepts %s without a word', (_, spec) => {
    expect(said(spec)).toEqual([]);
  });

  test.each<[object, string]>([
    [{ hosts: [], http: [{ route }] }, 'error spec.hosts: expected at least one host'],
    [
      { hosts: ['*'], http: [{ route }] },
      'error spec.hosts[0]: expected a narrower host: `*` is not allowed for sidecars (gateway `mesh`)',
    ],
    [
      { hosts: ['a', 'a'], http: [{ route }] },
      'error spec.hosts[1]: expected hosts that do not overlap, got "a" beside "a"',
    ],
    [
      { hosts: ['*.a.com', 'b.a.com'], http: [{ route }] },
      'error spec.hosts[1]: expected hosts that do not overlap, got "b.a.com" beside "*.a.com"',
    ],
    [{ hosts: ['a b'], http: [{ route }] }, 'error spec.hosts[0]: expected a DNS name'],
    [{ hosts: ['*x.com'], http: [{ route }] }, 'warning spec.hosts[0]: has `*` in the midst of a label'],
    [{ hosts: ['a'] }, 'error spec: expected http, tls or tcp rules, got none'],
    [
      { hosts: ['a'], gateways: ['A/b/c'], http: [{ route }] },
      'error spec.gateways[0]: expected `gateway`, `namespace/gateway` or `mesh`, got "A/b/c"',
    ],
    [
      { ...http({ route }), exportTo: ['.', 'prod'] },
      'error spec.exportTo[1]: expected each namespace once, got "prod" again',
    ],
    [{ ...http({ route }), exportTo: ['*', 'b'] }, 'error spec.exportTo: expected `*` alone, got *, b'],
    [
      { ...http({ route }), exportTo: ['~'] },
      'error spec.exportTo[0]: expected a namespace, `.` or `*`; `~` is for ServiceEntry',
    ],
    [http({}), 'error spec.http[0]: expected route, redirect or directResponse, got none of them'],
    [http({ route: [] }), 'error spec.http[0]: expected route, redirect or directResponse, got none of them'],
    [http({ route, redirect: { uri: '/' } }), 'error spec.http[0]: expected redirect or route, got both'],
    [
      http({ redirect: { uri: '/' }, fault: { abort: { httpStatus: 500 } } }),
      'error spec.http[0]: expected redirect or fault, got both',
    ],
    [
      http({ directResponse: { status: 200 }, rewrite: { uri: '/' } }),
      'error spec.http[0]: expected directResponse or rewrite, got both',
    ],
    [
      http({ route: [to('a'), to('b')] }),
      'error spec.http[0].route: expected weights that sum to more than 0 (total destination weight = 0)',
    ],
    [
      http({ route: [to('a', -1)] }),
      'error spec.http[0].route[0].weight: expected a whole number of at least 0, got -1',
    ],
    [http({ route: [to('a_b!')] }), 'error spec.http[0].route[0].destination.host: expected a DNS name, got "a_b!"'],
    [
      http({ delegate: { name: 'b' } }),
      'error spec.http[0].delegate: not supported: Lateen does not follow delegates so far',
    ],
    [
      http({ match: [{ uri: {} }], route }),
      'error spec.http[0].match[0].uri: expected exact, prefix or regex, got none of them',
    ],
    [
      http({ match: [{ uri: { exact: '' } }], route }),
      'error spec.http[0].match[0].uri.exact: expected some text, got ""',
    ],
    [
      http({ match: [{ uri: { regex: '(?=a)' } }], route }),
      'error spec.http[0].match[0].uri.regex: expected a regular expression in RE2 syntax',
    ],
    [
      http({ match: [{ uri: { regex: 'a'.repeat(1025) } }], route }),
      'error spec.http[0].match[0].uri.regex: expected at most 1024 characters, got 1025',
    ],
    [
      http({ match: [{ headers: { 'end user': {} } }], route }),
      'error spec.http[0].match[0].headers[end user]: expected a header name as key',
    ],
    [
      http({ match: [{ headers: { a: null } }], route }),
      'error spec.http[0].match[0].headers.a: expected a mapping of fields, got null',
    ],
    [
      http({ match: [{ headers: { '@request.auth.claims.sub': { exact: 'a' } } }], route }),
      'error spec.http[0].match[0].headers[@request.auth.claims.sub]: not supported',
    ],
    [
      http({ route, retries: { attempts: 0, retryOn: '5xx' } }),
      'error spec.http[0].retries: expected attempts above 0 beside other settings',
    ],
    [
      http({ route, retries: { attempts: 1, retryOn: '5xx, reset' } }),
      'error spec.http[0].retries.retryOn: expected `reset`, got " reset"',
    ],
    [
      http({ route, retries: { attempts: 1, retryOn: 'gateway-eror' } }),
      'error spec.http[0].retries.retryOn: expected `gateway-error`, got "gateway-eror"',
    ],
    [
      http({ route, retries: { attempts: 1, retryOn: '599' } }),
      'error spec.http[0].retries.retryOn: expected a status code or one of',
    ],
    [http({ route, timeout: '0s' }), 'error spec.http[0].timeout: expected a duration of at least 1ms, got "0s"'],
    [
      http({ redirect: {} }),
      'error spec.http[0].redirect: expected a uri, authority, port or scheme to redirect to, got none of them',
    ],
    [
      http({ redirect: { uri: '/', prefixRewrite: '/' } }),
      'error spec.http[0].redirect: expected uri or prefixRewrite, got both',
    ],
    [
      http({ redirect: { prefixRewrite: '/' } }),
      'error spec.http[0].redirect.prefixRewrite: expected a uri prefix in every match of the route',
    ],
    [
      http({ redirect: { uri: '/', redirectCode: 304 } }),
      'error spec.http[0].redirect.redirectCode: expected 301, 302, 303, 307 or 308, got 304',
    ],
    [http({ redirect: { scheme: 'ftp' } }), 'error spec.http[0].redirect.scheme: expected http or https, got "ftp"'],
    [
      http({ directResponse: { status: 99 } }),
      'error spec.http[0].directResponse.status: expected a whole number from 200 to 599, got 99',
    ],
    [
      http({ directResponse: { status: 200, body: { bytes: '***' } } }),
      'error spec.http[0].directResponse.body.bytes: expected base64, got "***"',
    ],
    [
      http({ directResponse: { status: 200, body: { string: 'a'.repeat(2 ** 20 + 1) } } }),
      'error spec.http[0].directResponse.body: expected at most 1 MB, got 1048577 bytes',
    ],
    [
      http({ directResponse: { status: 200, body: { string: 'a'.repeat(200_000) } } }),
      'warning spec.http[0].directResponse.body: is large (200000 bytes)',
    ],
    [
      http({ route, rewrite: {} }),
      'error spec.http[0].rewrite: expected uri, uriRegexRewrite or authority, got none of them',
    ],
    [
      http({ route, rewrite: { uriRegexRewrite: { match: 'a' } } }),
      'error spec.http[0].rewrite.uriRegexRewrite.rewrite: is required',
    ],
    [
      http({ route, rewrite: { uriRegexRewrite: { match: '(a)', rewrite: '\\2' } } }),
      'error spec.http[0].rewrite.uriRegexRewrite.rewrite: expected at most \\1',
    ],
    [
      http({ route, rewrite: { authority: 'b' }, headers: { request: { set: { host: 'c' } } } }),
      'error spec.http[0].rewrite.authority: expected the host to be set once',
    ],
    [http({ route, fault: {} }), 'error spec.http[0].fault: expected delay or abort, got neither'],
    [
      http({ route, fault: { delay: { percentage: { value: 1 } } } }),
      'error spec.http[0].fault.delay.fixedDelay: is required',
    ],
    [
      http({ route, fault: { abort: { percentage: { value: 1 } } } }),
      'warning spec.http[0].fault.abort: has no effect: abort configured, but error type not set',
    ],
    [
      http({ route, fault: { abort: { httpStatus: 100 } } }),
      'error spec.http[0].fault.abort.httpStatus: expected a whole number from 200 to 599, got 100',
    ],
    [
      http({ route, fault: { abort: { grpcStatus: 'UNAVAILABEL' } } }),
      'error spec.http[0].fault.abort.grpcStatus: expected `UNAVAILABLE`, got "UNAVAILABEL"',
    ],
    [
      http({ route, fault: { abort: { httpStatus: 500, percentage: { value: 0.00001 } } } }),
      'error spec.http[0].fault.abort.percentage.value: expected 0, or 0.0001 to 100, got 0.00001',
    ],
    [
      http({ route, corsPolicy: { allowMethods: ['get'] } }),
      'error spec.http[0].corsPolicy.allowMethods[0]: expected one of GET, HEAD',
    ],
    [
      http({ route, corsPolicy: { maxAge: '1500ms' } }),
      'error spec.http[0].corsPolicy.maxAge: expected whole seconds, got "1500ms"',
    ],
    [
      http({ route, corsPolicy: { allowOrigins: [{}] } }),
      'error spec.http[0].corsPolicy.allowOrigins[0]: expected exact, prefix or regex with some text, got none',
    ],
    [
      http({ route, headers: { response: { set: { ':status': '1' } } } }),
      'error spec.http[0].headers.response.set[:status]: expected a header that may be changed here, got ":status"',
    ],
    [
      http({ route, headers: { request: { remove: ['Host'] } } }),
      'error spec.http[0].headers.request.remove[0]: expected a header that may be changed here, got "Host"',
    ],
    [
      http({ route, headers: { request: { add: { 'x-a': '50%' } } } }),
      'error spec.http[0].headers.request.add[x-a]: expected `%` only as `%%` or around a variable',
    ],
    [
      http({ route, headers: { request: { add: { 'x-a': 'b\r\nc: d' } } } }),
      'error spec.http[0].headers.request.add[x-a]: expected a value without line breaks',
    ],
    [
      http({ route, mirror: { host: 'b' } }),
      'warning spec.http[0].mirror: has no effect: Lateen does not mirror traffic so far',
    ],
    [
      { hosts: ['a'], http: [{ route }, { route }] },
      'warning spec.http[1]: is never used: rule http[0] before it matches everything',
    ],
    [
      {
        hosts: ['a'],
        http: [
          { name: 'first', match: [{ uri: { prefix: '/a' } }], route },
          { match: [{ uri: { prefix: '/a' } }], route },
        ],
      },
      'warning spec.http[1].match[0]: is never used: rule "first" before it has the same match',
    ],
    [{ hosts: ['a'], tcp: [{}] }, 'error spec.tcp[0].route: is required: where connections go'],
    [{ hosts: ['a.com'], tls: [{ match: [{ sniHosts: ['a.com'] }] }] }, 'error spec.tls[0].route: is required'],
    [{ hosts: ['a.com'], tls: [{ route }] }, 'error spec.tls[0].match: is required'],
    [
      { hosts: ['a.com'], tls: [{ match: [{ sniHosts: [] }], route }] },
      'error spec.tls[0].match[0].sniHosts: expected at least 1 item, got none',
    ],
    [
      { hosts: ['*'], gateways: ['gw'], tls: [{ match: [{ sniHosts: ['10.0.0.1'] }], route }] },
      'warning spec.tls[0].match[0].sniHosts[0]: is an address: a TLS hello carries names only',
    ],
    [
      { hosts: ['a.com'], tls: [{ match: [{ sniHosts: ['a.com'], destinationSubnets: ['10.0.0.0/33'] }], route }] },
      'error spec.tls[0].match[0].destinationSubnets[0]: expected an IP address or a CIDR range',
    ],
    [
      { hosts: ['a.com'], tcp: [{ match: [{ sourceNamespace: 'A b' }], route }] },
      'error spec.tcp[0].match[0].sourceNamespace: expected lower-case letters',
    ],
    [
      { hosts: ['a.com'], tcp: [{ match: [{ gateways: ['a/b/c'] }], route }] },
      'error spec.tcp[0].match[0].gateways[0]: expected `gateway`, `namespace/gateway` or `mesh`',
    ],
  ])('says of %j: %s', (spec, message) => {
    expect(said(spec)).toContainEqual(expect.stringContaining(message));
  });

  test('wants the server names of TLS routes within its hosts', () => {
    const tls = [{ match: [{ sniHosts: ['b.com', 'x.a.com'] }], route }];
    expect(said({ hosts: ['*.a.com'], tls })).toEqual([
      'error spec.tls[0].match[0].sniHosts[0]: expected a name within the hosts of the VirtualService, got "b.com"',
    ]);
    expect(said({ hosts: ['*.A.com'], tls: tls.map((t) => ({ ...t, match: [{ sniHosts: ['X.a.COM'] }] })) })).toEqual(
      [],
    );
  });
});
