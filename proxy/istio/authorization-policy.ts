/** AuthorizationPolicy: who may do what. (security.istio.io; Istio's API reference, Authorization Policy.) */
import { ipOrCidr, portNumber, serviceAccountRef, valuePattern } from './format.ts';
import { enumeration, list, object, refused, required, string } from './field.ts';
import type { Infer } from './schema.ts';
import { attachment, ONE_ATTACHMENT } from './selector.ts';

const NO_JWT = 'Lateen does not check request tokens so far, so a rule on them could not be enforced';
const NO_TRUST_DOMAIN = 'callers have no trust domain before mutual TLS arrives, so a rule on it could not be enforced';

/** `abc`, `abc*`, `*abc` or `*`. */
const patterns = (description: string) =>
  list(string('`abc`, `abc*`, `*abc` or `*`', { format: valuePattern, minLength: 1 }), description);
const ranges = (description: string) => list(string('IP address or CIDR range', { format: ipOrCidr }), description);
const accounts = (description: string) =>
  list(string('`namespace/account` or `account`', { format: serviceAccountRef, maxLength: 320 }), description, {
    max: 16,
  });

const source = object(
  {
    principals: patterns('Identities: `cluster.local/ns/default/sa/reviews`'),
    notPrincipals: patterns('Identities that do not match'),
    requestPrincipals: refused(patterns('Identities of request tokens: `issuer/subject`'), NO_JWT),
    notRequestPrincipals: refused(patterns('Identities of request tokens that do not match'), NO_JWT),
    namespaces: patterns('Namespaces of the caller'),
    notNamespaces: patterns('Namespaces that do not match'),
    serviceAccounts: accounts('Service accounts of the caller'),
    notServiceAccounts: accounts('Service accounts that do not match'),
    ipBlocks: ranges('Addresses the connection comes from'),
    notIpBlocks: ranges('Addresses that do not match'),
    remoteIpBlocks: ranges('Addresses of the first caller, by X-Forwarded-For'),
    notRemoteIpBlocks: ranges('Addresses of the first caller that do not match'),
    trustDomains: refused(patterns('Trust domains of the caller'), NO_TRUST_DOMAIN),
    notTrustDomains: refused(patterns('Trust domains that do not match'), NO_TRUST_DOMAIN),
  },
  'A caller; all that is given must hold',
);
export type Source = Infer<typeof source>;

const operation = object(
  {
    hosts: patterns('Host headers, blind to case'),
    notHosts: patterns('Host headers that do not match'),
    ports: list(string('A port', { format: portNumber }), 'Ports of the workload'),
    notPorts: list(string('A port', { format: portNumber }), 'Ports that do not match'),
    methods: patterns('Methods'),
    notMethods: patterns('Methods that do not match'),
    paths: list(
      string('`/a`, `/a*`, `*a`, or a template with `{*}` and `{**}`', { minLength: 1 }),
      'Paths, without their query',
    ),
    notPaths: list(string('As paths', { minLength: 1 }), 'Paths that do not match'),
  },
  'A request; all that is given must hold',
);
export type Operation = Infer<typeof operation>;

const condition = object(
  {
    key: required(string('Attribute: `request.headers[User-Agent]`, `source.namespace`, `source.labels[version]` …')),
    values: list(string('`abc`, `abc*`, `*abc` or `*`'), 'Values; any suffices'),
    notValues: list(string('As values'), 'Values that must not match'),
  },
  'A condition on an attribute',
);
export type Condition = Infer<typeof condition>;

const rule = object(
  {
    from: list(object({ source }, 'A caller'), 'Callers; any suffices, absent: every caller', { max: 512 }),
    to: list(object({ operation }, 'A request'), 'Requests; any suffices, absent: every request'),
    when: list(condition, 'Conditions; all must hold'),
  },
  'A rule; from, to and when must all hold',
);
export type AuthorizationRule = Infer<typeof rule>;

export const authorizationPolicySpec = object(
  {
    ...attachment,
    rules: list(rule, 'Rules; any suffices. Absent: the policy matches nothing. `[{}]`: it matches everything', {
      max: 512,
    }),
    action: enumeration(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM'], 'What happens to a request that a rule matches', {
      default: 'ALLOW',
      refused: { CUSTOM: 'Lateen does not ask external authorizers so far' },
    }),
    provider: refused(
      object({ name: string('Name of the authorizer') }, 'Authorizer of a CUSTOM action'),
      'Lateen does not ask external authorizers so far',
    ),
  },
  'Who may do what with the selected workloads',
  { oneOf: [ONE_ATTACHMENT] },
);
export type AuthorizationPolicySpec = Infer<typeof authorizationPolicySpec>;
