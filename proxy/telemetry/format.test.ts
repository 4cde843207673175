import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import type { Exchange } from '../live/exchange.ts';
import { ISTIO_TEXT_FORMAT } from '../core/log-format.ts';
import { compileFormat, compileJsonLine } from './format.ts';
import { exchange, liveCluster, liveEndpoint, namedRoute, proxyNode, workload } from './sample-exchange.ts';
import { WallClock } from './wall-clock.ts';

/** Monotonic 0 is one second before 07:05:12.345. */
const clock = new WallClock(
  () => Date.UTC(2026, 10, 21, 7, 5, 11, 345),
  () => 0,
);
const node = proxyNode(workload('productpage', 'v1', '127.1.0.1'));
const text = (format: string, x: Exchange): string => compileFormat(format, node, 'text', clock)(x);
const json = (format: string, x: Exchange): unknown => JSON.parse(compileFormat(format, node, 'json', clock)(x));

function reviews(over: Partial<Exchange> = {}): Exchange {
  const x = exchange('outbound', workload('productpage', 'v1', '127.1.0.1'));
  x.route = namedRoute('reviews-canary');
  x.cluster = liveCluster('outbound|9080|v2|reviews.default.svc.cluster.local', 'reviews');
  x.endpoint = liveEndpoint(workload('reviews', 'v2', '127.1.0.7'));
  x.upstreamLocal = '127.1.0.1:51234';
  x.attempts = 1;
  x.responseHeaders = ['X-Envoy-Upstream-Service-Time', '9'];
  return Object.assign(x, over);
}

describe('text format', () => {
  test("is Istio's line", () => {
    assert.equal(
      text(ISTIO_TEXT_FORMAT, reviews()),
      '[2026-11-21T07:05:12.345Z] "GET /reviews/0 HTTP/1.1" 200 - via_upstream - "-" 0 375 12 9 "-" "python-requests/2.31" ' +
        '"2f0e8f8a-1b1c-4d4e-8f9a-0123456789ab" "reviews:9080" "127.1.0.7:9080" ' +
        'outbound|9080|v2|reviews.default.svc.cluster.local 127.1.0.1:51234 127.1.0.3:15001 127.1.0.1:40000 - reviews-canary\n',
    );
  });

  test('tells of a connection what it has', () => {
    const x = reviews({ opaque: true, method: '', status: 0, flags: 'UF', details: 'some reason', requestId: '' });
    assert.equal(
      text('%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS_LONG% %RESPONSE_CODE_DETAILS% ', x),
      '- - - 0 UpstreamConnectionFailure - ',
    );
    assert.equal(text('%CONNECTION_TERMINATION_DETAILS% %ACCESS_LOG_TYPE%', x), 'some_reason TcpConnectionEnd');
  });

  test.each([
    ['%REQ(X-MISSING)% %REQ(X-EMPTY)% %REQ(X-MISSING?HOST)% %REQ(x-multi)%', '-  reviews:9080 1'],
    ['%REQ(user-agent):6%|%ENVIRONMENT(NO_SUCH_VARIABLE)%|%HOSTNAME%', 'python|-|productpage-v1-0'],
    ['%PATH% %PATH(NQ)% %PATH(WQ:PATH)% %QUERY_PARAM(a)% %QUERY_PARAMS%', '/in?a=1&b /in /out?a=1&b 1 a=1&b'],
    ['%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(:PATH)% %REQ_WITHOUT_QUERY(:PATH)%', '/in?a=1&b /out?a=1&b /out'],
    ['%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %UPSTREAM_LOCAL_PORT% %UPSTREAM_REMOTE_PORT%', '127.1.0.1 51234 9080'],
    [
      '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT% %DOWNSTREAM_LOCAL_PORT%',
      '127.1.0.1 40000 15001',
    ],
    [
      '%REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION% %COMMON_DURATION(DS_RX_BEG:US_TX_BEG:us)%',
      '0 10 2 1000',
    ],
    ['%START_TIME(%H:%M:%S.%3f)% %DYNAMIC_METADATA(a:b)%', '07:05:12.345 -'],
    [
      '%LATEEN(REASON)% %LATEEN(DECIDED_BY)% %LATEEN(CONFIG_VERSION)%',
      'why VirtualService/default/reviews spec.http[0] 9f3c',
    ],
  ])('%s', (format, expected) => {
    const x = reviews({
      headers: [
        'Host',
        'reviews:9080',
        'User-Agent',
        'python-requests/2.31',
        'X-Multi',
        '1',
        'X-Multi',
        '2',
        'X-Empty',
        '',
      ],
      path: '/out?a=1&b',
      originalPath: '/in?a=1&b',
      reason: 'why',
      configVersion: '9f3c',
      decidedBy: { kind: 'VirtualService', namespace: 'default', name: 'reviews', path: 'spec.http[0]' },
    });
    assert.equal(text(format, x), expected);
  });

  test('says how gRPC calls end', () => {
    const all = '%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%';
    assert.equal(text(all, reviews({ grpc: true, grpcStatus: 5 })), 'NotFound NOT_FOUND 5');
    assert.equal(text(all, reviews({ grpc: true, grpcStatus: 0 })), 'OK OK 0');
    assert.equal(text(all, reviews({ grpc: true, status: 503 })), 'Unavailable UNAVAILABLE 14');
    assert.equal(text(all, reviews({ grpc: true, grpcStatus: 77 })), '77 77 77');
    assert.equal(text(all, reviews()), '- - -');
  });

  test('hides credentials in queries, as the default line does', () => {
    assert.equal(text('%REQ(:PATH)% %QUERY_PARAM(token)%', reviews({ path: '/a?token=abc' })), '/a?token=*** ***');
  });

  test('escapes what could end a line or its quotes, and cuts what is long', () => {
    const sent = (value: string, format = '%REQ(A)%'): string => text(format, reviews({ headers: ['a', value] }));
    assert.equal(sent('a"b\\c\r\nd\x1b[31m\x7f'), 'a\\x22b\\x5cc\\x0d\\x0ad\\x1b[31m\\x7f');
    const bytes = (value: string): string => Buffer.from(value).toString('latin1');
    assert.equal(sent(bytes('naïve ✓')), 'naïve ✓');
    assert.equal(sent(bytes('a\u202eb\u2028c')), 'a\\u202eb\\u2028c');
    assert.equal(sent('\xff\xe9'), 'ÿé');
    assert.equal(sent('x'.repeat(65_536)), `${'x'.repeat(2048)}…`);
    assert.equal(sent(bytes('✓✓✓'), '%REQ(A):7%'), '✓✓');
  });
});

