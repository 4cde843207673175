/** How logs show the status of a gRPC call (Envoy: `%GRPC_STATUS%`). */
import { grpcStatusOf } from '../core/grpc-status.ts';
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

/** Null: it is no gRPC, or nothing was answered. */
export function grpcStatusShown(x: Exchange): number | null {
  if (!x.grpc) return null;
  if (x.grpcStatus >= 0) return x.grpcStatus;
  return x.status === 0 ? null : grpcStatusOf(x.status);
}

/** `NotFound`, or in `snake` NOT_FOUND; numbers nobody has named stay numbers. Abseil spells CANCELLED with two L. */
export function grpcStatusName(status: number, snake: boolean): string {
  const name = CAMEL[status];
  if (name === undefined) return `${status}`;
  if (!snake || status === 0) return name;
  return status === 1 ? 'CANCELLED' : name.replace(/(?!^)[A-Z]/g, '_$&').toUpperCase();
}
