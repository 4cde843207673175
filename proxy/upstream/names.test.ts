import { beforeEach, describe, expect, test } from 'vitest';
import { manualClock, type ManualClock } from '../core/manual-clock.ts';
import type { DnsAnswer } from './dns-lookup.ts';
import { nameOf, Names, type NameState } from './names.ts';

type Query = {
  readonly name: string;
  answer(addresses: readonly string[], ttl?: number | null): void;
  fail(code: string): void;
};

let clock: ManualClock;
let queries: Query[];
let outcomes: { name: string; addresses: string; cause: string; changed: boolean }[];
let names: Names;

beforeEach(() => {
  clock = manualClock();
  queries = [];
  outcomes = [];
  names = new Names({
    clock,
    random: () => 0.5,
    prefer: () => 4,
    lookup: (name) => {
      const { promise, resolve, reject } = Promise.withResolvers<DnsAnswer>();
      queries.push({
        name,
        answer: (addresses, ttl = 30_000) => resolve({ addresses, ttl }),
        fail: (code) => reject(Object.assign(new Error(code), { code })),
      });
      return promise;
    },
    onOutcome: ({ name, addresses, cause }: NameState, changed) =>
      outcomes.push({ name, addresses: addresses.join(), cause, changed }),
  });
});

/** What was told is told by promises and immediates. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

async function answered(...addresses: string[]): Promise<void> {
  queries.at(-1)!.answer(addresses);
  await settled();
}

async function failed(code = 'ESERVFAIL'): Promise<void> {
  queries.at(-1)!.fail(code);
  await settled();
}

function resolve(host: string): { addresses: string | null; cause: string; cancel: () => void } {
  const told = { addresses: null as string | null, cause: '', cancel: () => undefined as void };
  told.cancel = names.resolve(host, (addresses, cause) => Object.assign(told, { addresses: addresses.join(), cause }));
  return told;
}

describe('a name that is kept', () => {
  test('is asked for again when its TTL is over', async () => {
    names.keep(new Set(['db.example.com']));
    await answered('192.0.2.1');
    clock.advance(30_000);
    expect(queries).toHaveLength(1);
    clock.advance(3000);
    expect(queries).toHaveLength(2);
    await answered('192.0.2.2');
    expect(outcomes.map((o) => `${o.addresses} ${o.changed}`)).toEqual(['192.0.2.1 true', '192.0.2.2 true']);
  });

  for (const [ttl, from, to] of [
    [0, 1000, 1100],
    [500, 1000, 1100],
    [86_400_000, 300_000, 330_000],
    [null, 60_000, 66_000],
  ] as const)
    test(`with a TTL of ${ttl} ms is asked for again after ${from} ms and a little`, async () => {
      names.keep(new Set(['db.example.com']));
      queries[0]!.answer(['192.0.2.1'], ttl);
      await settled();
      clock.advance(from);
      expect(queries).toHaveLength(1);
      clock.advance(to - from);
      expect(queries).toHaveLength(2);
    });

  for (const code of ['ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'ETIMEOUT', 'empty'])
    test(`keeps its last answer (${code}), and is asked for again later and later`, async () => {
      names.keep(new Set(['db.example.com']));
      await answered('192.0.2.1');
      const waits: number[] = [];
      for (let i = 0; i < 8; i++) {
        const before = queries.length;
        let waited = 0;
        for (; queries.length === before; waited += 100) clock.advance(100);
        waits.push(waited);
        if (code === 'empty') await answered();
        else await failed(code);
      }
      expect(waits).toEqual([31_500, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
      expect(outcomes.at(-1)).toMatchObject({ addresses: '192.0.2.1', changed: false });
      expect(outcomes.at(-1)!.cause).toContain(code === 'empty' ? 'no address' : code);
    });

  test('without an answer is asked for again soon', async () => {
    names.keep(new Set(['db.example.com']));
    await failed('ENOTFOUND');
    clock.advance(250);
    expect(queries).toHaveLength(2);
    await answered('192.0.2.1');
    expect(outcomes.map(({ cause, changed }) => ({ cause, changed }))).toEqual([
      { cause: 'DNS resolution failed (ENOTFOUND)', changed: false },
      { cause: '', changed: true },
    ]);
  });

  test('whose query never comes back is asked for again, and the late answer does not count', async () => {
    names.keep(new Set(['db.example.com']));
    const [stuck] = queries;
    clock.advance(30_000);
    expect(outcomes[0]!.cause).toBe('DNS resolution failed (no answer)');
    clock.advance(250);
    await answered('192.0.2.1');
    stuck!.answer(['192.0.2.99']);
    await settled();
    expect(names.get('db.example.com')!.addresses).toEqual(['192.0.2.1']);
  });

  test('has one query at a time, and no more of them once it is let go', async () => {
    names.keep(new Set(['db.example.com']));
    names.keep(new Set(['db.example.com']));
    const waiter = resolve('db.example.com');
    expect(queries).toHaveLength(1);
    await answered('192.0.2.1');
    expect(waiter.addresses).toBe('192.0.2.1');
    names.keep(new Set());
    clock.advance(3_600_000);
    expect(queries).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test('uses 256 of 1000 addresses, the same ones in whatever order they come', async () => {
    const all = Array.from({ length: 1000 }, (_, i) => `10.${i >> 8}.${i & 255}.1`);
    names.keep(new Set(['db.example.com']));
    await answered(...all);
    const before = names.get('db.example.com')!.addresses;
    expect(before).toHaveLength(256);
    clock.advance(33_000);
    await answered(...all.slice(500), ...all.slice(0, 500));
    expect(names.get('db.example.com')!.addresses.toSorted()).toEqual(before.toSorted());
  });

  test('has each address once', async () => {
    names.keep(new Set(['db.example.com']));
    await answered('192.0.2.1', '192.0.2.2', '192.0.2.1');
    expect(outcomes[0]!.addresses).toBe('192.0.2.1,192.0.2.2');
  });
});

describe('a name that is asked for', () => {
  test('is resolved once for all who wait, and again when its TTL is over', async () => {
    const both = [resolve('a.example.com'), resolve('A.Example.com.')];
    expect(queries).toHaveLength(1);
    await answered('192.0.2.1');
    expect(both.map((one) => one.addresses)).toEqual(['192.0.2.1', '192.0.2.1']);
    const third = resolve('a.example.com');
    await settled();
    expect([third.addresses, queries.length]).toEqual(['192.0.2.1', 1]);
    clock.advance(40_000);
    const fourth = resolve('a.example.com');
    await settled();
    expect([fourth.addresses, queries.length]).toEqual([null, 2]);
    await answered('192.0.2.2');
    expect(fourth.addresses).toBe('192.0.2.2');
  });

  test('and is in use is asked for again before its TTL is over: nobody waits', async () => {
    resolve('a.example.com');
    await answered('192.0.2.1');
    clock.advance(28_000);
    const user = resolve('a.example.com');
    await settled();
    expect([user.addresses, queries.length]).toEqual(['192.0.2.1', 2]);
  });

  test('and does not exist is not asked for with every request', async () => {
    const first = resolve('no.example.com');
    await failed('ENOTFOUND');
    expect([first.addresses, first.cause]).toEqual(['', 'DNS resolution failed (ENOTFOUND)']);
    const second = resolve('no.example.com');
    await settled();
    expect([second.cause, queries.length]).toEqual(['DNS resolution failed (ENOTFOUND)', 1]);
    clock.advance(300);
    resolve('no.example.com');
    expect(queries).toHaveLength(2);
  });

  test('keeps its last answer when DNS fails later', async () => {
    resolve('a.example.com');
    await answered('192.0.2.1');
    clock.advance(60_000);
    const waiter = resolve('a.example.com');
    await failed();
    expect([waiter.addresses, waiter.cause]).toEqual(['192.0.2.1', '']);
    const next = resolve('a.example.com');
    await settled();
    expect(next.addresses).toBe('192.0.2.1');
  });

  test('tells nobody who has given up', async () => {
    const gone = resolve('a.example.com');
    const stays = resolve('a.example.com');
    gone.cancel();
    await answered('192.0.2.1');
    expect([gone.addresses, stays.addresses]).toEqual([null, '192.0.2.1']);
  });

  test('is forgotten after five minutes without use', async () => {
    resolve('a.example.com');
    await answered('192.0.2.1');
    clock.advance(299_000);
    names.sweep();
    expect(names.size).toBe(1);
    clock.advance(1000);
    names.sweep();
    expect(names.size).toBe(0);
  });

  test('makes room: 1024 are kept, those used last', async () => {
    for (let i = 0; i < 1024; i++) {
      resolve(`n${i}.example.com`);
      queries.at(-1)!.answer(['192.0.2.1']);
    }
    await settled();
    resolve('n0.example.com');
    resolve('one.more.example.com');
    expect([names.size, names.get('n0.example.com') !== null, names.get('n1.example.com')]).toEqual([1024, true, null]);
  });

  test('is refused while 1024 others wait for DNS', async () => {
    for (let i = 0; i < 1024; i++) resolve(`n${i}.example.com`);
    const one = resolve('one.more.example.com');
    await settled();
    expect([one.addresses, one.cause]).toEqual(['', 'DNS resolution failed (too many names at a time)']);
    expect(queries).toHaveLength(1024);
  });
});

describe('what is a name', () => {
  for (const [host, name] of [
    ['DB.Example.COM', 'db.example.com'],
    ['db.example.com.', 'db.example.com'],
    ['localhost', 'localhost'],
    ['_mysql._tcp.example.com', '_mysql._tcp.example.com'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['2130706433', null],
    ['0x7f000001', null],
    ['127.1', null],
    ['0x7f.1', null],
    ['a.0x', null],
    ['', null],
    ['.', null],
    ['a..b', null],
    ['-a.example', null],
    ['a b.example', null],
    ['a\0.example', null],
    ['user@example.com', null],
    [`${'a'.repeat(64)}.example`, null],
    [`${'a.'.repeat(127)}a`, null],
  ] as const)
    test(`${JSON.stringify(host).slice(0, 40)}: ${name ?? 'none'}`, async () => {
      expect(nameOf(host)).toBe(name);
      if (name !== null) return;
      const told = resolve(host);
      await settled();
      expect([told.cause, queries.length]).toEqual(['DNS resolution failed (not a host name)', 0]);
    });
});
