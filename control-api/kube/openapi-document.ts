/** The API described in OpenAPI v2: a definition per kind and version, and the paths with the parameters clients check for. */
import { kindJsonSchema, toJsonSchema, type JsonSchema } from '#proxy/istio/json-schema.ts';
import type { KindInfo } from '#proxy/istio/kinds.ts';
import { objectMeta } from '#proxy/istio/kubernetes.ts';
import { groups, kindsOf, pathOf, type GroupVersion } from './catalogue.ts';
import { PATCH_TYPES } from './patch.ts';

type Gvk = { readonly group: string; readonly version: string; readonly kind: string };

export type SchemaObject = Omit<JsonSchema, 'items' | 'properties' | 'additionalProperties'> & {
  readonly $ref?: string;
  readonly items?: SchemaObject;
  readonly properties?: Readonly<Record<string, SchemaObject>>;
  readonly additionalProperties?: SchemaObject;
  readonly 'x-kubernetes-group-version-kind'?: readonly Gvk[];
};

export type Parameter = {
  readonly name: string;
  readonly in: 'query' | 'path' | 'body';
  readonly description?: string;
  readonly required?: boolean;
  readonly type?: string;
  readonly schema?: SchemaObject;
};

export type Operation = {
  readonly operationId: string;
  readonly description: string;
  readonly consumes: readonly string[];
  readonly produces: readonly string[];
  readonly parameters: readonly Parameter[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly schema?: SchemaObject }>>;
  readonly 'x-kubernetes-action': string;
  readonly 'x-kubernetes-group-version-kind': Gvk;
};

export type ApiDocument = {
  readonly swagger: '2.0';
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly definitions: Readonly<Record<string, SchemaObject>>;
};

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const LIST_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta';

/** All versions of all groups, or only the one that is given. */
export function apiDocument(version: string, only?: GroupVersion): ApiDocument {
  const all = [...groups()].flatMap(([group, versions]) => versions.map((v): GroupVersion => ({ group, version: v })));
  const paths: Record<string, Record<string, Operation>> = {};
  const definitions: Record<string, SchemaObject> = {
    [OBJECT_META]: toJsonSchema(objectMeta),
    [LIST_META]: LIST_META_SCHEMA,
  };
  for (const gv of only === undefined ? all : [only]) {
    for (const info of kindsOf(gv)) {
      Object.assign(definitions, definitionsOf(info, gv));
      Object.assign(paths, pathsOf(info, gv));
    }
  }
  return { swagger: '2.0', info: { title: 'Lateen', version }, paths, definitions };
}

const LIST_META_SCHEMA: SchemaObject = {
  type: 'object',
  description: 'Metadata of a list.',
  properties: {
    resourceVersion: { type: 'string', description: 'Revision the list shows.' },
    continue: { type: 'string', description: 'Where the next page begins.' },
  },
};

/** `io.istio.networking.v1.VirtualService`, `io.k8s.apps.v1.Deployment` */
function nameOf({ kind }: KindInfo, { group, version }: GroupVersion): string {
  const reversed =
    group === '' ? 'io.k8s.core' : group.includes('.') ? group.split('.').toReversed().join('.') : `io.k8s.${group}`;
  return `${reversed}.${version}.${kind}`;
}

const ref = (name: string): SchemaObject => ({ $ref: `#/definitions/${name}` });
const gvkOf = ({ kind }: KindInfo, { group, version }: GroupVersion): Gvk => ({ group, version, kind });

function definitionsOf(info: KindInfo, gv: GroupVersion): Record<string, SchemaObject> {
  const name = nameOf(info, gv);
  const { properties, ...rest } = kindJsonSchema(info);
  const { apiVersion, kind, metadata: _, ...fields } = properties ?? {};
  return {
    [name]: {
      ...rest,
      properties: { apiVersion: apiVersion!, kind: kind!, metadata: ref(OBJECT_META), ...fields },
      'x-kubernetes-group-version-kind': [gvkOf(info, gv)],
    },
    [`${name}List`]: {
      type: 'object',
      description: `A list of ${info.kind}.`,
      properties: {
        apiVersion: apiVersion!,
        kind: kind!,
        metadata: ref(LIST_META),
        items: { type: 'array', description: 'The items.', items: ref(name) },
      },
      'x-kubernetes-group-version-kind': [{ ...gvkOf(info, gv), kind: info.listKind }],
    },
  };
}

