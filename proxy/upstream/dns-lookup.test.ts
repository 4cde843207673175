import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import packet from 'dns-packet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDnsLookup, type DnsLookup } from './dns-lookup.ts';

type Zone = Record<
  string,
  { readonly A?: readonly [string, number][]; readonly AAAA?: readonly [string, number][]; rcode?: number }
>;

const NXDOMAIN = 3;
let dir: string;
let hostsFile: string;
let server: Socket;
let zone: Zone;
let asked: string[];
let bySystem: string[];
let lookup: DnsLookup;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lateen-dns-'));
  hostsFile = join(dir, 'hosts');
  zone = {};
  asked = [];
  bySystem = [];
  server = createSocket('udp4').bind(0, '127.42.0.53');
  await once(server, 'listening');
  server.on('message', (message, from) => server.send(answer(message), from.port, from.address));
  writeFileSync(hostsFile, '127.0.0.1 localhost\n10.0.0.9\tfrom.hosts.example # a comment with.name\n');
  lookup = createDnsLookup({
    servers: [`127.42.0.53:${server.address().port}`],
    hostsFile,
    system: (name) => {
      bySystem.push(name);
      if (name === 'nowhere.example') return Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' }));
      return Promise.resolve([
        { address: '2001:db8::99', family: 6 },
        { address: '10.0.0.99', family: 4 },
      ]);
    },
  });
});

afterEach(() => {
  server.close();
  rmSync(dir, { recursive: true, force: true, maxRetries: 0 });
});

function answer(message: Buffer) {
  const { id = 0, questions = [] } = packet.decode(message);
  const { name, type } = questions[0]!;
  asked.push(`${type} ${name}`);
  const records = zone[name];
  const found = records?.[type as 'A' | 'AAAA'] ?? [];
  return packet.encode({
    type: 'response',
    id,
    flags: 0x0180 | (records === undefined ? NXDOMAIN : (records.rcode ?? 0)),
    questions,
    answers: found.map(([data, ttl]) => ({ type: type as 'A', name, ttl, data })),
  });
}

describe('DNS', () => {
  test('tells the addresses in its order, and the shortest TTL', async () => {
    zone['db.example'] = {
      A: [
        ['192.0.2.2', 300],
        ['192.0.2.1', 7],
      ],
    };
    expect(await lookup('db.example', 4)).toEqual({ addresses: ['192.0.2.2', '192.0.2.1'], ttl: 7000 });
    expect(asked).toEqual(['A db.example']);
  });

  test('may say TTL 0', async () => {
    zone['db.example'] = { A: [['192.0.2.2', 0]] };
    expect(await lookup('db.example', 4)).toEqual({ addresses: ['192.0.2.2'], ttl: 0 });
  });

  test('is asked for the other family when there is none of the wanted', async () => {
    zone['six.example'] = { AAAA: [['2001:db8::1', 20]] };
    zone['four.example'] = { A: [['192.0.2.1', 20]] };
    expect((await lookup('six.example', 4)).addresses).toEqual(['2001:db8::1']);
    expect((await lookup('four.example', 6)).addresses).toEqual(['192.0.2.1']);
  });

  test('that has both is believed the wanted family', async () => {
    zone['both.example'] = { A: [['192.0.2.1', 20]], AAAA: [['2001:db8::1', 20]] };
    expect((await lookup('both.example', 4)).addresses).toEqual(['192.0.2.1']);
    expect((await lookup('both.example', 6)).addresses).toEqual(['2001:db8::1']);
  });

  test('that fails is not asked once more through the system', async () => {
    zone['broken.example'] = { rcode: 2 };
    await expect(lookup('broken.example', 4)).rejects.toMatchObject({ code: 'ESERVFAIL' });
    expect(bySystem).toEqual([]);
  });
});

describe("the system's resolver", () => {
  test('is asked for what DNS does not know: a search domain may', async () => {
    expect(await lookup('ratings.default', 4)).toEqual({ addresses: ['10.0.0.99'], ttl: null });
    expect((await lookup('ratings.default', 6)).addresses).toEqual(['2001:db8::99']);
    await expect(lookup('nowhere.example', 4)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  for (const name of ['ratings', 'localhost', 'a.localhost', 'from.hosts.example'])
    test(`is asked alone for ${name}`, async () => {
      expect((await lookup(name, 4)).addresses).toEqual(['10.0.0.99']);
      expect([bySystem, asked]).toEqual([[name], []]);
    });

  test('is asked for a name that comes into the hosts file later', async () => {
    zone['late.example'] = { A: [['192.0.2.1', 20]] };
    await lookup('late.example', 4);
    writeFileSync(hostsFile, '10.0.0.7 late.example\n');
    expect((await lookup('late.example', 4)).addresses).toEqual(['10.0.0.99']);
  });

  test('is asked when no DNS server is there', async () => {
    const none = createDnsLookup({
      servers: ['127.42.0.54:1'],
      hostsFile: join(dir, 'none'),
      system: () => Promise.resolve([{ address: '10.0.0.99', family: 4 }]),
    });
    expect((await none('db.example', 4)).addresses).toEqual(['10.0.0.99']);
  });
});
