import { describe, expect, test } from 'vitest';
import { EgressBook, type EgressReport } from './egress-book.ts';
import type { EgressRow } from '../core/egress.ts';

const row = (host: string, count = 1, lastSeen = 1000): EgressRow => ({
  verdict: 'blocked',
  protocol: 'http',
  host,
  address: '',
  port: 80,
  service: '',
  sent: 0,
  received: 0,
  count,
  failures: 0,
  failure: '',
  firstSeen: lastSeen,
  lastSeen,
});

/** A control API that takes reports when it is told to; `next` resolves with the one that is waiting. */
function receiver() {
  const waiting: { report: EgressReport; answer: (arrived: boolean) => void }[] = [];
  let wake: () => void = () => undefined;
  return {
    send: (report: EgressReport): Promise<boolean> => {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      waiting.push({ report, answer: resolve });
      wake();
      return promise;
    },
    async next() {
      while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return waiting.shift()!;
    },
    get waiting(): number {
      return waiting.length;
    },
  };
}

const told = ({ seq, rows }: EgressReport): string => `${seq}: ${rows.map((r) => `${r.host} ${r.count}`).join(', ')}`;

describe('the book of egress', () => {
  test('sums up what workers tell, the latest first', () => {
    const book = new EgressBook({ workload: 'w', run: '1', send: null });
    book.add([row('a'), row('b')]);
    book.add([row('a', 2, 2000)]);
    expect(book.rows().map((r) => `${r.host} ${r.count} ${r.firstSeen}-${r.lastSeen}`)).toEqual([
      'a 3 1000-2000',
      'b 1 1000-1000',
    ]);
  });

  test('reports what is new once, and meanwhile gathers the rest', async () => {
    const to = receiver();
    const book = new EgressBook({ workload: 'w', run: '1', send: to.send, everyMs: 1 });
    book.add([row('a')]);
    const first = await to.next();
    expect(first.report).toMatchObject({ run: '1', seq: 1, workload: 'w' });
    book.add([row('a'), row('b')]);
    book.add([row('a')]);
    expect(to.waiting).toBe(0);
    first.answer(true);
    expect(told((await to.next()).report)).toBe('2: a 2, b 1');
    void book.close();
  });

  test('sends the same report again when it did not arrive', async () => {
    const to = receiver();
    const book = new EgressBook({ workload: 'w', run: '1', send: to.send, everyMs: 1 });
    book.add([row('a')]);
    (await to.next()).answer(false);
    book.add([row('b')]);
    const again = await to.next();
    expect(told(again.report)).toBe('1: a 1');
    again.answer(true);
    expect(told((await to.next()).report)).toBe('2: b 1');
    void book.close();
  });

  test('sends the rest at the end, at once, unless nobody takes it', async () => {
    const to = receiver();
    const book = new EgressBook({ workload: 'w', run: '1', send: to.send, everyMs: 3_600_000 });
    book.add([row('a')]);
    (await to.next()).answer(true);
    book.add([row('b')]);
    const over = book.close();
    const last = await to.next();
    expect(told(last.report)).toBe('2: b 1');
    last.answer(true);
    await over;
    book.add([row('c')]);
    expect(to.waiting).toBe(0);
    const deaf = new EgressBook({ workload: 'w', run: '1', send: () => Promise.resolve(false) });
    deaf.add([row('a')]);
    await deaf.close();
  });

  test('stays small with 100,000 names, and with a control API that never answers', async () => {
    const to = receiver();
    const book = new EgressBook({ workload: 'w', run: '1', send: to.send, everyMs: 1 });
    for (let i = 0; i < 100_000; i += 500)
      book.add(Array.from({ length: 500 }, (_, j) => row(`host-${i + j}.example.com`)));
    expect(book.rows()).toHaveLength(1000);
    const first = await to.next();
    first.answer(true);
    const second = await to.next();
    expect(second.report.rows.length).toBeLessThanOrEqual(501);
    expect([first, second].flatMap(({ report }) => report.rows).reduce((sum, r) => sum + r.count, 0)).toBe(100_000);
    void book.close();
  });
});
