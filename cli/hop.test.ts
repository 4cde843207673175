import { describe, expect, test } from 'vitest';
import type { Span } from '#control-api/trace-store.ts';
import { decisive, hopsOf } from './hop.ts';

const ID = '2f0e8f8a-1b1c-9d4e-8f9a-0123456789ab';

type Tags = Readonly<Record<string, string>>;

const span = (id: string, parentId: string | null, who: string, tags: Tags = {}, more: Partial<Span> = {}): Span => ({
  traceId: '463ac35c9f6413ad48485a3953bb6124',
  id,
  ...(parentId === null ? {} : { parentId }),
  kind: 'SERVER',
  timestamp: 1_700_000_000_000_000 + Number(`0x${id}`),
  duration: 12_900,
  localEndpoint: { serviceName: `${who}.default` },
  tags: {
    component: 'proxy',
    node_id: `sidecar~127.1.0.3~${who}-0.default~default.svc.cluster.local`,
    'istio.canonical_service': who,
    'istio.canonical_revision': 'v1',
    'istio.namespace': 'default',
    'guid:x-request-id': ID,
    'http.method': 'GET',
    'http.url': 'http://reviews:9080/reviews/0?a=b',
    'http.status_code': '200',
    response_flags: '-',
    upstream_cluster: 'inbound|9080||',
    upstream_address: '127.0.0.1:41234',
    ...tags,
  },
  ...more,
});
const withoutUpstream = { upstream_cluster: '', upstream_address: '' };
const shape = (spans: readonly Span[], id: string | null = ID): string[] =>
  hopsOf(spans, id).map(({ depth, who }) => `${depth} ${who}`);

describe('hops', () => {
  test('say who did what, and because of which rule', () => {
    const rule = 'VirtualService/default/reviews spec.http[0]';
    const tags = { 'lateen.route': rule, upstream_cluster: 'outbound|9080|v3|reviews.default.svc.cluster.local' };
    expect(hopsOf([span('1', null, 'productpage', tags, { kind: 'CLIENT' })], ID)).toEqual([
      {
        depth: 0,
        who: 'productpage-v1.default',
        proxy: 'productpage-0.default',
        direction: 'outbound',
        request: 'GET /reviews/0?a=b',
        status: 200,
        flags: '-',
        decision: 'sent to outbound|9080|v3|reviews.default.svc.cluster.local at 127.0.0.1:41234',
        decidedBy: rule,
        reason: '',
        at: '2023-11-14T22:13:20.000Z',
        duration: 12.9,
      },
    ]);
  });

  test.each<[string, Tags, string, string]>([
    [
      'a policy that refused',
      { ...withoutUpstream, 'lateen.reason': 'denied', 'lateen.decided_by': 'P/a/b x', 'lateen.route': 'R/a/b y' },
      'answered by itself',
      'P/a/b x',
    ],
    [
      'an upstream that failed',
      { 'lateen.reason': 'no complete answer' },
      'tried inbound|9080|| at 127.0.0.1:41234',
      '',
    ],
    ['a client that left', { ...withoutUpstream, 'http.status_code': '0', 'lateen.reason': 'gone' }, 'gave up', ''],
    ['a route that no resource made', { 'lateen.route': 'allow_any' }, 'sent to inbound|9080|| at 127.0.0.1:41234', ''],
  ])('tell of %s', (_, tags, decision, decidedBy) => {
    expect(hopsOf([span('1', null, 'reviews', tags)], ID)).toMatchObject([{ decision, decidedBy }]);
  });

  test('come each after the one that led to it, whatever order the spans came in', () => {
    const spans = [
      span('5', '4', 'ratings'),
      span('2', '1', 'details'),
      span('1', null, 'page'),
      span('4', '1', 'reviews'),
    ];
    expect(shape(spans)).toEqual([
      '0 page-v1.default',
      '1 details-v1.default',
      '1 reviews-v1.default',
      '2 ratings-v1.default',
    ]);
  });

  test('of other requests in the same trace are left out, but not of calls that lost the id', () => {
    const lost = { 'guid:x-request-id': 'another' };
    const app = span('3', '2', 'app', {}, { tags: {} });
    const spans = [span('1', null, 'before', lost), span('2', '1', 'page'), app, span('4', '3', 'reviews', lost)];
    expect(shape(spans)).toEqual(['0 page-v1.default', '1 reviews-v1.default']);
    expect(shape(spans, null)).toHaveLength(3);
    expect(shape(spans, 'unknown')).toEqual([]);
  });

  test('end, also when parents go round in a circle', () => {
    expect(shape([span('1', '2', 'a'), span('2', '1', 'b')])).toEqual(['0 a-v1.default', '1 b-v1.default']);
  });

  test('have nothing in them that a terminal would act on', () => {
    const [hop] = hopsOf(
      [span('1', null, 'a', { 'lateen.reason': '\u001b[2Jx\u202ey', 'http.method': 'G\r\nET' })],
      ID,
    );
    expect([hop!.reason, hop!.request]).toEqual(['?[2Jx?y', 'G??ET /reviews/0?a=b']);
  });
});

describe('what decided', () => {
  const hops = (...of: readonly [status: string, reason: string][]) =>
    hopsOf(
      of.map(([status, reason], i) =>
        span(String(i + 1), i === 0 ? null : String(i), `s${i}`, {
          'http.status_code': status,
          'lateen.reason': reason,
        }),
      ),
      ID,
    );
  test.each<[string, [string, string][], string | undefined]>([
    [
      'the innermost proxy that answered so',
      [
        ['503', 'outer'],
        ['503', 'inner'],
        ['200', ''],
      ],
      'inner',
    ],
    [
      'not one whose answer became another',
      [
        ['504', 'too late'],
        ['200', ''],
        ['403', 'denied'],
      ],
      'too late',
    ],
    [
      'the one that objected, when the page came all the same',
      [
        ['200', ''],
        ['403', 'denied'],
      ],
      'denied',
    ],
    [
      'nobody',
      [
        ['404', ''],
        ['404', ''],
      ],
      undefined,
    ],
  ])('is %s', (_, of, want) => {
    expect(decisive(hops(...of))?.reason).toBe(want);
  });
});
