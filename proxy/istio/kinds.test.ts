import { describe, expect, test } from 'vitest';
import { kindJsonSchema, toJsonSchema } from './json-schema.ts';
import { kindByPlural, kindFor, KINDS } from './kinds.ts';
import type { Schema } from './schema.ts';

describe('KINDS', () => {
  test.each([
    ['networking.istio.io/v1', 'VirtualService', 'virtualservices', 'vs', ['Gateways', 'Hosts', 'Age']],
    ['networking.istio.io/v1alpha3', 'DestinationRule', 'destinationrules', 'dr', ['Host', 'Age']],
    ['networking.istio.io/v1beta1', 'ServiceEntry', 'serviceentries', 'se', ['Hosts', 'Location', 'Resolution', 'Age']],
    ['networking.istio.io/v1', 'Gateway', 'gateways', 'gw', ['Age']],
    ['security.istio.io/v1', 'AuthorizationPolicy', 'authorizationpolicies', 'ap', ['Action', 'Age']],
    ['security.istio.io/v1beta1', 'PeerAuthentication', 'peerauthentications', 'pa', ['Mode', 'Age']],
    ['telemetry.istio.io/v1alpha1', 'Telemetry', 'telemetries', 'telemetry', ['Age']],
    ['v1', 'Pod', 'pods', 'po', ['Ready', 'Status', 'Restarts', 'Age', 'IP', 'Node']],
    [
      'apps/v1',
      'Deployment',
      'deployments',
      'deploy',
      ['Ready', 'Up-to-date', 'Available', 'Age', 'Containers', 'Images', 'Selector'],
    ],
  ])('%s %s has the names and columns its users know', (apiVersion, kind, plural, shortName, columns) => {
    const info = kindFor(apiVersion, kind)!;
    expect(info).toMatchObject({ plural, shortNames: [shortName], listKind: `${kind}List` });
    expect(info.columns.map((c) => c.name)).toEqual(columns);
    expect(kindByPlural(info.group, plural)).toBe(info);
  });

  test('knows nothing else', () => {
    expect(kindFor('v1', 'VirtualService')).toBe(undefined);
    expect(kindFor('networking.istio.io/v2', 'VirtualService')).toBe(undefined);
    expect(kindByPlural('', 'nodes')).toBe(undefined);
  });

  test('no two kinds share a name within their group', () => {
    for (const names of [KINDS.map((k) => `${k.group}/${k.plural}`), KINDS.map((k) => `${k.group}/${k.kind}`)]) {
      expect(new Set(names).size).toBe(names.length);
    }
  });

  test('every column is computed or has a path', () => {
    for (const { columns } of KINDS) for (const c of columns) expect(c.computed).toBe(c.jsonPath === '');
  });

  test('every field is described, and says why when it is not acted on', () => {
    for (const { kind, schema } of KINDS) {
      for (const [path, field] of fieldsOf(schema, kind)) {
        expect(field.description, path).toMatch(/^\S.*[^.]$/);
        if (field.support !== 'full') expect(field.reason, path).toBeTruthy();
        if (field.kind === 'enum')
          for (const value of Object.keys(field.unsupported)) expect(field.values, path).toContain(value);
      }
    }
  });
});

describe('toJsonSchema', () => {
  test('makes OpenAPI of a kind, metadata included', () => {
    const schema = kindJsonSchema(kindFor('networking.istio.io/v1', 'DestinationRule')!);
    expect(Object.keys(schema.properties ?? {})).toEqual(['apiVersion', 'kind', 'metadata', 'spec', 'status']);
    const spec = schema.properties?.['spec'];
    expect(spec).toMatchObject({ type: 'object', required: ['host'] });
    expect(spec?.properties?.['subsets']?.items?.properties?.['labels']).toMatchObject({
      type: 'object',
      additionalProperties: { type: 'string', maxLength: 63 },
      maxProperties: 4096,
    });
  });

  test('tells defaults and what is not supported in the description', () => {
    const spec = toJsonSchema(kindFor('security.istio.io/v1', 'AuthorizationPolicy')!.schema).properties?.['spec'];
    expect(spec?.properties?.['action']).toEqual({
      type: 'string',
      description: 'What happens to a request that a rule matches. Default: ALLOW.',
      enum: ['ALLOW', 'DENY', 'AUDIT', 'CUSTOM'],
    });
    expect(spec?.properties?.['provider']?.description).toContain(
      'Not supported: Lateen does not ask external authorizers',
    );
  });

  test('knows the sizes of numbers', () => {
    const spec = toJsonSchema(kindFor('v1', 'Service')!.schema).properties?.['spec'];
    const port = spec?.properties?.['ports']?.items?.properties;
    expect(port?.['port']).toMatchObject({ type: 'integer', format: 'int32', minimum: 1, maximum: 65_535 });
    expect(port?.['targetPort']).toMatchObject({ 'x-kubernetes-int-or-string': true });
  });
});

function* fieldsOf(schema: Schema, path: string): Iterable<[string, Schema]> {
  yield [path, schema];
  if (schema.kind === 'list') yield* fieldsOf(schema.item, `${path}[]`);
  if (schema.kind === 'map') yield* fieldsOf(schema.value, `${path}{}`);
  if (schema.kind === 'object')
    for (const [name, field] of Object.entries(schema.fields)) yield* fieldsOf(field, `${path}.${name}`);
}
