/** What a VirtualService rule asks beside its destination: time limit, retries, faults, CORS. */
import { ms, type Ms } from '../core/brand.ts';
import { parseDuration } from '../core/duration.ts';
import type { CorsPolicy, HttpFault, HttpRetry } from '../istio/http-action.ts';
import type { StringMatch } from '../snapshot/match.ts';
import type { Cors, Fault, RetryPolicy } from '../snapshot/route.ts';
import { RETRY } from './defaults.ts';
import { grpcStatusCode, httpStatusOf } from './grpc-status.ts';
import { compileMatch } from './strings.ts';

/** Null: unset, or 0, which Istio takes for none. */
export function compileDuration(text: string | undefined): Ms | null {
  const span = text === undefined ? null : parseDuration(text);
  return span === null || span <= 0 ? null : ms(span);
}

export const DEFAULT_RETRY: RetryPolicy = { ...RETRY, perTryTimeout: null, statusCodes: [] };

/** Without `retries` the mesh's default holds; `attempts: 0` turns retries off. */
export function compileRetry(retries: HttpRetry | undefined): RetryPolicy | null {
  if (retries === undefined) return DEFAULT_RETRY;
  const attempts = retries.attempts ?? 0;
  if (attempts <= 0) return null;
  const words = (retries.retryOn ?? '').split(',').map((word) => word.trim());
  const statusCodes = words.filter((word) => /^[1-5]\d\d$/.test(word)).map(Number);
  const on = words.filter((word) => word !== '' && !/^\d+$/.test(word));
  if (statusCodes.length > 0 && !on.includes('retriable-status-codes')) on.push('retriable-status-codes');
  return {
    attempts,
    perTryTimeout: compileDuration(retries.perTryTimeout),
    on: on.length === 0 ? RETRY.on : on,
    statusCodes,
    backoff: compileDuration(retries.backoff) ?? RETRY.backoff,
  };
}

/** A share that is not given means never: Istio hands Envoy an absent percentage as 0 (core/route/route.go TranslateFault). */
export function compileFault(fault: HttpFault | undefined): Fault | null {
  const wait = compileDuration(fault?.delay?.fixedDelay);
  const delayed = fault?.delay?.percentage?.value ?? fault?.delay?.percent ?? 0;
  const delay = wait === null || delayed <= 0 ? null : { ms: wait, percent: delayed };
  const aborted = fault?.abort?.percentage?.value ?? 0;
  const answer = aborted <= 0 ? null : abortAnswer(fault?.abort);
  const abort = answer === null ? null : { ...answer, percent: aborted };
  return delay === null && abort === null ? null : { delay, abort };
}

function abortAnswer(abort: HttpFault['abort']): { status: number; grpcStatus: number | null } | null {
  if (abort?.httpStatus !== undefined) return { status: abort.httpStatus, grpcStatus: null };
  const code = abort?.grpcStatus === undefined ? null : grpcStatusCode(abort.grpcStatus);
  return code === null ? null : { status: httpStatusOf(code), grpcStatus: code };
}

export function compileCors(cors: CorsPolicy | undefined): Cors | null {
  if (cors === undefined) return null;
  const origins: readonly (StringMatch | null)[] =
    cors.allowOrigins?.map((origin) => compileMatch(origin)) ??
    (cors.allowOrigin ?? []).map((origin) =>
      origin === '*' ? { kind: 'regex', value: '.*' } : { kind: 'exact', value: origin },
    );
  const age = compileDuration(cors.maxAge);
  return {
    allowOrigins: origins.filter((origin) => origin !== null),
    allowMethods: joined(cors.allowMethods),
    allowHeaders: joined(cors.allowHeaders),
    exposeHeaders: joined(cors.exposeHeaders),
    maxAge: age === null ? null : String(Math.floor(age / 1000)),
    allowCredentials: cors.allowCredentials ?? false,
    forwardUnmatchedPreflights: cors.unmatchedPreflights !== 'IGNORE',
  };
}

const joined = (values: readonly string[] | undefined): string | null =>
  values === undefined || values.length === 0 ? null : values.join(',');
