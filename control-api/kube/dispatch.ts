/** Which verb a call is: method, path and query → the function that answers. */
import type { Answer, Call, KubeContext } from './call.ts';
import { remove, removeCollection } from './delete.ts';
import { log, type Text } from './log.ts';
import { scale } from './scale.ts';
import { badRequest, methodNotAllowed, noSuchPath } from './status-error.ts';
import { create, get, list, patch, update } from './verbs.ts';
import { watch, type Stream } from './watch.ts';

type Result = Answer | Stream | Text;
type Verb = (context: KubeContext, call: Call) => Result | Promise<Result>;

const COLLECTION: Readonly<Record<string, Verb>> = { GET: list, POST: create, DELETE: removeCollection };
const OBJECT: Readonly<Record<string, Verb>> = { GET: get, PUT: update, PATCH: patch, DELETE: remove };
const STATUS: Readonly<Record<string, Verb>> = { GET: get, PUT: update, PATCH: patch };
const LOG: Readonly<Record<string, Verb>> = { GET: log };
const SCALE: Readonly<Record<string, Verb>> = { GET: scale, PUT: scale, PATCH: scale };

export function dispatch(context: KubeContext, call: Call): Result | Promise<Result> {
  const method = call.method === 'HEAD' ? 'GET' : call.method;
  const verb = verbsFor(call)[method];
  if (verb === undefined)
    throw methodNotAllowed(`the server does not allow this method on the requested resource (${call.method})`);
  return verb(context, call);
}

function verbsFor({ target, query }: Call): Readonly<Record<string, Verb>> {
  const { name, subresource, info } = target;
  if (name === null) {
    if (isTrue(query.get('watch'))) return { GET: watch };
    // Objects of a namespaced kind can only be made in a namespace.
    return info.namespaced && target.namespace === '' ? { GET: list } : COLLECTION;
  }
  if (subresource === null) return isTrue(query.get('watch')) ? { GET: watch } : OBJECT;
  if (subresource === 'status' && info.subresources.includes('status')) return STATUS;
  if (subresource === 'scale' && info.subresources.includes('scale')) return SCALE;
  if (subresource === 'log' && info.kind === 'Pod') return LOG;
  if (subresource === 'exec' && info.kind === 'Pod')
    throw badRequest('exec needs an upgrade of the connection to WebSocket');
  throw noSuchPath();
}

/** Go's strconv.ParseBool, as the API server reads it; a name without a value counts. */
const isTrue = (value: string | null): boolean =>
  value !== null && ['', '1', 't', 'true', 'True', 'TRUE'].includes(value);
