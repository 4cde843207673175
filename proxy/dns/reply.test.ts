import packet from 'dns-packet';
import { describe, expect, test } from 'vitest';
import { RCODE } from './codes.ts';
import { readQuery, type Query } from './query.ts';
import { fitReply, roomFor, writeAnswer, writeError } from './reply.ts';

function ask(name: string, type: 'A' | 'AAAA' = 'A', udpSize: number | null = null): Query {
  const opt = { type: 'OPT', name: '.', udpPayloadSize: udpSize, flags: 0, options: [] } as unknown as packet.OptAnswer;
  const additionals = udpSize === null ? [] : [opt];
  return readQuery(
    packet.encode({ type: 'query', id: 99, flags: 0x100, questions: [{ type, name }], additionals }),
  ) as Query;
}

const v4 = (count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => Uint8Array.of(10, 0, 0, i + 1));
const addressesIn = (reply: Buffer): unknown[] =>
  packet.decode(reply).answers!.map((a) => (a as packet.StringAnswer).data);

describe('an answer', () => {
  test('has the id, the question as it was written, and the addresses', () => {
    const reply = packet.decode(writeAnswer(ask('DB.example'), { alias: null, addresses: v4(2), turn: 0 }, 512));
    expect(reply).toMatchObject({
      id: 99,
      type: 'response',
      rcode: 'NOERROR',
      flag_aa: true,
      flag_rd: true,
      flag_ra: true,
    });
    expect(reply.questions).toMatchObject([{ name: 'DB.example', type: 'A', class: 'IN' }]);
    expect(reply.answers).toMatchObject([
      { name: 'DB.example', type: 'A', ttl: 30, data: '10.0.0.1' },
      { name: 'DB.example', type: 'A', ttl: 30, data: '10.0.0.2' },
    ]);
    expect(reply.additionals).toEqual([]);
  });

  test('begins with another address each time', () => {
    const query = ask('db.example');
    const firsts = [0, 1, 2, 3].map(
      (turn) => addressesIn(writeAnswer(query, { alias: null, addresses: v4(3), turn }, 512))[0],
    );
    expect(firsts).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.1']);
  });

  test('is empty, and no error, where a name has no address of that family', () => {
    const reply = packet.decode(writeAnswer(ask('db.example', 'AAAA'), { alias: null, addresses: [], turn: 0 }, 512));
    expect(reply).toMatchObject({ rcode: 'NOERROR', answers: [] });
  });

  test('names the alias, which has the addresses', () => {
    const bytes = Uint8Array.of(0x20, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0xf0, 0, 1);
    const query = ask('db.example.default.svc.cluster.local', 'AAAA');
    const reply = packet.decode(writeAnswer(query, { alias: 'db.example', addresses: [bytes], turn: 0 }, 512));
    expect(reply.answers).toMatchObject([
      { name: 'db.example.default.svc.cluster.local', type: 'CNAME', data: 'db.example' },
      { name: 'db.example', type: 'AAAA', data: '2001:2::f0f0:1' },
    ]);
  });

  test.each([
    ['512 bytes without EDNS', null, 512],
    ['512 bytes at least', 100, 512],
    ['what the client takes', 1232, 1232],
    ['4096 bytes at most', 65_535, 4096],
  ])('over UDP has %s, and says when something is missing', (_, udpSize, most) => {
    const query = ask('db.example', 'A', udpSize);
    const reply = writeAnswer(query, { alias: null, addresses: v4(255), turn: 0 }, roomFor(query, 'udp'));
    expect(reply.length).toBeLessThanOrEqual(most);
    expect(reply.length).toBeGreaterThan(most - 16);
    expect(packet.decode(reply).flag_tc).toBe(true);
    expect(
      addressesIn(writeAnswer(query, { alias: null, addresses: v4(255), turn: 0 }, roomFor(query, 'tcp'))).length,
    ).toBe(255);
  });

  test('never exceeds its room, whatever the alias', () => {
    const alias = `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}`;
    const query = ask(`${alias}.default.svc.cluster.local`, 'A', 512);
    for (let count = 0; count < 40; count++) {
      const reply = writeAnswer(query, { alias, addresses: v4(count), turn: count }, 512);
      expect(reply.length).toBeLessThanOrEqual(512);
      expect(packet.decode(reply).flag_tc).toBe(addressesIn(reply).length < count + Math.min(count, 1));
    }
  });

  test('has EDNS when the question had, extended codes, too', () => {
    const query = ask('db.example', 'A', 1400);
    expect(
      packet.decode(writeAnswer(query, { alias: null, addresses: v4(1), turn: 0 }, 512)).additionals,
    ).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232, extendedRcode: 0 }]);
    expect(packet.decode(writeError(query, RCODE.BADVERS)).additionals).toMatchObject([
      { type: 'OPT', extendedRcode: 1 },
    ]);
  });
});

describe('a reply of another server', () => {
  const upstream = (count: number): Buffer =>
    packet.encode({
      type: 'response',
      id: 1,
      questions: [{ type: 'A', name: 'big.example' }],
      answers: Array.from(
        { length: count },
        (_, i) => ({ type: 'A', name: 'big.example', data: `10.0.0.${i}` }) as const,
      ),
    });

  test('gets the id of the question', () => {
    const reply = upstream(3);
    const fitted = fitReply(ask('big.example'), reply, 512);
    expect(fitted.readUInt16BE(0)).toBe(99);
    expect(addressesIn(fitted).length).toBe(3);
  });

  test('that is too long for the client is cut to its question', () => {
    const fitted = fitReply(ask('big.example'), upstream(100), 512);
    expect(packet.decode(fitted)).toMatchObject({ id: 99, flag_tc: true, answers: [], rcode: 'NOERROR' });
    expect(fitted.length).toBeLessThan(512);
  });
});
