/** gRPC status codes: their names, and the HTTP statuses that stand for them (google/rpc/code.proto). */

const CODES: readonly (readonly [name: string, http: number])[] = [
  ['OK', 200],
  ['CANCELLED', 499],
  ['UNKNOWN', 500],
  ['INVALID_ARGUMENT', 400],
  ['DEADLINE_EXCEEDED', 504],
  ['NOT_FOUND', 404],
  ['ALREADY_EXISTS', 409],
  ['PERMISSION_DENIED', 403],
  ['RESOURCE_EXHAUSTED', 429],
  ['FAILED_PRECONDITION', 400],
  ['ABORTED', 409],
  ['OUT_OF_RANGE', 400],
  ['UNIMPLEMENTED', 501],
  ['INTERNAL', 500],
  ['UNAVAILABLE', 503],
  ['DATA_LOSS', 500],
  ['UNAUTHENTICATED', 401],
];

/** Null: no such name. */
export function grpcStatusCode(name: string): number | null {
  const code = CODES.findIndex(([known]) => known === name.toUpperCase());
  return code < 0 ? null : code;
}

/** `PERMISSION_DENIED` for 7; `UNKNOWN` for what is no code. */
export const grpcStatusName = (code: number): string => CODES[code]?.[0] ?? 'UNKNOWN';

/** 500 for what is no code. */
export const httpStatusOf = (code: number): number => CODES[code]?.[1] ?? 500;
