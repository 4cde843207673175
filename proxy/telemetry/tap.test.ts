import { describe, expect, test } from 'vitest';
import type { TapBatch, TapFilter } from '../snapshot/tap.ts';
import { exchange, liveCluster, liveEndpoint, proxyNode, workload } from './sample-exchange.ts';
import { TapPost } from './tap-post.ts';
import { MOST_PER_SECOND, Tap } from './tap.ts';

const ALL: TapFilter = {
  namespace: null,
  workload: null,
  service: null,
  to: null,
  method: null,
  path: null,
  status: null,
};
const NODE = proxyNode(workload('reviews', 'v3', '127.67.0.6'));

function call(path = '/ratings/0', status = 200) {
  const x = exchange('outbound');
  x.cluster = liveCluster('outbound|9080||ratings', 'ratings');
  x.endpoint = liveEndpoint(workload('ratings', 'v1', '127.67.0.7'));
  x.path = path;
  x.status = status;
  return x;
}

function tapOf(...filters: readonly Partial<TapFilter>[]) {
  const batches: TapBatch[] = [];
  const tap = new Tap(NODE, (more) => batches.push(...more));
  tap.set(filters.map((filter, i) => ({ id: String(i), filter: { ...ALL, ...filter } })));
  return { tap, batches };
}

describe('a tap', () => {
  test('costs nothing when it is over, or of another workload', () => {
    const { tap } = tapOf({ workload: 'ratings-v1' });
    expect(tap.active).toBe(false);
    tap.set([{ id: '1', filter: { ...ALL, workload: 'reviews-v3', namespace: 'default' } }]);
    expect(tap.active).toBe(true);
    tap.set([]);
    expect(tap.active).toBe(false);
  });

  test('tells what a request was, without the secrets in its query', () => {
    const { tap, batches } = tapOf({});
    const x = call('/ratings/0?token=hush&page=2');
    x.reason = 'because';
    tap.note(x);
    tap.flush();
    expect(batches).toMatchObject([
      {
        id: '0',
        skipped: 0,
        events: [
          {
            direction: 'outbound',
            source: { workload: 'reviews-v3', pod: 'reviews-v3-0' },
            destination: { workload: 'ratings-v1', version: 'v1' },
            service: 'ratings.default.svc.cluster.local',
            path: '/ratings/0?token=***&page=2',
            status: 200,
            duration: 12.9,
            reason: 'because',
          },
        ],
      },
    ]);
  });

  test.each<[Partial<TapFilter>, number]>([
    [{ method: 'GET' }, 1],
    [{ method: 'POST' }, 0],
    [{ path: '/ratings' }, 1],
    [{ path: '/reviews' }, 0],
    [{ status: [200, 299] }, 1],
    [{ status: [500, 599] }, 0],
    [{ to: 'ratings-v1' }, 1],
    [{ to: 'ratings' }, 1],
    [{ to: 'details' }, 0],
    [{ service: 'ratings' }, 1],
    [{ service: 'reviews' }, 0],
  ])('with the filter %j has %i of it', (filter, count) => {
    const { tap, batches } = tapOf(filter);
    tap.note(call());
    tap.flush();
    expect(batches.flatMap((batch) => batch.events)).toHaveLength(count);
  });

  test('has a rate, and tells how many there were more; one tap does not cost another its share', () => {
    const { tap, batches } = tapOf({}, { status: [503, 503] });
    for (let i = 0; i < 100_000; i++) tap.note(call('/x'.repeat(5000)));
    tap.note(call('/', 503));
    const later = call();
    later.endMs += 1000;
    tap.note(later);
    tap.flush();
    const [all, failed] = batches;
    expect(all).toMatchObject({ skipped: 100_001 - MOST_PER_SECOND });
    expect(all!.events).toHaveLength(MOST_PER_SECOND + 1);
    expect(all!.events[0]!.path.length).toBeLessThanOrEqual(1024);
    expect(failed).toMatchObject({ skipped: 0, events: [{ status: 503 }] });
  });
});

test('what is told while a message is under way waits in bounded room', async () => {
  const sent: (readonly TapBatch[])[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const post = new TapPost((batches) => (sent.push(batches) === 2 ? (end(), promise) : promise));
  const { tap, batches } = tapOf({});
  tap.note(call());
  tap.flush();
  const [{ events } = { events: [] }] = batches;
  for (let i = 0; i < 1000; i++) post.add([{ id: '0', events, skipped: 1 }]);
  resolve();
  await over;
  expect(sent[0]).toMatchObject([{ skipped: 1 }]);
  expect(sent[1]![0]!.events).toHaveLength(300);
  expect(sent[1]![0]!.skipped).toBe(999 + 699);
});