describe('JSON format', () => {
  test('one operator keeps its type, several are a text', () => {
    const x = reviews();
    assert.equal(json('%RESPONSE_CODE%', x), 200);
    assert.equal(json('%DURATION%', x), 12);
    assert.equal(json('%DOWNSTREAM_REMOTE_PORT%', x), 40_000);
    assert.equal(json('%REQ(:METHOD)%', x), 'GET');
    assert.equal(json('%REQ(NONE)%', x), null);
    assert.equal(json('%FILTER_STATE(x)%', x), null);
    assert.equal(json('%RESPONSE_CODE%%PROTOCOL%', x), '200HTTP/1.1');
    assert.equal(json('x%REQ(NONE)%', x), 'x-');
    assert.equal(json('100%%', x), '100%');
    assert.equal(json('', x), '');
  });

  test('objects and lists may be nested, and other values stay what they are', () => {
    const line = compileJsonLine(
      { a: { code: '%RESPONSE_CODE%', list: ['%REQ(:METHOD)%', 1, true, null] }, 'b"c': 'x', empty: {} },
      node,
      clock,
    );
    assert.equal(line(reviews()), '{"a":{"code":200,"list":["GET",1,true,null]},"b\\"c":"x","empty":{}}\n');
  });

  test('is bounded in depth', () => {
    let deep: object = { a: 'x' };
    for (let i = 0; i < 100; i++) deep = { deep };
    assert.ok(compileJsonLine(deep as Record<string, never>, node, clock)(reviews()).length < 500);
  });
});

test('whatever bytes callers send, one exchange is one line, and JSON is JSON', () => {
  const names = ['A', 'B', 'User-Agent', 'X-Forwarded-For'];
  const format = `${names.map((name) => `"%REQ(${name})%" %RESP(${name}):9%`).join(' ')} %REQ(:PATH)% %REQ(:AUTHORITY)% %STREAM_ID% %LATEEN(REASON)%`;
  const asText = compileFormat(`${format}\n`, node, 'text', clock);
  const asJson = compileJsonLine({ joined: format, ...Object.fromEntries(names.map((n) => [n, `%REQ(${n})%`])) }, node);
  const bytes = fc.uint8Array({ maxLength: 500 }).map((b) => Buffer.from(b).toString('latin1'));
  const anything = fc.oneof(bytes, fc.string({ unit: 'binary', maxLength: 500 }));
  fc.assert(
    fc.property(fc.array(anything, { minLength: 6, maxLength: 6 }), ([a, b, c, d, path, authority]) => {
      const headers = [a!, b!, c!, d!].flatMap((value, i) => [names[i]!, value]);
      const x = reviews({
        headers,
        responseHeaders: headers,
        path: path!,
        authority: authority!,
        requestId: a!,
        reason: b!,
      });
      const line = asText(x);
      assert.equal(line.indexOf('\n'), line.length - 1);
      assert.doesNotMatch(line.slice(0, -1), /[\p{Cc}\u2028\u2029]/u);
      assert.equal(line.split('"').length, 2 * names.length + 1);
      assert.ok(line.length < 200_000);
      const whole = asJson(x);
      assert.equal(whole.indexOf('\n'), whole.length - 1);
      assert.deepEqual(Object.keys(JSON.parse(whole) as object), ['joined', ...names]);
    }),
  );
});
