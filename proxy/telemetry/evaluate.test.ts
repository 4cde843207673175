import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDuration } from '../core/duration.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Expression, Operator } from '../core/expression.ts';
import { ATTRIBUTE_NAMES, MAP_NAMES, attributeOf, entryOf } from './attribute.ts';
import { compileExpression, durationText, type Value } from './evaluate.ts';
import { exchange, liveCluster, liveEndpoint, namedRoute, proxyNode, workload } from './sample-exchange.ts';
import { WallClock } from './wall-clock.ts';

const reviews = workload('reviews', 'v2', '127.1.0.3');
const productpage = workload('productpage', 'v1', '127.1.0.1');
const node = proxyNode(reviews);
const clock = new WallClock(
  () => 1_800_000_000_000,
  () => 0,
);

const value = (v: string | number | boolean): Expression => ({ kind: 'value', value: v });
const attribute = (name: string): Expression => ({ kind: 'attribute', name });
const entry = (of: string, key: string): Expression => ({ kind: 'entry', of, key });
const call = (op: Operator, ...args: Expression[]): Expression => ({ kind: 'call', op, args });
const NONE = attribute('trace.id');

const evaluated = (e: Expression, x: Exchange = exchange('inbound', productpage)): Value =>
  compileExpression(e, node, clock)(x);

describe('operators', () => {
  const table: readonly (readonly [string, Expression, Value])[] = [
    ['equal numbers', call('eq', attribute('response.code'), value(200)), true],
    ['a number is no text', call('eq', attribute('response.code'), value('200')), false],
    ['not equal', call('ne', attribute('request.method'), value('POST')), true],
    ['order of numbers', call('ge', attribute('response.code'), value(400)), false],
    ['order of texts', call('lt', value('a'), value('b')), true],
    ['no order between kinds', call('lt', value('a'), value(1)), undefined],
    ['sum', call('add', value(1), value(2)), 3],
    ['texts joined', call('add', value('a'), value('b')), 'ab'],
    ['text and number', call('add', value('a'), value(1)), undefined],
    ['divided by zero', call('div', value(1), value(0)), undefined],
    ['rest of zero', call('mod', value(1), value(0)), undefined],
    ['toward zero', call('trunc', value(-2.5)), -2],
    ['negated', call('neg', value(5)), -5],
    ['false decides, though the other side is missing', call('and', NONE, value(false)), false],
    ['true does not', call('and', NONE, value(true)), undefined],
    ['true decides an or', call('or', NONE, value(true)), true],
    ['false does not', call('or', value(false), NONE), undefined],
    ['a missing one has no opposite', call('not', NONE), undefined],
    ['a missing one is equal to nothing', call('eq', NONE, value('')), undefined],
    ['a missing one is different from nothing', call('ne', NONE, value('')), undefined],
    ['it is not there', call('has', NONE), false],
    ['it is', call('has', attribute('request.path')), true],
    ['the first that is there', call('else', NONE, NONE, value('unknown')), 'unknown'],
    ['if', call('if', value(true), value(1), value(2)), 1],
    ['if not', call('if', value(false), value(1), value(2)), 2],
    ['if nobody knows', call('if', NONE, value(1), value(2)), undefined],
    ['one of several', call('in', attribute('response.code'), value(200), value(204)), true],
    ['none of several', call('in', attribute('response.code'), value(404)), false],
    ['starts', call('starts-with', attribute('request.path'), value('/rev')), true],
    ['ends', call('ends-with', attribute('request.path'), value('/1')), false],
    ['contains', call('contains', attribute('request.path'), value('view')), true],
    ['matches somewhere', call('matches', attribute('request.path'), value('v[a-z]+s')), true],
    ['matches from the start', call('matches', attribute('request.path'), value('^reviews')), false],
    ['matches beyond a line', call('matches', value('a\nb'), value('b$')), true],
    ['a pattern that is none', call('matches', value('a'), value('a)(')), undefined],
    ['characters', call('size', value('a😀')), 2],
    ['lower', call('lower', value('GeT')), 'get'],
    ['a number as text', call('string', attribute('response.code')), '200'],
    ['a duration as text', call('duration-text', value(6.848)), '6.848ms'],
    ["Mixer's own fallback stays as it is", call('duration-text', value('0ms')), '0ms'],
    ['a text as number', call('number', value('12.5')), 12.5],
    ['a text that is no number', call('number', value('0x10')), undefined],
    ['an attribute nobody knows', attribute('constructor'), undefined],
    ['a map nobody knows', entry('toString', 'x'), undefined],
  ];
  test.each(table)('%s', (_, e, expected) => {
    expect(evaluated(e)).toEqual(expected);
  });

  test('a tree of no end is missing, and takes no stack', () => {
    let deep = value(true);
    for (let i = 0; i < 100_000; i++) deep = call('not', deep);
    expect(evaluated(deep)).toBeUndefined();
  });

  test('texts that are joined again and again stay bounded', () => {
    let long = value('0123456789abcdef'.repeat(64));
    for (let i = 0; i < 12; i++) long = call('add', long, long);
    expect(evaluated(call('size', long))).toBe(65_536);
  });
});

