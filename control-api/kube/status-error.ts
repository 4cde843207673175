/** Failures as Kubernetes tells them: a `Status` object with a reason, a code and, where it helps, the fields at fault. */

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ */
export type Status = {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: object;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code: number;
};

export type StatusDetails = {
  readonly name?: string;
  readonly group?: string;
  /** Of most errors the plural, of Invalid the kind: as the real API server has it. */
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly Cause[];
  readonly retryAfterSeconds?: number;
};

export type Cause = { readonly reason: string; readonly message: string; readonly field?: string };

/** The kind and group of whatever a failure is about. */
export type Subject = { readonly group: string; readonly plural: string; readonly kind: string };

export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  status(): Status {
    const { code, reason, message, details } = this;
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      ...(details === undefined ? {} : { details }),
      code,
    };
  }
}

const resourceOf = (of: Subject): string => (of.group === '' ? of.plural : `${of.plural}.${of.group}`);
const kindOf = (of: Subject): string => (of.group === '' ? of.kind : `${of.kind}.${of.group}`);
const detailsOf = (of: Subject, name: string): StatusDetails => ({
  name,
  ...(of.group === '' ? {} : { group: of.group }),
  kind: of.plural,
});

export const badRequest = (message: string, causes?: readonly Cause[]): StatusError =>
  new StatusError(400, 'BadRequest', message, causes === undefined ? undefined : { causes });

/** Whoever asks has not shown who they are. */
export const unauthorized = (message: string): StatusError => new StatusError(401, 'Unauthorized', message);

export const forbidden = (message: string): StatusError => new StatusError(403, 'Forbidden', message);

export const notFound = (of: Subject, name: string): StatusError =>
  new StatusError(404, 'NotFound', `${resourceOf(of)} "${name}" not found`, detailsOf(of, name));

/** No such path: kubectl tells "the server could not find the requested resource" from it. */
export const noSuchPath = (): StatusError =>
  new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});

export const alreadyExists = (of: Subject, name: string): StatusError =>
  new StatusError(409, 'AlreadyExists', `${resourceOf(of)} "${name}" already exists`, detailsOf(of, name));

export const conflict = (of: Subject, name: string, why: string, causes?: readonly Cause[]): StatusError =>
  new StatusError(409, 'Conflict', `Operation cannot be fulfilled on ${resourceOf(of)} "${name}": ${why}`, {
    ...detailsOf(of, name),
    ...(causes === undefined ? {} : { causes }),
  });

export const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again';

/** Fields owned by another manager: https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts */
export function applyConflict(causes: readonly Cause[]): StatusError {
  const each = causes.map((c) => `${c.message}: ${c.field}`).join('\n');
  const count = `Apply failed with ${causes.length} ${causes.length === 1 ? 'conflict' : 'conflicts'}`;
  return new StatusError(409, 'Conflict', `${count}: ${each}`, { causes });
}

/** All that is wrong with an object, each at its field. */
export function invalid(of: Subject, name: string, causes: readonly Cause[]): StatusError {
  const each = causes.map((c) => (c.field === undefined || c.field === '' ? c.message : `${c.field}: ${c.message}`));
  const text = each.length === 1 ? each[0]! : `[${each.join(', ')}]`;
  return new StatusError(422, 'Invalid', `${kindOf(of)} "${name}" is invalid: ${text}`, {
    name,
    ...(of.group === '' ? {} : { group: of.group }),
    kind: of.kind,
    causes,
  });
}

export const methodNotAllowed = (what: string): StatusError => new StatusError(405, 'MethodNotAllowed', what);

export const notAcceptable = (message: string): StatusError => new StatusError(406, 'NotAcceptable', message);

/** The revision a watch or a `continue` token started from is not kept any more: list again. */
export const expired = (message: string): StatusError => new StatusError(410, 'Expired', message);

export const tooLarge = (message: string): StatusError => new StatusError(413, 'RequestEntityTooLarge', message);

export const unsupportedMediaType = (message: string): StatusError =>
  new StatusError(415, 'UnsupportedMediaType', message);

export const internal = (): StatusError =>
  new StatusError(500, 'InternalError', 'an internal error occurred; the log of the control API tells more');

export const unavailable = (message: string): StatusError => new StatusError(503, 'ServiceUnavailable', message);
