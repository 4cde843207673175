/** Whatever comes in: an answer, never an exception; and what Istio's own CRD schemas refuse, we refuse too. */
import {
  DestinationRule,
  Gateway,
  ServiceEntry,
  Sidecar,
  VirtualService,
  WorkloadEntry,
} from '@kubernetes-models/istio/networking.istio.io/v1';
import { AuthorizationPolicy, PeerAuthentication } from '@kubernetes-models/istio/security.istio.io/v1';
import { Telemetry } from '@kubernetes-models/istio/telemetry.istio.io/v1';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { kindFor, KINDS } from './kinds.ts';
import { parseObject, parseText } from './parse.ts';
import type { Schema } from './schema.ts';

const options = { defaultNamespace: 'default' };

const MARKS = [
  'a',
  ': ',
  '- ',
  '\n',
  '  ',
  '[',
  ']',
  '{',
  '}',
  '&a ',
  '*a',
  '!t ',
  '|',
  '>',
  '"',
  "'",
  '#',
  '? ',
  ', ',
  '~',
  '\t',
];
const PHRASES = [
  '<<: ',
  '---\n',
  '...\n',
  '%YAML 1.1\n',
  'apiVersion: v1\n',
  'kind: Pod\n',
  'metadata: {name: a}\n',
  'spec:\n',
  '0x1',
  '1e9',
];
const PIECES = [...MARKS, ...PHRASES];

/** Values that mostly fit a schema, sometimes do not, and are small. */
function valueOf(schema: Schema, depth: number, slips: boolean): fc.Arbitrary<unknown> {
  const fitting = fittingValue(schema, depth, slips);
  return slips
    ? fc.oneof(
        { weight: 40, arbitrary: fitting },
        { weight: 1, arbitrary: fc.constantFrom(5, 'x', true, [], {}, null) },
      )
    : fitting;
}

function fittingValue(schema: Schema, depth: number, slips: boolean): fc.Arbitrary<unknown> {
  switch (schema.kind) {
    case 'string':
      return fc.constantFrom(
        'a',
        'reviews',
        '80',
        '/a',
        '*',
        '10.0.0.1',
        'mesh',
        'source.labels[version]',
        '*.example.com',
        '',
        '{*}',
        '%',
      );
    case 'duration':
      return fc.constantFrom('1s', '5ms');
    case 'bool':
      return fc.boolean();
    case 'number':
      return schema.integer
        ? fc.integer({ min: Math.max(schema.min, -5), max: Math.min(schema.max, 600) })
        : fc.constantFrom(schema.min < 0 ? -1 : 0, 0.5, 50);
    case 'enum':
      return fc.constantFrom(...schema.values);
    case 'int-or-string':
      return fc.constantFrom(80, 'http');
    case 'anything':
      return fc.constantFrom({}, [], { emptyDir: {} }, [{ name: 'a', secret: {} }]);
    case 'list':
      return fc.array(valueOf(schema.item, depth - 1, slips), { maxLength: 2 });
    case 'map':
      return fc.dictionary(fc.constantFrom('a', 'x-b', '80', 'constructor'), valueOf(schema.value, depth - 1, slips), {
        maxKeys: 2,
      });
    case 'object': {
      const entries = Object.entries(schema.fields).filter(([, field]) => field.required || depth > 0);
      const fields = Object.fromEntries(entries.map(([name, field]) => [name, valueOf(field, depth - 1, slips)]));
      const requiredKeys = entries.filter(([, field]) => field.required).map(([name]) => name);
      return fc.record(fields, { requiredKeys: slips ? [] : requiredKeys });
    }
  }
}

const resourceOf = (apiVersion: string, kind: string, slips: boolean): fc.Arbitrary<object> =>
  valueOf(kindFor(apiVersion, kind)!.schema, 7, slips).map((fields) => ({
    apiVersion,
    kind,
    metadata: { name: 'a' },
    ...(fields as object),
  }));

describe('parseText', () => {
  test('never throws on arbitrary text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        parseText(text, options);
      }),
      { numRuns: 500 },
    );
  });

  test('never throws on text made of what YAML is made of', () => {
    const piece = fc.constantFrom(...PIECES);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        parseText(pieces.join(''), options);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('parseObject', () => {
  test('never throws on arbitrary values', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        parseObject(value, options);
      }),
      { numRuns: 500 },
    );
  });

  test.each(KINDS.map(({ kind, group, versions }) => [kind, group === '' ? versions[0]! : `${group}/${versions[0]!}`]))(
    'never throws on a %s',
    (kind, apiVersion) => {
      fc.assert(
        fc.property(resourceOf(apiVersion, kind, false), (resource) => {
          const { problems, resource: read } = parseObject(resource, options);
          expect(read === null).toBe(problems.some((p) => p.severity === 'error'));
        }),
        { numRuns: 60 },
      );
    },
  );
});

/** Compiled from Istio 1.29's CRDs. Unknown fields pass there and CEL rules are dropped, so only its refusals count. */
const ORACLES = {
  VirtualService,
  DestinationRule,
  Gateway,
  ServiceEntry,
  Sidecar,
  WorkloadEntry,
  AuthorizationPolicy,
  PeerAuthentication,
  Telemetry,
};

describe('against the CRD schemas', () => {
  for (const [kind, Model] of Object.entries(ORACLES)) {
    const { group } = KINDS.find((info) => info.kind === kind)!;

    test(`a ${kind} that the CRD refuses is refused`, () => {
      let refusals = 0;
      fc.assert(
        fc.property(resourceOf(`${group}/v1`, kind, true), (resource) => {
          const refusal = refusalOf(Model, withoutNulls(resource) as never);
          if (refusal === null) return;
          refusals++;
          expect(parseObject(resource, options).resource, refusal).toBe(null);
        }),
        { numRuns: 300, seed: 1 },
      );
      expect(refusals).toBeGreaterThan(0);
    });
  }
});

function refusalOf(Model: new (data: never) => { validate(): void }, resource: never): string | null {
  try {
    new Model(resource).validate();
    return null;
  } catch (error) {
    return String(error);
  }
}

/** The API server takes null members for absent ones; the compiled schemas do not. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([key, member]) => [key, withoutNulls(member)]),
  );
}
