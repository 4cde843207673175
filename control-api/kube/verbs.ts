/** get, list, create, update and patch of one kind. */
import type { Resource } from '#proxy/istio/resource.ts';
import { apply } from './apply-patch.ts';
import { decodeBody, mediaType } from './body.ts';
import { isObject, type JsonObject } from './json.ts';
import type { Answer, Call, KubeContext } from './call.ts';
import { apiVersionOf } from './catalogue.ts';
import { page } from './page.ts';
import { patched } from './patch.ts';
import { represent, representList, wireOf } from './represent.ts';
import { fieldSelector, labelSelector, type Predicate } from './selector.ts';
import { alreadyExists, badRequest, methodNotAllowed, notFound } from './status-error.ts';
import { requireNamespace, write, type Written } from './write.ts';

export function get(context: KubeContext, call: Call): Answer {
  return { status: 200, body: represent(call, existing(context, call)) };
}

export function list({ store }: KubeContext, call: Call): Answer {
  const matches = selectorOf(call.query);
  const all = stored({ store }, call).filter(matches);
  const { items, metadata } = page(all, call.query, store.revision);
  return { status: 200, body: representList(call, items, metadata) };
}

export function create(context: KubeContext, call: Call): Answer {
  const body = objectBody(call);
  const { target } = call;
  if (target.name !== null && target.subresource === null) throw methodNotAllowed('POST goes to the collection');
  requireNamespace(context, target);
  const metadata = isObject(body['metadata']) ? body['metadata'] : {};
  const name = metadata['name'];
  if (typeof name === 'string' && context.store.get(target.info.kind, target.namespace, name) !== undefined) {
    throw alreadyExists(target.info, name);
  }
  return answer(call, write(context, call, body, null), true);
}

export function update(context: KubeContext, call: Call): Answer {
  const before = existing(context, call);
  return answer(call, write(context, call, objectBody(call), before), false);
}

export function patch(context: KubeContext, call: Call): Answer {
  const { target, contentType, query } = call;
  const type = mediaType(contentType);
  const before = context.store.get(target.info.kind, target.namespace, target.name!) ?? null;
  if (type === 'application/apply-patch+yaml') {
    if (before === null) requireNamespace(context, target);
    return answer(call, apply(context, call, objectBody(call), before), before === null);
  }
  if (before === null) throw notFound(target.info, target.name!);
  if (query.has('force')) throw badRequest('force may only be set for apply patches');
  const wire = wireOf(before, target) as unknown as JsonObject;
  const next = patched(wire, decodeBody(call.body, contentType), { type, info: target.info });
  return answer(call, write(context, call, next, before), false);
}

export function answer(call: Call, { resource, warnings }: Written, created: boolean): Answer {
  return { status: created ? 201 : 200, body: represent(call, resource), warnings };
}

/** Throws NotFound. */
export function existing({ store }: Pick<KubeContext, 'store'>, { target }: Pick<Call, 'target'>): Resource {
  const found = store.get(target.info.kind, target.namespace, target.name!);
  if (found === undefined) throw notFound(target.info, target.name!);
  return found;
}

/** All of the kind where the path points: one namespace, or everywhere. */
export function stored({ store }: Pick<KubeContext, 'store'>, { target }: Pick<Call, 'target'>): readonly Resource[] {
  const { info, namespace } = target;
  return store.list(info.kind, info.namespaced && namespace !== '' ? namespace : undefined);
}

export function selectorOf(query: URLSearchParams): Predicate {
  const labels = labelSelector(query.get('labelSelector'));
  const fields = fieldSelector(query.get('fieldSelector'));
  return (resource) => labels(resource) && fields(resource);
}

export function objectBody({ body, contentType, target }: Call): JsonObject {
  const value = decodeBody(body, contentType);
  if (isObject(value)) return { apiVersion: apiVersionOf(target), kind: target.info.kind, ...value };
  throw badRequest(
    `expected an object of kind ${target.info.kind} in the body, got ${value === null ? 'nothing' : typeof value}`,
  );
}
