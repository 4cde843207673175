/** The `scale` subresource: `kubectl scale` reads and writes the number of replicas through it (autoscaling/v1 Scale). */
import type { Resource } from '#proxy/istio/resource.ts';
import { decodeBody, mediaType } from './body.ts';
import { isObject, shown, type JsonObject } from './json.ts';
import type { Answer, Call, KubeContext } from './call.ts';
import { patched } from './patch.ts';
import { wireOf } from './represent.ts';
import { badRequest, invalid, methodNotAllowed } from './status-error.ts';
import { existing, objectBody } from './verbs.ts';
import { write } from './write.ts';

type Scalable = {
  readonly spec?: { readonly replicas?: number; readonly selector?: { readonly matchLabels?: Record<string, string> } };
  readonly status?: { readonly replicas?: number };
};

export function scale(context: KubeContext, call: Call): Answer {
  const before = existing(context, call);
  if (call.method === 'GET') return { status: 200, body: scaleOf(before) };
  const current = scaleOf(before);
  const wanted = call.method === 'PUT' ? objectBodyOf(call) : patchedScale(call, current);
  if (call.method !== 'PUT' && call.method !== 'PATCH') throw methodNotAllowed(`${call.method} on scale`);
  const replicas = isObject(wanted['spec']) ? (wanted['spec']['replicas'] ?? 0) : 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0) {
    const message = `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`;
    throw invalid({ group: 'autoscaling', plural: 'scales', kind: 'Scale' }, before.metadata.name, [
      { reason: 'FieldValueInvalid', message, field: 'spec.replicas' },
    ]);
  }
  const wire = wireOf(before, call.target) as unknown as JsonObject;
  const spec = isObject(wire['spec']) ? wire['spec'] : {};
  const version = isObject(wanted['metadata']) ? wanted['metadata']['resourceVersion'] : undefined;
  const metadata = {
    ...(wire['metadata'] as JsonObject),
    ...(typeof version === 'string' ? { resourceVersion: version } : {}),
  };
  const written = write(context, call, { ...wire, metadata, spec: { ...spec, replicas } }, before);
  return { status: 200, body: scaleOf(written.resource), warnings: written.warnings };
}

function scaleOf(resource: Resource): object {
  const { spec, status } = resource as Scalable;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = resource.metadata;
  const selector = Object.entries(spec?.selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: spec?.replicas ?? 1 },
    status: { replicas: status?.replicas ?? 0, selector: selector.join(',') },
  };
}

function objectBodyOf(call: Call): JsonObject {
  const { kind, ...body } = objectBody(call);
  if (kind !== 'Scale' && kind !== call.target.info.kind) throw badRequest(`expected a Scale, got ${shown(kind)}`);
  return body;
}

function patchedScale(call: Call, current: object): JsonObject {
  const patch = decodeBody(call.body, call.contentType);
  return patched(current as JsonObject, patch, { type: mediaType(call.contentType), info: call.target.info });
}