const query = (name: string, type: string, description: string): Parameter => ({
  name,
  in: 'query',
  type,
  description,
});
/** kubectl looks for these by name before it relies on them. */
const WRITING = [
  query('dryRun', 'string', 'All: nothing is stored'),
  query('fieldManager', 'string', 'Who sets the fields'),
  query('fieldValidation', 'string', 'Ignore, Warn or Strict: what to do about unknown fields'),
];
const LISTING = [
  query('labelSelector', 'string', 'Only objects with these labels'),
  query('fieldSelector', 'string', 'Only objects with these fields'),
  query('limit', 'integer', 'Objects per page'),
  query('continue', 'string', 'Where the page begins'),
  query('watch', 'boolean', 'Changes as they happen'),
  query('resourceVersion', 'string', 'Revision to start from'),
];

/**
 * Strategic merge patches are accepted but not announced: a client that sees them announced computes them from merge keys in
 * the schema; one that does not uses what it knows of these kinds itself, which is complete.
 */
const PATCHES = [PATCH_TYPES.json, PATCH_TYPES.merge, PATCH_TYPES.apply];

function pathsOf(info: KindInfo, gv: GroupVersion): Record<string, Record<string, Operation>> {
  const whole = ref(nameOf(info, gv));
  const list = ref(`${nameOf(info, gv)}List`);
  const make = operationMaker(info, gv);
  const body: Parameter = { name: 'body', in: 'body', required: true, schema: whole };
  const patch: Parameter = {
    name: 'body',
    in: 'body',
    required: true,
    schema: { type: 'object', description: 'The patch.' },
  };
  const base = `${pathOf(gv)}/${info.namespaced ? 'namespaces/{namespace}/' : ''}${info.plural}`;
  const patching = [...WRITING, query('force', 'boolean', 'Takes fields over from other managers'), patch];
  const paths: Record<string, Record<string, Operation>> = {
    [base]: {
      get: make('list', LISTING, list),
      post: make('post', [...WRITING, body], whole),
      delete: make('deletecollection', LISTING, list),
    },
    [`${base}/{name}`]: {
      get: make('get', [], whole),
      put: make('put', [...WRITING, body], whole),
      patch: make('patch', patching, whole, PATCHES),
      delete: make('delete', [WRITING[0]!, query('propagationPolicy', 'string', 'What happens to dependents')], whole),
    },
  };
  if (info.subresources.includes('status')) {
    paths[`${base}/{name}/status`] = { patch: make('patch', patching, whole, PATCHES, 'Status') };
  }
  if (info.namespaced)
    paths[`${pathOf(gv)}/${info.plural}`] = { get: make('list', LISTING, list, undefined, 'ForAllNamespaces') };
  return paths;
}

type Make = (
  action: string,
  parameters: readonly Parameter[],
  answer: SchemaObject,
  consumes?: readonly string[],
  suffix?: string,
) => Operation;

function operationMaker(info: KindInfo, gv: GroupVersion): Make {
  const path = (name: string): Parameter => ({
    name,
    in: 'path',
    type: 'string',
    required: true,
    description: `The ${name}`,
  });
  return (action, parameters, answer, consumes = ['application/json', 'application/yaml'], suffix = '') => {
    const collection = ['list', 'post', 'deletecollection'].includes(action);
    const places = [
      ...(info.namespaced && suffix !== 'ForAllNamespaces' ? [path('namespace')] : []),
      ...(collection ? [] : [path('name')]),
    ];
    const group = gv.group === '' ? 'Core' : gv.group.split('.').map(capital).join('');
    return {
      operationId: `${action}${group}${capital(gv.version)}${info.kind}${suffix}`,
      description: `${action} of ${info.kind}`,
      consumes,
      produces: ['application/json'],
      parameters: [...places, ...parameters],
      responses: { 200: { description: 'OK', schema: answer } },
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': gvkOf(info, gv),
    };
  };
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
