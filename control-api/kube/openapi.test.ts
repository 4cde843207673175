import { describe, expect, test } from 'vitest';
import { KINDS } from '#proxy/istio/kinds.ts';
import { apiDocument } from './openapi-document.ts';
import { encodeDocument } from './openapi-v2.ts';
import { toVersion3 } from './openapi-v3.ts';

/** A reader of the wire format that shares nothing with the writer: field number → values. */
function decode(bytes: Buffer): Map<number, (Buffer | number)[]> {
  const fields = new Map<number, (Buffer | number)[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = tag % 8;
    const length = wire === 2 ? varint() : wire === 1 ? 8 : 0;
    const value = wire === 0 ? varint() : bytes.subarray(at, (at += length));
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  expect(at).toBe(bytes.length);
  return fields;
}
const messages = (of: Map<number, (Buffer | number)[]>, field: number): Map<number, (Buffer | number)[]>[] =>
  (of.get(field) ?? []).map((b) => decode(b as Buffer));
const text = (of: Map<number, (Buffer | number)[]>, field: number): string => String(of.get(field)?.[0] ?? '');
/** Entries of a `repeated Named… { name = 1; value = 2 }`. */
const named = (of: Map<number, (Buffer | number)[]>, field: number): Map<string, Map<number, (Buffer | number)[]>> =>
  new Map(messages(of, field).map((m) => [text(m, 1), messages(m, 2)[0]!]));

const document = apiDocument('0.0.0');

describe('OpenAPI v2 as protobuf', () => {
  const decoded = decode(encodeDocument(document));

  test('has every definition and every path of the document', () => {
    expect(text(decoded, 1)).toBe('2.0');
    expect([...named(messages(decoded, 9)[0]!, 1).keys()]).toEqual(Object.keys(document.definitions));
    expect([...named(messages(decoded, 8)[0]!, 2).keys()]).toEqual(Object.keys(document.paths));
  });

  test('a definition says its kind, its fields and their descriptions', () => {
    const vs = named(messages(decoded, 9)[0]!, 1).get('io.istio.networking.v1.VirtualService')!;
    const gvk = named(vs, 31).get('x-kubernetes-group-version-kind')!;
    expect(JSON.parse(text(gvk, 2))).toEqual([{ group: 'networking.istio.io', version: 'v1', kind: 'VirtualService' }]);
    const properties = named(messages(vs, 25)[0]!, 1);
    expect([...properties.keys()]).toEqual(['apiVersion', 'kind', 'metadata', 'spec', 'status']);
    const http = named(messages(properties.get('spec')!, 25)[0]!, 1).get('http')!;
    expect(text(http, 4)).toContain('Rules for HTTP');
    expect(text(messages(http, 22)[0]!, 1)).toBe('array');
  });

  test('patches announce dryRun and fieldValidation, which kubectl looks for', () => {
    const item = named(messages(decoded, 8)[0]!, 2).get(
      '/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices/{name}',
    )!;
    const patch = messages(item, 8)[0]!;
    const query = messages(patch, 8)
      .flatMap((p) => messages(p, 1))
      .flatMap((p) => messages(p, 2))
      .flatMap((p) => messages(p, 3));
    expect(query.map((q) => text(q, 4))).toEqual(expect.arrayContaining(['dryRun', 'fieldValidation']));
  });
});

describe('OpenAPI document', () => {
  test('every version of every kind has a definition; every reference points to one', () => {
    const kinds = Object.values(document.definitions).flatMap((d) => d['x-kubernetes-group-version-kind'] ?? []);
    for (const { group, versions, kind } of KINDS)
      for (const version of versions) expect(kinds).toContainEqual({ group, version, kind });
    for (const [, reference] of JSON.stringify(document).matchAll(/"#\/definitions\/([^"]+)"/g))
      expect(document.definitions).toHaveProperty([reference!]);
  });

  test('version 3 moves definitions to components and bodies to requestBody', () => {
    const v3 = toVersion3(apiDocument('0.0.0', { group: 'apps', version: 'v1' }));
    const json = JSON.stringify(v3);
    expect(json).not.toContain('#/definitions/');
    for (const [, reference] of json.matchAll(/"#\/components\/schemas\/([^"]+)"/g))
      expect(v3).toHaveProperty(['components', 'schemas', reference!]);
    expect(v3).toHaveProperty([
      'paths',
      '/apis/apps/v1/namespaces/{namespace}/deployments/{name}',
      'patch',
      'requestBody',
      'content',
      'application/merge-patch+json',
    ]);
  });
});
