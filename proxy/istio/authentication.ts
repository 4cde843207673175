/** PeerAuthentication and RequestAuthentication: who callers have to prove to be. (security.istio.io; Istio's API reference.) */
import { jwtHeader, portNumber, url } from './format.ts';
import { bool, described, duration, enumeration, list, map, object, refused, required, string } from './field.ts';
import type { Infer } from './schema.ts';
import { attachment, ONE_ATTACHMENT, workloadSelector } from './selector.ts';

const mtls = object(
  {
    mode: enumeration(
      ['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'],
      'Whether callers may, or have to, use mutual TLS; UNSET: as the level above',
      {
        default: 'UNSET',
        refused: { STRICT: "Lateen's sidecars do not take mutual TLS so far, so STRICT could not be enforced" },
      },
    ),
  },
  'Mutual TLS of callers',
);

export const peerAuthenticationSpec = object(
  {
    selector: workloadSelector,
    mtls,
    portLevelMtls: map(described(mtls, 'Mutual TLS on this port'), 'Mutual TLS by port of the workload', {
      key: portNumber,
      min: 1,
    }),
  },
  'Whether callers prove who they are by mutual TLS',
);
export type PeerAuthenticationSpec = Infer<typeof peerAuthenticationSpec>;

const text = (description: string) => string(description, { minLength: 1 });

const jwtRule = object(
  {
    issuer: text('Who issued the token (`iss`)'),
    audiences: list(text('An audience'), 'Audiences of which the token has one (`aud`)'),
    jwksUri: string("Where the issuer's keys are", { format: url, minLength: 1, maxLength: 2048 }),
    jwks_uri: string('Older spelling of jwksUri', { format: url, minLength: 1, maxLength: 2048 }),
    jwks: string("The issuer's keys"),
    fromHeaders: list(
      object(
        { name: required(text('Name of the header')), prefix: string('What stands before the token') },
        'A header',
      ),
      'Headers that carry the token',
    ),
    fromParams: list(text('A query parameter'), 'Query parameters that carry the token'),
    fromCookies: list(text('A cookie'), 'Cookies that carry the token'),
    outputPayloadToHeader: string('Header that gets the payload'),
    outputClaimToHeaders: list(
      object(
        {
          header: required(string('Name of the header', { format: jwtHeader, minLength: 1 })),
          claim: required(text('Name of the claim')),
        },
        'A claim and its header',
      ),
      'Headers that get claims',
    ),
    forwardOriginalToken: bool('Whether the service gets the token too', { default: false }),
    timeout: duration('Time limit to fetch the keys', { default: '5s' }),
    spaceDelimitedClaims: list(text('A claim'), 'Claims that are lists separated by blanks', { max: 64 }),
  },
  'An issuer and how its tokens are found',
  { oneOf: [['jwks', 'jwksUri', 'jwks_uri']] },
);

const NO_JWT = 'Lateen does not check request tokens so far, so this could not be enforced';

export const requestAuthenticationSpec = refused(
  object(
    { ...attachment, jwtRules: list(jwtRule, 'Issuers whose tokens are accepted', { max: 4096 }) },
    'Which request tokens are accepted',
    { oneOf: [ONE_ATTACHMENT] },
  ),
  NO_JWT,
);
export type RequestAuthenticationSpec = Infer<typeof requestAuthenticationSpec>;
