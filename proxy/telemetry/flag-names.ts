/** Envoy's response flags in words (`%RESPONSE_FLAGS_LONG%`; source: Envoy, access log, "response flags"). */

const LONG: Readonly<Record<string, string>> = {
  DC: 'DownstreamConnectionTermination',
  DF: 'DnsResolutionFailed',
  DI: 'DelayInjected',
  DO: 'DropOverload',
  DPE: 'DownstreamProtocolError',
  DR: 'DownstreamRemoteReset',
  DT: 'DurationTimeout',
  FI: 'FaultInjected',
  IH: 'InvalidEnvoyRequestHeaders',
  LH: 'FailedLocalHealthCheck',
  LR: 'LocalReset',
  NC: 'NoClusterFound',
  NFCF: 'NoFilterConfigFound',
  NR: 'NoRouteFound',
  OM: 'OverloadManagerTerminated',
  RFCF: 'ResponseFromCacheFilter',
  RL: 'RateLimited',
  RLSE: 'RateLimitServiceError',
  SI: 'StreamIdleTimeout',
  UAEX: 'UnauthorizedExternalService',
  UC: 'UpstreamConnectionTermination',
  UDO: 'UnconditionalDropOverload',
  UF: 'UpstreamConnectionFailure',
  UH: 'NoHealthyUpstream',
  UMSDR: 'UpstreamMaxStreamDurationReached',
  UO: 'UpstreamOverflow',
  UPE: 'UpstreamProtocolError',
  UR: 'UpstreamRemoteReset',
  URX: 'UpstreamRetryLimitExceeded',
  UT: 'UpstreamRequestTimeout',
};

/** `UF,URX` → `UpstreamConnectionFailure,UpstreamRetryLimitExceeded`; what has no name stays. */
export const longFlags = (flags: string): string =>
  flags
    .split(',')
    .map((flag) => LONG[flag] ?? flag)
    .join(',');
