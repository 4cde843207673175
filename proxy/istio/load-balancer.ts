/** How a DestinationRule spreads requests over endpoints, and when it takes an endpoint out. */
import {
  bool,
  double,
  duration,
  enumeration,
  ignored,
  int32,
  list,
  map,
  object,
  required,
  string,
  uint32,
  uint64,
} from './field.ts';
import type { Infer } from './schema.ts';

const NO_HASH = 'Lateen balances by `simple` alone so far; requests go to the default, LEAST_REQUEST';
const NO_LOCALITY = 'Lateen balances without localities so far';
const NO_WARMUP = 'Lateen does not warm endpoints up so far';

const cookie = object(
  {
    name: required(string('Name of the cookie', { minLength: 1 })),
    path: string('Path of the cookie'),
    ttl: duration('Life of a cookie that the proxy makes; 0s: of the session', { zero: true }),
    attributes: list(
      object({ name: required(string('Name', { minLength: 1 })), value: string('Value') }, 'An attribute'),
      'Further attributes of the cookie',
    ),
  },
  'Hash of a cookie',
);

const consistentHash = object(
  {
    httpHeaderName: string('Hash of a header'),
    httpCookie: cookie,
    useSourceIp: bool("Hash of the caller's address"),
    httpQueryParameterName: string('Hash of a query parameter'),
    ringHash: object({ minimumRingSize: uint64('Virtual nodes of the ring', { default: 1024 }) }, 'A hash ring'),
    maglev: object({ tableSize: uint64('Size of the table, a prime', { default: 65_537 }) }, 'A Maglev table'),
    minimumRingSize: uint64('Virtual nodes of the ring (deprecated: use ringHash)'),
  },
  'The same endpoint for the same key',
  {
    oneOf: [
      ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'],
      ['ringHash', 'maglev'],
    ],
  },
);

const failover = list(
  object({ from: string('Region'), to: string('Region') }, 'A region and its substitute'),
  'Substitutes of regions',
);
const failoverPriority = list(string('Label, or label=value'), 'Labels that order endpoints by likeness to the caller');

const localityLbSetting = object(
  {
    enabled: bool('Whether localities count'),
    distribute: list(
      object(
        { from: string('Locality of the caller'), to: map(uint32('Percent'), 'Percent by locality') },
        'Shares of one locality',
      ),
      'Shares of traffic by locality',
    ),
    failover,
    failoverPriority,
  },
  'Preference for near endpoints',
);

const zoneAwareLbSetting = object(
  {
    enabled: bool('Whether zones count'),
    failover,
    failoverPriority,
    minClusterSize: uint32('Fewest endpoints', { min: 1, default: 6 }),
  },
  'Preference for endpoints of the zone',
);

export const loadBalancer = object(
  {
    simple: enumeration(
      ['UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST'],
      'How the next endpoint is picked',
      {
        default: 'LEAST_REQUEST',
      },
    ),
    consistentHash: ignored(consistentHash, NO_HASH),
    localityLbSetting: ignored(localityLbSetting, NO_LOCALITY),
    zoneAwareLbSetting: ignored(zoneAwareLbSetting, NO_LOCALITY),
    warmupDurationSecs: ignored(duration('Warm-up of a new endpoint (deprecated: use warmup)'), NO_WARMUP),
    warmup: ignored(
      object(
        {
          duration: required(duration('How long an endpoint counts as new')),
          minimumPercent: double('Share a new endpoint starts with', { min: 0, max: 100, default: 10 }),
          aggression: double('Speed of the rise', { min: 0, default: 1 }),
        },
        'Fewer requests for new endpoints',
      ),
      NO_WARMUP,
    ),
  },
  'How requests are spread over endpoints',
  {
    oneOf: [
      ['simple', 'consistentHash'],
      ['warmupDurationSecs', 'warmup'],
      ['localityLbSetting', 'zoneAwareLbSetting'],
    ],
  },
);
export type LoadBalancer = Infer<typeof loadBalancer>;

export const outlierDetection = object(
  {
    consecutive5xxErrors: uint32('5xx answers in a row; 0: off', { default: 5 }),
    consecutiveGatewayErrors: uint32('502, 503 and 504 in a row; 0: off', { default: 0 }),
    consecutiveErrors: int32('Deprecated, without effect in Istio'),
    splitExternalLocalOriginErrors: bool('Count connection failures apart', { default: false }),
    consecutiveLocalOriginFailures: uint32('Connection failures in a row, when counted apart', { default: 5 }),
    interval: duration('Time between sweeps', { default: '10s' }),
    baseEjectionTime: duration('First ejection; grows with each one', { default: '30s' }),
    maxEjectionPercent: int32('Most endpoints that may be out, in percent', { min: 0, max: 100, default: 10 }),
    minHealthPercent: int32('Fewest healthy endpoints, in percent', { min: 0, max: 100, default: 0 }),
    outlierDetectionHttpErrorCodes: list(
      uint32('HTTP status', { min: 100, max: 599 }),
      'Statuses that count as errors',
      { default: '5xx' },
    ),
  },
  'When a failing endpoint is left out for a while',
);
export type OutlierDetection = Infer<typeof outlierDetection>;
