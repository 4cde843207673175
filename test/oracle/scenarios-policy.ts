/** What a route asks for beside forwarding, and who may come in: faults, cross-origin rules, authorization. */
import { virtualService as vs } from './istio-text.ts';
import { get, request, type Scenario } from './scenario.ts';

export const POLICIES: readonly Scenario[] = [
  {
    host: 'faults.oracle',
    side: 'outbound',
    istio: vs(
      'faults',
      `
- match: [{ uri: { prefix: /abort } }]
  fault: { abort: { httpStatus: 555, percentage: { value: 100 } } }
  route: [{ destination: { host: origin.oracle } }]
- match: [{ uri: { prefix: /delay } }]
  fault: { delay: { fixedDelay: 0.1s, percentage: { value: 100 } } }
  route: [{ destination: { host: origin.oracle } }]
- match: [{ uri: { prefix: /both } }]
  fault: { delay: { fixedDelay: 0.1s, percentage: { value: 100 } }, abort: { httpStatus: 500, percentage: { value: 100 } } }
  route: [{ destination: { host: origin.oracle } }]
`,
    ),
    envoy: [
      '/abort|abort: { http_status: 555, percentage: { numerator: 100 } }',
      '/delay|delay: { fixed_delay: 0.1s, percentage: { numerator: 100 } }',
      '/both|delay: { fixed_delay: 0.1s, percentage: { numerator: 100 } }, abort: { http_status: 500, percentage: { numerator: 100 } }',
    ]
      .map((each) => each.split('|'))
      .reduce(
        (text, [path, fault]) => `${text}
  - match: { prefix: ${path} }
    route: { cluster: origin, timeout: 0s }
    typed_per_filter_config:
      envoy.filters.http.fault: { '@type': type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault, ${fault} }`,
        'routes:',
      ),
    requests: [
      {
        it: 'an abort answers with its status and FI',
        send: get('faults.oracle', [], '/abort'),
        fields: ['content-type', 'content-length'],
      },
      { it: 'a delay is noted with DI', send: get('faults.oracle', [], '/delay') },
      { it: 'a delay and an abort are noted with both', send: get('faults.oracle', [], '/both') },
    ],
  },
  {
    host: 'cors.oracle',
    side: 'outbound',
    istio: vs(
      'cors',
      `
- corsPolicy: { allowOrigins: [{ exact: 'https://a.example' }], allowMethods: [GET, POST], allowHeaders: [x-a], exposeHeaders: [x-b], maxAge: 60s, allowCredentials: true }
  route: [{ destination: { host: origin.oracle } }]
`,
    ),
    envoy: `
routes:
  - match: { prefix: / }
    route: { cluster: origin, timeout: 0s }
    typed_per_filter_config:
      envoy.filters.http.cors:
        '@type': type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy
        allow_origin_string_match: [{ exact: 'https://a.example' }]
        allow_methods: GET,POST
        allow_headers: x-a
        expose_headers: x-b
        max_age: '60'
        allow_credentials: true
        forward_not_matching_preflights: true
`,
    requests: [
      {
        it: 'a preflight from an allowed origin',
        send: request('OPTIONS / HTTP/1.1', [
          'Host: cors.oracle',
          'origin: https://a.example',
          'access-control-request-method: POST',
        ]),
        fields: [
          'access-control-allow-origin',
          'access-control-allow-methods',
          'access-control-allow-headers',
          'access-control-max-age',
          'access-control-allow-credentials',
          'access-control-expose-headers',
          'content-length',
        ],
      },
      {
        it: 'a preflight from another origin',
        send: request('OPTIONS / HTTP/1.1', [
          'Host: cors.oracle',
          'origin: https://b.example',
          'access-control-request-method: POST',
        ]),
        fields: ['access-control-allow-origin'],
      },
      {
        it: 'a request from an allowed origin',
        send: get('cors.oracle', ['origin: https://a.example']),
        fields: ['access-control-allow-origin', 'access-control-expose-headers', 'access-control-allow-credentials'],
      },
      {
        it: 'a request from another origin',
        send: get('cors.oracle', ['origin: https://b.example']),
        fields: ['access-control-allow-origin'],
      },
    ],
  },
];

const RBAC = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3';

/** The inbound side: `app.oracle` is the workload's own service; its application is the origin. */
export const AUTHORIZATION: readonly Scenario[] = [
  {
    host: 'app.oracle',
    side: 'inbound',
    istio: `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny-secret }
spec:
  selector: { matchLabels: { app: oracle } }
  action: DENY
  rules: [{ to: [{ operation: { paths: [/secret*], methods: [GET] } }] }]
`,
    envoy: `
routes:
  - match: { prefix: / }
    route: { cluster: origin, timeout: 0s }
    typed_per_filter_config:
      envoy.filters.http.rbac:
        '@type': ${RBAC}.RBACPerRoute
        rbac:
          rules:
            action: DENY
            policies:
              ns[default]-policy[deny-secret]-rule[0]:
                permissions: [{ and_rules: { rules: [{ url_path: { path: { prefix: /secret } } }, { header: { name: ':method', string_match: { exact: GET } } }] } }]
                principals: [{ any: true }]
`,
    requests: [
      {
        it: 'a denied request is 403 with the policy in the details',
        send: get('app.oracle', [], '/secret/a'),
        fields: ['content-type', 'content-length', 'server'],
      },
      {
        it: 'another method is let through',
        send: request('POST /secret HTTP/1.1', ['Host: app.oracle', 'content-length: 0']),
      },
      { it: 'a path that is another spelling of a denied one is denied', send: get('app.oracle', [], '/a/../secret') },
      { it: 'an escaped spelling of a denied path is denied', send: get('app.oracle', [], '/%73ecret') },
      { it: 'HEAD is not GET', send: request('HEAD /secret HTTP/1.1', ['Host: app.oracle']), methods: ['HEAD'] },
      { it: 'another path is let through', send: get('app.oracle', [], '/open'), fields: ['server'] },
    ],
  },
];