describe('attributes', () => {
  const x = exchange('inbound', productpage);
  x.path = '/reviews/0?u=1';
  x.headers.push('X-Tag', 'a', 'x-tag', 'b');
  x.route = namedRoute('default');
  x.cluster = liveCluster('inbound|9080||', 'reviews', 'inbound');
  x.decidedBy = { kind: 'VirtualService', namespace: 'default', name: 'reviews', path: 'spec.http[0]' };
  const table: readonly (readonly [string, Value])[] = [
    ['request.path', '/reviews/0?u=1'],
    ['request.url_path', '/reviews/0'],
    ['request.query', 'u=1'],
    ['request.host', 'reviews:9080'],
    ['request.protocol', 'HTTP/1.1'],
    ['request.useragent', 'python-requests/2.31'],
    ['request.referer', undefined],
    ['request.size', 0],
    ['request.total_size', 120],
    ['request.time', 1_800_000_001_000],
    ['response.code', 200],
    ['response.code_details', 'via_upstream'],
    ['response.flags', '-'],
    ['response.grpc_status', undefined],
    ['response.size', 375],
    ['response.total_size', 555],
    ['connection.mtls', false],
    ['source.address', '127.1.0.1:40000'],
    ['source.workload', 'productpage-v1'],
    ['source.app', 'productpage'],
    ['source.service', 'productpage'],
    ['source.principal', undefined],
    ['source.service_account', 'bookinfo-productpage'],
    ['destination.port', 9080],
    ['destination.pod', 'reviews-v2-0'],
    ['destination.service', 'reviews.default.svc.cluster.local'],
    ['destination.service_name', 'reviews'],
    ['destination.service_namespace', 'default'],
    ['upstream.address', undefined],
    ['upstream.cluster', 'inbound|9080||'],
    ['route.name', 'default'],
    ['context.protocol', 'http'],
    ['context.reporter', 'destination'],
    ['lateen.decided_by', 'VirtualService/default/reviews spec.http[0]'],
  ];
  test.each(table)('%s', (name, expected) => {
    expect(ATTRIBUTE_NAMES).toContain(name);
    expect(evaluated(attribute(name), x)).toBe(expected);
  });

  test('durations are milliseconds', () => {
    expect(evaluated(attribute('request.duration'), x)).toBeCloseTo(12.9);
    expect(evaluated(attribute('response.backend_latency'), x)).toBeCloseTo(11.9);
  });

  test('entries of maps: several headers of a name are one, labels by their names', () => {
    expect(evaluated(entry('request.headers', 'x-tag'), x)).toBe('a,b');
    expect(evaluated(entry('request.headers', ':path'), x)).toBe('/reviews/0?u=1');
    expect(evaluated(entry('response.headers', 'x-tag'), x)).toBeUndefined();
    expect(evaluated(entry('source.labels', 'app'), x)).toBe('productpage');
    expect(evaluated(entry('destination.labels', 'constructor'), x)).toBeUndefined();
  });

  test('of a sidecar that sends, the source is itself and the destination who was reached', () => {
    const out = exchange('outbound');
    expect(evaluated(attribute('source.workload'), out)).toBe('reviews-v2');
    expect(evaluated(attribute('destination.workload'), out)).toBeUndefined();
    expect(evaluated(attribute('destination.service'), out)).toBe('reviews:9080');
    out.endpoint = liveEndpoint(workload('ratings', 'v1', '127.1.0.4'));
    expect(evaluated(attribute('destination.workload'), out)).toBe('ratings-v1');
    expect(evaluated(attribute('upstream.address'), out)).toBe('127.1.0.4:9080');
  });

  test('who is not known by its address is who it says it is', () => {
    const x = exchange('inbound');
    expect(evaluated(attribute('source.app'), x)).toBeUndefined();
    x.claimed = productpage;
    expect(evaluated(attribute('source.app'), x)).toBe('productpage');
    const out = exchange('outbound');
    out.claimed = productpage;
    expect(evaluated(attribute('destination.app'), out)).toBe('productpage');
  });

  test('a TCP connection has no request and no response', () => {
    const tcp = exchange('outbound');
    tcp.opaque = true;
    for (const name of ['request.path', 'request.method', 'response.code', 'request.protocol'])
      expect(evaluated(attribute(name), tcp)).toBeUndefined();
    expect(evaluated(attribute('context.protocol'), tcp)).toBe('tcp');
    expect(evaluated(attribute('connection.termination_details'), tcp)).toBe('via_upstream');
  });

  test('a response that was never sent has no code', () => {
    const gone = exchange('inbound');
    gone.status = 0;
    expect(evaluated(attribute('response.code'), gone)).toBeUndefined();
  });

  test('every name that is listed is one', () => {
    const of = { node, clock };
    for (const name of ATTRIBUTE_NAMES) expect(attributeOf(name, of), name).not.toBeNull();
    for (const name of MAP_NAMES) expect(entryOf(name, 'x', of), name).not.toBeNull();
  });
});

