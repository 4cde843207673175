/** AuthorizationPolicy, PeerAuthentication, RequestAuthentication, Telemetry: what passes, and what is refused rather than not enforced. */
import { describe, expect, test } from 'vitest';
import { parseObject } from './parse.ts';

function said(kind: string, spec: unknown, annotations: object = {}): string[] {
  const group = kind === 'Telemetry' ? 'telemetry.istio.io' : 'security.istio.io';
  const resource = { apiVersion: `${group}/v1`, kind, metadata: { name: 'a', annotations }, spec };
  return parseObject(resource, { defaultNamespace: 'default' }).problems.map(
    (p) => `${p.severity} ${p.path}: ${p.message}`,
  );
}

const deny = (...rules: object[]) => ({ action: 'DENY', rules });
const when = (key: string, values: string[] = ['a']) => ({ rules: [{ when: [{ key, values }] }] });

describe('AuthorizationPolicy', () => {
  test.each<object>([
    {},
    { rules: [{}] },
    deny({}),
    { action: 'AUDIT' },
    {
      selector: { matchLabels: { app: 'ratings' } },
      ...deny({ when: [{ key: 'source.labels[version]', values: ['v3'] }] }),
    },
    {
      rules: [
        {
          from: [
            {
              source: {
                principals: ['cluster.local/ns/default/sa/reviews', 'a*', '*b', '*'],
                ipBlocks: ['10.0.0.0/8', '::1'],
              },
            },
          ],
        },
      ],
    },
    {
      rules: [
        {
          to: [
            {
              operation: {
                methods: ['GET'],
                ports: ['9080'],
                hosts: ['*.a.com'],
                paths: ['/a', '/a*', '*b', '/a/{*}/b', '/{**}'],
              },
            },
          ],
        },
      ],
    },
    { rules: [{ from: [{ source: { serviceAccounts: ['default/reviews', 'ratings'] } }] }] },
    when('request.headers[User-Agent]', ['Mozilla*']),
    when('destination.labels[app.kubernetes.io/name]'),
    when('destination.port', ['80']),
    when('source.ip', ['10.0.0.1']),
  ])('%j passes without a word', (spec) => {
    expect(said('AuthorizationPolicy', spec)).toEqual([]);
  });

  test.each<[object, string]>([
    [
      { action: 'DENY' },
      'error spec.rules: is required: DENY action without `rules` is meaningless as it will never be triggered',
    ],
    [{ action: 'CUSTOM', rules: [{}] }, 'error spec.action: CUSTOM is not supported'],
    [{ rules: [{ from: [] }] }, 'error spec.rules[0].from: must not be empty'],
    [{ rules: [{ from: [{}] }] }, 'error spec.rules[0].from[0].source: is required'],
    [{ rules: [{ from: [{ source: {} }] }] }, 'error spec.rules[0].from[0].source: must not be empty'],
    [{ rules: [{ to: [{ operation: {} }] }] }, 'error spec.rules[0].to[0].operation: must not be empty'],
    [
      { rules: [{ from: [{ source: { principals: [] } }] }] },
      'error spec.rules[0].from[0].source.principals: must not be empty',
    ],
    [
      { rules: [{ from: [{ source: { principals: ['a*b'] } }] }] },
      'error spec.rules[0].from[0].source.principals[0]: expected a `*` only at the start or at the end, got "a*b"',
    ],
    [
      { rules: [{ from: [{ source: { requestPrincipals: ['*'] } }] }] },
      'error spec.rules[0].from[0].source.requestPrincipals: not supported',
    ],
    [
      { rules: [{ from: [{ source: { ipBlocks: ['10.0.0'] } }] }] },
      'error spec.rules[0].from[0].source.ipBlocks[0]: expected an IP address or a CIDR range',
    ],
    [
      { rules: [{ from: [{ source: { serviceAccounts: ['a'], namespaces: ['b'] } }] }] },
      'error spec.rules[0].from[0].source: expected serviceAccounts without principals and namespaces',
    ],
    [
      { rules: [{ to: [{ operation: { ports: ['http'] } }] }] },
      'error spec.rules[0].to[0].operation.ports[0]: expected a port, 1 to 65535, got "http"',
    ],
    [
      { rules: [{ to: [{ operation: { paths: ['/a*b'] } }] }] },
      'error spec.rules[0].to[0].operation.paths[0]: expected a `*` only at the start or at the end, got "/a*b"',
    ],
    [
      { rules: [{ to: [{ operation: { paths: ['/{**}/{*}'] } }] }] },
      'error spec.rules[0].to[0].operation.paths[0]: expected `{**}` as the last operator, got "/{**}/{*}"',
    ],
    [
      { rules: [{ to: [{ operation: { paths: ['/a{*}'] } }] }] },
      'error spec.rules[0].to[0].operation.paths[0]: expected `{*}` and `{**}` as whole segments',
    ],
    [
      { selector: {}, targetRef: { kind: 'a', name: 'b' } },
      'error spec: expected at most one of selector, targetRef, targetRefs, got selector and targetRef',
    ],
    [{ targetRefs: [{ kind: 'a', name: 'b' }] }, 'error spec.targetRefs: not supported'],
    [{ selector: { matchLabels: { app: '*' } } }, 'error spec.selector.matchLabels.app: expected a label value'],
    [
      { rules: [{ when: [{ key: 'source.ip' }] }] },
      'error spec.rules[0].when[0]: expected values or notValues, got neither',
    ],
    [when('source.ip', ['a']), 'error spec.rules[0].when[0].values[0]: expected an IP address or a CIDR range'],
    [when('source.namespace', ['']), 'error spec.rules[0].when[0].values[0]: expected some text, got ""'],
    [
      when('request.auth.claims[groups]'),
      'error spec.rules[0].when[0].key: not supported: Lateen does not check request tokens so far',
    ],
    [when('source.trustDomain'), 'error spec.rules[0].when[0].key: not supported'],
    [
      when('source.user'),
      'error spec.rules[0].when[0].key: unknown attribute "source.user", replaced by source.principal',
    ],
    [
      when('source.lables[version]'),
      'error spec.rules[0].when[0].key: unknown attribute "source.lables[version]"; did you mean `source.labels`?',
    ],
    [
      when('source.labels'),
      'error spec.rules[0].when[0].key: expected a name in brackets: `source.labels[NAME]`, got "source.labels"',
    ],
    [when('banana'), 'error spec.rules[0].when[0].key: unknown attribute "banana"; expected one of source.ip'],
    [deny({ to: [{ operation: { paths: ['/admin'] } }] }), 'warning spec.rules[0]: denies every TCP connection'],
  ])('says of %j: %s', (spec, message) => {
    expect(said('AuthorizationPolicy', spec)).toContainEqual(expect.stringContaining(message));
  });

  test('refuses a dry run, which it would enforce', () => {
    expect(said('AuthorizationPolicy', deny({}), { 'istio.io/dry-run': 'true' })).toEqual([
      'error metadata.annotations[istio.io/dry-run]: not supported: Lateen does not try policies without enforcing them so far',
    ]);
    expect(said('AuthorizationPolicy', deny({}), { 'istio.io/dry-run': 'false' })).toEqual([]);
    expect(said('AuthorizationPolicy', deny({}), { 'istio.io/dry-run': '1' })[0]).toContain(
      'expected "true" or "false"',
    );
  });
});

