/** Which route takes a request and what becomes of it: matches, redirects, rewrites, headers, weights, spellings of a path. */
import { virtualService as vs } from './istio-text.ts';
import { get, request, type Scenario } from './scenario.ts';

export const ROUTES: readonly Scenario[] = [
  {
    host: 'match.oracle',
    side: 'outbound',
    istio: vs(
      'match',
      `
- match: [{ uri: { exact: /exact } }]
  route: [{ destination: { host: origin.oracle } }]
- match: [{ uri: { prefix: /prefix } }]
  route: [{ destination: { host: origin.oracle } }]
- match: [{ uri: { regex: '/re/[0-9]+' } }]
  route: [{ destination: { host: origin.oracle } }]
- match: [{ uri: { prefix: /header }, headers: { end-user: { exact: jason } } }]
  route: [{ destination: { host: other.oracle } }]
- match: [{ uri: { prefix: /method }, method: { exact: POST } }]
  route: [{ destination: { host: other.oracle } }]
- match: [{ uri: { prefix: /query }, queryParams: { v: { exact: '2' } } }]
  route: [{ destination: { host: other.oracle } }]
- match: [{ uri: { prefix: /missing } }]
  route: [{ destination: { host: nowhere.oracle } }]
`,
    ),
    envoy: `
routes:
  - { match: { path: /exact }, route: { cluster: origin, timeout: 0s } }
  - { match: { prefix: /prefix }, route: { cluster: origin, timeout: 0s } }
  - { match: { safe_regex: { regex: '/re/[0-9]+' } }, route: { cluster: origin, timeout: 0s } }
  - { match: { prefix: /header, headers: [{ name: end-user, string_match: { exact: jason } }] }, route: { cluster: other, timeout: 0s } }
  - { match: { prefix: /method, headers: [{ name: ':method', string_match: { exact: POST } }] }, route: { cluster: other, timeout: 0s } }
  - { match: { prefix: /query, query_parameters: [{ name: v, string_match: { exact: '2' } }] }, route: { cluster: other, timeout: 0s } }
  - { match: { prefix: /missing }, route: { cluster: nowhere, timeout: 0s } }
`,
    requests: [
      {
        it: 'no route is 404 NR',
        send: get('match.oracle', [], '/none'),
        fields: ['content-type', 'content-length', 'server', 'connection'],
      },
      {
        it: 'no route for a HEAD is 404 NR',
        send: request('HEAD /none HTTP/1.1', ['Host: match.oracle']),
        methods: ['HEAD'],
      },
      {
        it: 'no route for a request with a body is 404 NR',
        send: request('POST /none HTTP/1.1', ['Host: match.oracle', 'content-length: 3'], 'abc'),
      },
      { it: 'an exact path', send: get('match.oracle', [], '/exact') },
      { it: 'an exact path ignores the query', send: get('match.oracle', [], '/exact?a=b') },
      { it: 'an exact path is no prefix', send: get('match.oracle', [], '/exact/') },
      { it: 'an exact path minds its case', send: get('match.oracle', [], '/Exact') },
      { it: 'a prefix matches inside a segment', send: get('match.oracle', [], '/prefixes') },
      { it: 'a regex matches the whole path', send: get('match.oracle', [], '/re/12') },
      { it: 'a regex does not match a part', send: get('match.oracle', [], '/re/12/a') },
      { it: 'a regex does not see the query', send: get('match.oracle', [], '/re/12?x=y') },
      { it: 'a header value', send: get('match.oracle', ['End-User: jason'], '/header') },
      { it: 'another header value', send: get('match.oracle', ['End-User: Jason'], '/header') },
      {
        it: 'two values of a header are one list',
        send: get('match.oracle', ['end-user: jason', 'end-user: bob'], '/header'),
      },
      { it: 'a method', send: request('POST /method HTTP/1.1', ['Host: match.oracle', 'content-length: 0']) },
      { it: 'another method', send: get('match.oracle', [], '/method') },
      { it: 'a query parameter', send: get('match.oracle', [], '/query?a=1&v=2') },
      { it: 'another value of a query parameter', send: get('match.oracle', [], '/query?v=22') },
      { it: 'a query parameter given twice counts as its first', send: get('match.oracle', [], '/query?v=1&v=2') },
      { it: 'a missing cluster is 503 NC', send: get('match.oracle', [], '/missing') },
    ],
  },
  {
    host: 'answers.oracle',
    side: 'outbound',
    istio: vs(
      'answers',
      `
- match: [{ uri: { exact: /direct } }]
  directResponse: { status: 418, body: { string: short and stout } }
- match: [{ uri: { exact: /direct-empty } }]
  directResponse: { status: 503 }
- match: [{ uri: { prefix: /moved } }]
  redirect: { uri: /new, authority: elsewhere.example }
- match: [{ uri: { prefix: /prefix-moved } }]
  redirect: { prefixRewrite: /v2, redirectCode: 302 }
- match: [{ uri: { prefix: /secure } }]
  redirect: { scheme: https, redirectCode: 308 }
- match: [{ uri: { prefix: /port } }]
  redirect: { port: 8443, redirectCode: 307 }
- match: [{ uri: { prefix: /authority } }]
  redirect: { authority: 'elsewhere.example:81', redirectCode: 303 }
`,
    ),
    envoy: `
routes:
  - { match: { path: /direct }, direct_response: { status: 418, body: { inline_string: short and stout } } }
  - { match: { path: /direct-empty }, direct_response: { status: 503 } }
  - { match: { prefix: /moved }, redirect: { path_redirect: /new, host_redirect: elsewhere.example } }
  - { match: { prefix: /prefix-moved }, redirect: { prefix_rewrite: /v2, response_code: FOUND } }
  - { match: { prefix: /secure }, redirect: { scheme_redirect: https, response_code: PERMANENT_REDIRECT } }
  - { match: { prefix: /port }, redirect: { port_redirect: 8443, response_code: TEMPORARY_REDIRECT } }
  - { match: { prefix: /authority }, redirect: { host_redirect: 'elsewhere.example:81', response_code: SEE_OTHER } }
`,
    requests: [
      {
        it: 'a direct response',
        send: get('answers.oracle', [], '/direct'),
        fields: ['content-type', 'content-length', 'server'],
      },
      {
        it: 'a direct response to HEAD',
        send: request('HEAD /direct HTTP/1.1', ['Host: answers.oracle']),
        methods: ['HEAD'],
        fields: ['content-type', 'content-length'],
      },
      {
        it: 'a direct response without a body',
        send: get('answers.oracle', [], '/direct-empty'),
        fields: ['content-type', 'content-length'],
      },
      {
        it: 'a direct response to a request with a body keeps the connection',
        send: [
          request('POST /direct HTTP/1.1', ['Host: answers.oracle', 'content-length: 3'], 'abc'),
          get('answers.oracle', [], '/direct'),
        ],
        expect: 2,
        methods: ['POST', 'GET'],
        differ: {
          status: 418,
          why: 'the body is here, and where it ends is known: there is nothing to close for. Envoy has not read it yet, and closes',
        },
      },
      {
        it: 'a direct response before the body has come',
        send: request('POST /direct HTTP/1.1', ['Host: answers.oracle', 'content-length: 10'], 'abc'),
        methods: ['POST'],
      },
      {
        it: 'a redirect to a path on another host',
        send: get('answers.oracle', [], '/moved/a?b=c'),
        fields: ['location', 'content-length', 'content-type'],
      },
      { it: 'a redirect to https', send: get('answers.oracle', [], '/secure/a?b=c'), fields: ['location'] },
      {
        it: 'a redirect to https drops port 80',
        send: request('GET /secure HTTP/1.1', ['Host: answers.oracle:80']),
        fields: ['location'],
      },
      { it: 'a redirect to a port', send: get('answers.oracle', [], '/port'), fields: ['location'] },
      {
        it: 'a redirect to an authority with a port',
        send: get('answers.oracle', [], '/authority'),
        fields: ['location'],
      },
    ],
  },
  {
    host: 'rewrites.oracle',
    side: 'outbound',
    istio: vs(
      'rewrites',
      `
- match: [{ uri: { prefix: /old/ } }]
  rewrite: { uri: /new/ }
  route: [{ destination: { host: origin.oracle } }]
- match: [{ uri: { prefix: /re/ } }]
  rewrite: { uriRegexRewrite: { match: '^/re/([^/]+)/(.*)$', rewrite: '/\\2/\\1' } }
  route: [{ destination: { host: origin.oracle } }]
- match: [{ uri: { prefix: /authority } }]
  rewrite: { authority: inner.example }
  route: [{ destination: { host: origin.oracle } }]
- match: [{ uri: { exact: /exact } }]
  rewrite: { uri: /whole }
  route: [{ destination: { host: origin.oracle } }]
`,
    ),
    envoy: `
routes:
  - { match: { prefix: /old/ }, route: { cluster: origin, timeout: 0s, prefix_rewrite: /new/ } }
  - { match: { prefix: /re/ }, route: { cluster: origin, timeout: 0s, regex_rewrite: { pattern: { regex: '^/re/([^/]+)/(.*)$' }, substitution: '/\\2/\\1' } } }
  - { match: { prefix: /authority }, route: { cluster: origin, timeout: 0s, host_rewrite_literal: inner.example } }
  - { match: { path: /exact }, route: { cluster: origin, timeout: 0s, prefix_rewrite: /whole } }
`,
    requests: [
      { it: 'a prefix is replaced, the rest and the query stay', send: get('rewrites.oracle', [], '/old/a/b?c=d') },
      { it: 'a regex rewrites with its groups and keeps the query', send: get('rewrites.oracle', [], '/re/a/b?c=d') },
      { it: 'the authority is replaced', send: get('rewrites.oracle', [], '/authority') },
      { it: 'an exact path is replaced whole', send: get('rewrites.oracle', [], '/exact?c=d') },
    ],
  },
  {
    host: 'headers.oracle',
    side: 'outbound',
    istio: vs(
      'headers',
      `
- route:
    - destination: { host: origin.oracle }
      headers:
        request: { add: { x-dest: d } }
        response: { remove: [x-from] }
  headers:
    request: { set: { x-set: s, x-present: over }, add: { x-add: a }, remove: [x-gone] }
    response: { set: { x-res: r }, add: { x-from: proxy } }
`,
    ),
    envoy: `
routes:
  - match: { prefix: / }
    request_headers_to_add:
      - { header: { key: x-set, value: s }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }
      - { header: { key: x-present, value: over }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }
      - { header: { key: x-add, value: a }, append_action: APPEND_IF_EXISTS_OR_ADD }
    request_headers_to_remove: [x-gone]
    response_headers_to_add:
      - { header: { key: x-res, value: r }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }
      - { header: { key: x-from, value: proxy }, append_action: APPEND_IF_EXISTS_OR_ADD }
    route:
      timeout: 0s
      weighted_clusters:
        clusters:
          - name: origin
            weight: 100
            request_headers_to_add: [{ header: { key: x-dest, value: d }, append_action: APPEND_IF_EXISTS_OR_ADD }]
            response_headers_to_remove: [x-from]
`,
    requests: [
      {
        it: 'headers are set, added and removed both ways',
        send: get('headers.oracle', ['X-Present: was', 'x-add: first', 'X-Gone: g']),
        fields: ['x-res', 'x-from'],
      },
    ],
  },
  {
    host: 'weights.oracle',
    side: 'outbound',
    istio: vs(
      'weights',
      `
- route:
    - { destination: { host: origin.oracle }, weight: 0 }
    - { destination: { host: other.oracle }, weight: 100 }
`,
    ),
    envoy: `
routes:
  - match: { prefix: / }
    route: { timeout: 0s, weighted_clusters: { clusters: [{ name: origin, weight: 0 }, { name: other, weight: 100 }] } }
`,
    requests: [{ it: 'a destination of weight 0 gets nothing', send: get('weights.oracle') }],
  },
  {
    host: 'paths.oracle',
    side: 'outbound',
    istio: vs(
      'paths',
      `
- match: [{ uri: { exact: /a/b } }]
  route: [{ destination: { host: other.oracle } }]
- route: [{ destination: { host: origin.oracle } }]
`,
    ),
    envoy: `
routes:
  - { match: { path: /a/b }, route: { cluster: other, timeout: 0s } }
  - { match: { prefix: / }, route: { cluster: origin, timeout: 0s } }
`,
    requests: [
      '/a/b',
      '/a/./b',
      '/a/x/../b',
      '/a//b',
      '/a/%62',
      '/%61/b',
      '/a%2Fb',
      '/a%2fb',
      '/a%5Cb',
      '/a\\b',
      '/a/b/',
      '/a/b/.',
      '/a/b/..',
      '/../a/b',
      '/a/%2e%2e/a/b',
      '/a/%2E/b',
      '/a/b;x=1',
      '/a/b?x=/../y',
      '/a/b%3Fx',
      '/%7ea/b',
      '/a/b%',
      '/a/b%2',
      '//a/b',
      '/a/b//',
      '/A/b',
      '/a/%C3%A9',
      '/a/%c3%a9',
    ].map((path) => ({
      it: `the path ${path} is seen and forwarded alike`,
      send: get('paths.oracle', [], path),
      ...(path.includes('\\') ? { differ: { status: 400, why: 'a backslash is no part of a target (RFC 3986)' } } : {}),
    })),
  },
];