test.each([
  [0, '0s'],
  [6.848, '6.848ms'],
  [0.25, '250µs'],
  [0.0005, '500ns'],
  [1500, '1.5s'],
  [90_000, '1m30s'],
  [3_600_000, '1h0m0s'],
  [-5, '-5ms'],
  [Number.NaN, '0s'],
])('%s ms is %s, as in Go', (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

test('the text of a duration is read back as the same', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e15 }), (nanos) => {
      expect(parseDuration(durationText(nanos / 1e6))).toBe(nanos / 1e6);
    }),
  );
});

test('a random tree never throws, and yields a value or nothing', () => {
  const OPERATORS: readonly Operator[] = [
    ...([
      'and',
      'or',
      'not',
      'eq',
      'ne',
      'lt',
      'le',
      'gt',
      'ge',
      'add',
      'sub',
      'mul',
      'div',
      'mod',
      'neg',
      'if',
    ] as const),
    ...([
      'else',
      'has',
      'in',
      'starts-with',
      'ends-with',
      'contains',
      'matches',
      'size',
      'lower',
      'string',
      'trunc',
    ] as const),
    ...(['duration-text', 'number'] as const),
  ];
  const { tree } = fc.letrec<{ tree: Expression }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      fc.oneof(fc.string(), fc.double(), fc.boolean()).map(value),
      fc.oneof(fc.constantFrom(...ATTRIBUTE_NAMES), fc.string()).map(attribute),
      fc.tuple(fc.oneof(fc.constantFrom(...MAP_NAMES), fc.string()), fc.string()).map(([of, key]) => entry(of, key)),
      fc
        .tuple(fc.constantFrom(...OPERATORS), fc.array(tie('tree'), { maxLength: 4 }))
        .map(([op, args]) => call(op, ...args)),
    ),
  }));
  const exchanges = [exchange('inbound', productpage), exchange('outbound'), exchange('gateway')];
  exchanges[2]!.opaque = true;
  fc.assert(
    fc.property(tree, fc.constantFrom(...exchanges), (e, x) => {
      expect(['string', 'number', 'boolean', 'undefined']).toContain(typeof evaluated(e, x));
    }),
    { numRuns: 500 },
  );
});
