/** Every way a request can fail inside the proxy, and what each one looks like from outside (Envoy's flags, details, bodies). */

export type Failure =
  | { readonly kind: 'no-route' }
  | { readonly kind: 'no-cluster'; readonly cluster: string }
  | { readonly kind: 'denied'; readonly policy: string; readonly status: number; readonly body: string }
  | { readonly kind: 'fault-abort'; readonly status: number }
  | { readonly kind: 'no-healthy-upstream' }
  | { readonly kind: 'overflow' }
  | { readonly kind: 'connect-failed'; readonly cause: string }
  | { readonly kind: 'connect-timeout' }
  | { readonly kind: 'reset-before-response'; readonly cause: string }
  | { readonly kind: 'bad-response'; readonly cause: string }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'per-try-timeout' }
  | { readonly kind: 'blocked-egress'; readonly host: string }
  | { readonly kind: 'loop' }
  /** `why`: half a sentence about this proxy. */
  | { readonly kind: 'overloaded'; readonly why: string };

/** Status to the client; response flag and details to the access log; body; and whether nothing reached the upstream. */
export type Face = {
  readonly status: number;
  readonly flag: string;
  readonly details: string;
  readonly body: string;
};

const RETRIED_BEFORE_HEADERS =
  'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: ';
const BEFORE_HEADERS = 'upstream connect error or disconnect/reset before headers. reset reason: ';

/** `retried`: other tries failed before (Envoy says so in the body). */
export function faceOf(failure: Failure, retried = false): Face {
  const beforeHeaders = retried ? RETRIED_BEFORE_HEADERS : BEFORE_HEADERS;
  switch (failure.kind) {
    case 'no-route':
      return { status: 404, flag: 'NR', details: 'route_not_found', body: '' };
    case 'no-cluster':
      return { status: 503, flag: 'NC', details: 'cluster_not_found', body: '' };
    case 'denied':
      return {
        status: failure.status,
        flag: '-',
        details: `rbac_access_denied_matched_policy[${failure.policy}]`,
        body: failure.body,
      };
    case 'fault-abort':
      return { status: failure.status, flag: 'FI', details: 'fault_filter_abort', body: 'fault filter abort' };
    case 'no-healthy-upstream':
      return { status: 503, flag: 'UH', details: 'no_healthy_upstream', body: 'no healthy upstream' };
    case 'overflow':
      return {
        status: 503,
        flag: 'UO',
        details: 'upstream_reset_before_response_started{overflow}',
        body: `${beforeHeaders}overflow`,
      };
    case 'connect-failed':
      return {
        status: 503,
        flag: 'UF',
        details: `upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_${failure.cause.replaceAll(' ', '_')}}`,
        body: `${beforeHeaders}remote connection failure`,
      };
    case 'connect-timeout':
      return {
        status: 503,
        flag: 'UF',
        details: 'upstream_reset_before_response_started{connection_timeout}',
        body: `${beforeHeaders}connection timeout`,
      };
    case 'reset-before-response':
      return {
        status: 503,
        flag: 'UC',
        details: 'upstream_reset_before_response_started{connection_termination}',
        body: `${beforeHeaders}connection termination`,
      };
    case 'bad-response':
      return {
        status: 502,
        flag: 'UPE',
        details: 'upstream_reset_before_response_started{protocol_error}',
        body: `${beforeHeaders}protocol error`,
      };
    case 'timeout':
      return { status: 504, flag: 'UT', details: 'response_timeout', body: 'upstream request timeout' };
    case 'per-try-timeout':
      return { status: 504, flag: 'UT', details: 'upstream_per_try_timeout', body: 'upstream request timeout' };
    case 'blocked-egress':
      return { status: 502, flag: '-', details: 'direct_response', body: '' };
    case 'loop':
      return {
        status: 508,
        flag: 'NR',
        details: 'loop_detected',
        body: 'the request came back to the proxy that sent it',
      };
    case 'overloaded':
      // Envoy 1.40 answers so, but logs no flag; OM is its flag for what the overload manager ended.
      return { status: 503, flag: 'OM', details: 'overload', body: 'envoy overloaded' };
  }
}
