/** CEL from text to value: the names that may be written are those that are told, and a library that evaluates agrees with us. */
import { Environment } from '@marcbachmann/cel-js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CEL_ATTRIBUTES, CEL_MAPS } from '#proxy/istio/cel-attribute.ts';
import { parseCel } from '#proxy/istio/cel.ts';
import { ATTRIBUTE_NAMES, MAP_NAMES } from '#proxy/telemetry/attribute.ts';
import { compileExpression, type Value } from '#proxy/telemetry/evaluate.ts';
import { exchange, proxyNode, workload } from '#proxy/telemetry/sample-exchange.ts';

test('what CEL may ask for, and what requests tell, have the same names', () => {
  expect([...CEL_ATTRIBUTES].sort()).toEqual([...ATTRIBUTE_NAMES].sort());
  expect(CEL_MAPS).toEqual(MAP_NAMES);
});

const node = proxyNode(workload('reviews', 'v2', '127.61.0.3'));
const x = exchange('inbound', workload('productpage', 'v1', '127.61.0.1'));
x.headers = ['x-user', 'jason', 'x-count', '12'];
x.status = 404;
x.bytesReceived = 10;

const evaluated = (text: string): Value | null => {
  const parsed = parseCel(text);
  return parsed.ok ? compileExpression(parsed.tree, node)(x) : null;
};

test.each([
  ['response.code >= 400 && response.code < 500', true],
  ["request.headers['x-user'] == 'jason'", true],
  ["request.headers['X-USER'] == 'jason'", true],
  ["request.headers['x-none'] == 'jason'", undefined],
  ["'x-none' in request.headers", false],
  ["!('x-none' in request.headers) || request.headers['x-none'] == 'a'", true],
  ["int(request.headers['x-count']) > 10", true],
  ["request.duration > duration('10ms')", true],
  ["request.duration < duration('0.01s')", false],
  ['has(response.grpc_status)', false],
  ["source.app + '-' + destination.app", 'productpage-reviews'],
  ["downstream_peer.labels['app'] == 'productpage'", true],
  ["response.flags == '-'", true],
  ['7 / 2', 3],
  ['-7 / 2', -3],
  ['-7 % 2', -1],
])('%s is %s', (text, expected) => {
  expect(evaluated(text)).toBe(expected);
});

describe('random expressions', () => {
  const known = { code: 404n, size: 10n, path: '/reviews/0', method: 'GET', user: 'jason', mtls: false };
  const environment = new Environment({ homogeneousAggregateLiterals: false })
    .registerVariable('response', 'map')
    .registerVariable('request', 'map')
    .registerVariable('connection', 'map');
  const context = {
    response: { code: known.code },
    request: { size: known.size, path: known.path, method: known.method, headers: { 'x-user': known.user } },
    connection: { mtls: known.mtls },
  };
  const { bool } = fc.letrec<{ bool: string; int: string; text: string }>((tie) => {
    const pair = (a: 'bool' | 'int' | 'text', signs: readonly string[]): fc.Arbitrary<string> =>
      fc.tuple(tie(a), fc.constantFrom(...signs), tie(a)).map(([l, sign, r]) => `(${l} ${sign} ${r})`);
    const choice = (a: 'bool' | 'int' | 'text'): fc.Arbitrary<string> =>
      fc.tuple(tie('bool'), tie(a), tie(a)).map(([c, t, e]) => `(${c} ? ${t} : ${e})`);
    return {
      bool: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.constantFrom('true', 'false', 'connection.mtls', "'x-user' in request.headers", "'x-no' in request.headers"),
        pair('bool', ['&&', '||', '==', '!=']),
        pair('int', ['<', '<=', '>', '>=', '==', '!=']),
        pair('text', ['==', '!=', '<', '>']),
        tie('bool').map((of) => `!${of}`),
        fc
          .tuple(tie('text'), fc.constantFrom('startsWith', 'endsWith', 'contains'), tie('text'))
          .map(([a, f, b]) => `${a}.${f}(${b})`),
        tie('text').map((a) => `${a}.matches('^/?[a-z]+')`),
        fc.tuple(tie('int'), tie('int'), tie('int')).map(([a, b, c]) => `(${a} in [${b}, ${c}])`),
        choice('bool'),
      ),
      int: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        fc.constantFrom('response.code', 'request.size', '0', '1', '7', '-3', '404'),
        pair('int', ['+', '-', '*', '/', '%']),
        tie('text').map((a) => `size(${a})`),
        choice('int'),
      ),
      text: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        fc.constantFrom('request.path', 'request.method', "request.headers['x-user']", "'/reviews'", "''", "'GET'"),
        fc.constant("request.headers['x-no']"),
        pair('text', ['+']),
        tie('int').map((a) => `string(${a})`),
        choice('text'),
      ),
    };
  });

  test('have the value that the library finds; what is an error there is missing here', () => {
    let valued = 0;
    fc.assert(
      fc.property(bool, (text) => {
        const ours = evaluated(text);
        // Too deep.
        if (ours === null) return;
        let theirs: unknown;
        try {
          theirs = environment.evaluate(text, context);
        } catch {
          theirs = undefined;
        }
        if (theirs !== undefined) valued++;
        expect(ours, text).toBe(theirs);
      }),
      { numRuns: 2000 },
    );
    expect(valued).toBeGreaterThan(500);
  });
});
