/** Decides what may be stored: validated by itself, then looked at together with everything that is stored already. */
import { isDeepStrictEqual } from 'node:util';
import { KINDS } from '#proxy/istio/kinds.ts';
import { parseObject } from '#proxy/istio/parse.ts';
import type { Problem } from '#proxy/istio/problem.ts';
import { keyOf, ResourceSet, type Resource } from '#proxy/istio/resource.ts';
import { pruned } from './kube/prune.ts';
import { isObject, shown, type JsonObject } from './kube/json.ts';
import type { Admit } from './kube/call.ts';
import { withDefaults } from './kube/defaults.ts';
import { badRequest, invalid, type Cause } from './kube/status-error.ts';
import { droppedRules } from './overwrite.ts';
import { whatChanged } from './revise.ts';
import type { Store } from './store.ts';

/** Finds what is valid alone but wrong together. */
export type Analyze = (resources: ResourceSet) => readonly Problem[];

/** More would not be read; the first ones are enough to see what is wrong. */
const MAX_WARNINGS = 20;

/** Kinds that only the control plane and the runner write; looking at the whole mesh for each would cost, for nothing. */
const NOT_ANALYZED: ReadonlySet<string> = new Set([
  'Pod',
  'ReplicaSet',
  'Job',
  'EndpointSlice',
  'Event',
  'Secret',
  'ConfigMap',
]);

/** `advise`: what else to say of an object that may be stored. */
export function createAdmit(
  store: Store,
  analyze: Analyze,
  advise: (before: Resource | null, after: Resource) => readonly string[] = () => [],
): Admit {
  return (candidate, before, { fieldValidation }) => {
    const { known, unknown } = fieldValidation === 'Strict' ? { known: candidate, unknown: [] } : knownPart(candidate);
    const { resource, problems } = parse(known);
    const errors = [...problems.filter((p) => p.severity === 'error'), ...fixedFields(before, resource)];
    if (resource === null || errors.length > 0) throw refusal(candidate, errors);
    const told = fieldValidation === 'Warn' ? [...unknown, ...problems] : problems;
    const warnings = [
      ...told.map(textOf),
      ...droppedRules(before, resource),
      ...together(store, before, resource, analyze),
      ...advise(before, resource),
    ];
    return { resource, warnings: [...new Set(warnings)].slice(0, MAX_WARNINGS) };
  };
}

/** What makes the pods of a Job is decided with it (batch/v1 validation, ValidateJobSpecUpdate). */
function fixedFields(before: Resource | null, after: Resource | null): Problem[] {
  if (before?.kind !== 'Job' || after === null) return [];
  const [was, is] = [before.spec, after.spec] as readonly JsonObject[];
  return ['template', 'selector', 'completions']
    .filter((field) => !isDeepStrictEqual(was![field], is![field]))
    .map((field) => ({
      severity: 'error',
      path: `spec.${field}`,
      message: 'field is immutable: delete the Job, and create it anew',
    }));
}

const parse = (object: JsonObject): ReturnType<typeof parseObject> =>
  parseObject(withDefaults(object), { defaultNamespace: 'default' });

/** Without the fields that nobody knows, for a client that asked for leniency. */
function knownPart(candidate: JsonObject): { known: JsonObject; unknown: readonly Problem[] } {
  const unknown = parse(candidate).problems.filter(isUnknownField);
  return {
    known: pruned(
      candidate,
      unknown.map((p) => p.path),
    ),
    unknown,
  };
}

const isUnknownField = ({ severity, message }: Problem): boolean =>
  severity === 'error' && message.startsWith('unknown field');

/** Everything stored that a mesh is made of. */
export const meshResources = (store: Store): ResourceSet => new ResourceSet(stored(store));

const stored = (store: Store): Resource[] => KINDS.flatMap(({ kind }) => (NOT_MESH.has(kind) ? [] : store.list(kind)));

const NOT_MESH: ReadonlySet<string> = new Set(['Event', 'ConfigMap', 'ReplicaSet', 'Job']);

/** `IST0101: spec.http[0].route[0]: …` */
const textOf = ({ code, path, message }: Problem): string =>
  `${code === undefined ? '' : `${code}: `}${path === '' ? '' : `${path}: `}${message}`;

/** What is said of this resource once it is part of the mesh. */
function together(store: Store, before: Resource | null, resource: Resource, analyze: Analyze): string[] {
  if (NOT_ANALYZED.has(resource.kind)) return [];
  // Labels and status decide nothing here: what there is to say was said when the spec changed.
  if (before !== null && whatChanged(before, { ...resource, apiVersion: before.apiVersion }) !== 'spec') return [];
  const after = new ResourceSet([...stored(store).filter((r) => bearsOn(r, resource)), resource]);
  const key = keyOf(resource);
  return analyze(after)
    .filter((p) => p.resource !== undefined && keyOfProblem(p.resource) === key)
    .map(textOf);
}

/**
 * Whether `other` can be part of what is wrong with `resource`. In a mesh of thousands of VirtualServices, the few that share a
 * host with this one are looked at, so that a change does not take longer the larger the mesh is.
 */
function bearsOn(other: Resource, resource: Resource): boolean {
  if (resource.kind !== 'VirtualService' || other.kind !== 'VirtualService') return true;
  const hosts = hostsOf(other);
  // Without hosts, it is a part that others delegate to.
  return hosts.length === 0 || hosts.some((host) => hostsOf(resource).includes(host));
}

const hostsOf = ({ spec }: Resource): readonly string[] =>
  (spec as { hosts?: readonly string[] } | undefined)?.hosts ?? [];

const keyOfProblem = ({ kind, namespace, name }: NonNullable<Problem['resource']>): string =>
  `${kind}/${namespace}/${name}`;

function refusal(candidate: JsonObject, errors: readonly Problem[]): Error {
  const { metadata, kind, apiVersion } = candidate;
  const name = isObject(metadata) ? metadata['name'] : '';
  const info = KINDS.find((k) => k.kind === kind && shown(apiVersion).startsWith(k.group));
  if (info === undefined) return badRequest(errors.map(textOf).join('; '));
  const causes = errors.map(({ path, message }): Cause => ({ reason: reasonOf(message), message, field: path }));
  return invalid(info, shown(name ?? ''), causes);
}

/** metav1.CauseType, as far as it can be told. */
function reasonOf(message: string): string {
  if (message.includes('is required')) return 'FieldValueRequired';
  return message.startsWith('unknown field') ? 'FieldValueNotSupported' : 'FieldValueInvalid';
}
