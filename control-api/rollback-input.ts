/** What somebody asks to be rolled back: read field by field, or refused with the place of the fault. */
import { suggest } from '#proxy/core/suggest.ts';
import { KINDS } from '#proxy/istio/kinds.ts';
import { isObject, shown, type Json, type JsonObject } from './kube/json.ts';
import { badRequest } from './kube/status-error.ts';

/** All resources that have what is given. With a name, it is an error when there is none. */
export type Selection = { readonly kind?: string; readonly namespace?: string; readonly name?: string };

export type RollbackWish = {
  readonly revision: number;
  /** Null: everything that people changed since. */
  readonly only: readonly Selection[] | null;
  /** Say what would happen, with bodies; change nothing. */
  readonly dryRun: boolean;
  /** The newest revision that whoever asks has seen; refused when people changed something of it since. Null: whatever there is. */
  readonly seen: number | null;
};

const FIELDS = ['revision', 'only', 'dryRun', 'seen'];
const MAX_SELECTIONS = 100;

/** Throws BadRequest. */
export function readRollback(value: Json): RollbackWish {
  if (!isObject(value)) throw badRequest('expected {"revision": N} in the body');
  known(value, FIELDS, '');
  const { only = null, dryRun = false, seen = null } = value;
  if (typeof dryRun !== 'boolean') throw badRequest(`dryRun: expected true or false, got ${shown(dryRun)}`);
  if (only !== null && !(Array.isArray(only) && only.length > 0 && only.length <= MAX_SELECTIONS))
    throw badRequest(`only: expected a list of 1 to ${MAX_SELECTIONS} selections`);
  return {
    revision: revisionOf(value['revision'], 'revision'),
    only: only === null ? null : (only as readonly Json[]).map((item, i) => selection(item, `only[${i}]`)),
    dryRun,
    seen: seen === null ? null : revisionOf(seen, 'seen'),
  };
}

function selection(value: Json, at: string): Selection {
  if (!isObject(value)) throw badRequest(`${at}: expected an object with kind, namespace, name, got ${shown(value)}`);
  known(value, ['kind', 'namespace', 'name'], `${at}.`);
  for (const [key, text] of Object.entries(value))
    if (typeof text !== 'string') throw badRequest(`${at}.${key}: expected text, got ${shown(text)}`);
  const { kind, name, namespace } = value as Selection;
  if (kind !== undefined && !KINDS.some((info) => info.kind === kind)) {
    const guess = suggest(
      kind,
      KINDS.map((info) => info.kind),
    );
    throw badRequest(`${at}.kind: there is no ${shown(kind)}${guess === null ? '' : `; did you mean ${guess}?`}`);
  }
  if (name !== undefined && (kind === undefined || namespace === undefined))
    throw badRequest(`${at}: a name needs its kind and its namespace ("" when the kind has none)`);
  return value;
}

function revisionOf(value: Json | undefined, at: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw badRequest(`${at}: expected the number of a revision, got ${shown(value)}`);
}

function known(value: JsonObject, fields: readonly string[], at: string): void {
  const unknown = Object.keys(value).find((key) => !fields.includes(key));
  if (unknown !== undefined) throw badRequest(`unknown field "${at}${unknown}": expected ${fields.join(', ')}`);
}