describe('authentication and telemetry', () => {
  test.each<[string, object, string]>([
    ['PeerAuthentication', { mtls: { mode: 'STRICT' } }, 'error spec.mtls.mode: STRICT is not supported'],
    [
      'PeerAuthentication',
      { portLevelMtls: { 80: { mode: 'DISABLE' } } },
      'error spec.portLevelMtls: expected a selector beside it',
    ],
    [
      'PeerAuthentication',
      { selector: { matchLabels: { a: 'b' } }, portLevelMtls: { http: {} } },
      'error spec.portLevelMtls.http: expected a port, 1 to 65535 as key',
    ],
    [
      'RequestAuthentication',
      { jwtRules: [{ issuer: 'a' }] },
      'error spec: not supported: Lateen does not check request tokens so far',
    ],
    [
      'Telemetry',
      { tracing: [{ randomSamplingPercentage: 101 }] },
      'error spec.tracing[0].randomSamplingPercentage: expected a number from 0 to 100, got 101',
    ],
    [
      'Telemetry',
      { tracing: [{ customTags: { a: {} } }] },
      'error spec.tracing[0].customTags.a: expected literal, environment, header or formatter, got none of them',
    ],
    [
      'Telemetry',
      { tracing: [{ customTags: { a: { formatter: { value: '%REK(x)%' } } } }] },
      'error spec.tracing[0].customTags.a.formatter.value: expected a format; there is no operator %REK%; did you mean %REQ%?',
    ],
    [
      'Telemetry',
      { accessLogging: [{ filter: { expression: 'response.cod >= 400' } }] },
      'error spec.accessLogging[0].filter.expression: expected a CEL expression; at character 1: unknown attribute `response.cod`; did you mean `response.code`?',
    ],
    [
      'Telemetry',
      { accessLogging: [{ filter: { expression: 'response.code' } }] },
      'error spec.accessLogging[0].filter.expression: expected a CEL expression; at character 1: expected a condition',
    ],
    [
      'Telemetry',
      { metrics: [{ overrides: [{ tagOverrides: { a: { value: 'request.hots' } } }] }] },
      'error spec.metrics[0].overrides[0].tagOverrides.a.value: expected a CEL expression; at character 1: unknown attribute `request.hots`; did you mean `request.host`?',
    ],
    [
      'Telemetry',
      { metrics: [{ overrides: [{ tagOverrides: { 'a-b': { value: '"x"' } } }] }] },
      'warning spec.metrics[0].overrides[0].tagOverrides[a-b]: is shown as `a_b`',
    ],
  ])('says of a %s %j: %s', (kind, spec, message) => {
    expect(said(kind, spec)).toContainEqual(expect.stringContaining(message));
  });

  test.each([
    ['lateen.dev/trace-keep-errors', 'yes', 'expected "true" or "false", got "yes"'],
    ['lateen.dev/trace-keep-slower-than', 'soon', 'expected a duration such as 500ms, got "soon"'],
    ['lateen.dev/access-log-percent', '200', 'expected a number from 0 to 100, got "200"'],
  ])('says of the annotation %s: %s', (name, text, message) => {
    expect(said('Telemetry', {}, { [name]: text })).toEqual([`error metadata.annotations[${name}]: ${message}`]);
  });

  test('the annotations of a Telemetry resource pass without a word', () => {
    const annotations = { 'lateen.dev/trace-keep-errors': 'true', 'lateen.dev/trace-keep-slower-than': '500ms' };
    expect(said('Telemetry', {}, { ...annotations, 'lateen.dev/access-log-percent': '0.5' })).toEqual([]);
  });

  test.each<[string, object]>([
    ['PeerAuthentication', { mtls: { mode: 'PERMISSIVE' } }],
    ['PeerAuthentication', { selector: { matchLabels: { a: 'b' } }, portLevelMtls: { 80: { mode: 'DISABLE' } } }],
    [
      'Telemetry',
      { tracing: [{ randomSamplingPercentage: 10, disableSpanReporting: false }], accessLogging: [{ disabled: true }] },
    ],
    [
      'Telemetry',
      {
        tracing: [
          {
            match: { mode: 'CLIENT' },
            providers: [{ name: 'zipkin' }],
            customTags: { user: { header: { name: 'end-user' } }, path: { formatter: { value: '%REQ(:PATH)%' } } },
            useRequestIdForTraceSampling: false,
            enableIstioTags: false,
            disableContextPropagation: true,
          },
        ],
        metrics: [
          {
            providers: [{ name: 'prometheus' }],
            overrides: [
              {
                match: { metric: 'REQUEST_COUNT', mode: 'SERVER' },
                disabled: false,
                tagOverrides: { host: { value: 'request.host' }, source_app: { operation: 'REMOVE' } },
              },
            ],
            reportingInterval: '10s',
          },
        ],
        accessLogging: [
          { match: { mode: 'SERVER' }, providers: [{ name: 'envoy' }], filter: { expression: 'response.code >= 400' } },
        ],
      },
    ],
  ])('a %s %j passes without a word', (kind, spec) => {
    expect(said(kind, spec)).toEqual([]);
  });
});
