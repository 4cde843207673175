/** How logs show the status of a gRPC call (Envoy: `%GRPC_STATUS%`). */
import type { Exchange } from '../live/exchange.ts';

const CAMEL = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

/** Of an HTTP status, for a call that ended without one of its own (gRPC: "HTTP to gRPC status code mapping"). */
const OF_HTTP: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};

/** Null: it is no gRPC, or nothing was answered. */
export function grpcStatusShown(x: Exchange): number | null {
  if (!x.grpc) return null;
  if (x.grpcStatus >= 0) return x.grpcStatus;
  return x.status === 0 ? null : (OF_HTTP[x.status] ?? 2);
}

/** `NotFound`, or in `snake` NOT_FOUND; numbers nobody has named stay numbers. Abseil spells CANCELLED with two L. */
export function grpcStatusName(status: number, snake: boolean): string {
  const name = CAMEL[status];
  if (name === undefined) return `${status}`;
  if (!snake || status === 0) return name;
  return status === 1 ? 'CANCELLED' : name.replace(/(?!^)[A-Z]/g, '_$&').toUpperCase();
}
