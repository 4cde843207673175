import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import packet from 'dns-packet';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DnsServer, type DnsOptions } from '#proxy/dns/server.ts';
import type { NameTable } from '#proxy/snapshot/name-table.ts';
import { failure, replyTo, startNameServer, type Answering, type NameServer } from '../kit/name-server.ts';

const HOST = '127.44.0.1';
const UPSTREAM = '127.44.0.2';
const TABLE: NameTable = {
  'reviews.default.svc.cluster.local': { addresses: ['10.0.0.1'], alternates: ['reviews'] },
  'headless.example': { addresses: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '2001:db8::1'], alternates: [] },
  'many.example': { addresses: Array.from({ length: 200 }, (_, i) => `10.0.1.${i}`), alternates: [] },
};

type Started = {
  readonly server: DnsServer;
  readonly resolver: Resolver;
  readonly port: number;
  readonly counts: Map<string, number>;
};

async function start(options: Partial<DnsOptions> = {}, table: NameTable | null = TABLE): Promise<Started> {
  const counts = new Map<string, number>();
  const add = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const stats = { count: add, upstream: (answered: boolean) => add(answered ? 'upstream' : 'upstream failed') };
  const server = await DnsServer.start(
    { listen: [{ host: HOST, port: 0 }], upstreams: [], deadlineMs: 1000, ...options },
    stats,
    (_, message) => add(message),
  );
  onTestFinished(() => server.close());
  if (table !== null) server.setNames(table);
  const { port } = server.addresses[0]!;
  const resolver = new Resolver({ timeout: 3000, tries: 1 });
  resolver.setServers([`${HOST}:${port}`]);
  return { server, resolver, port, counts };
}

async function upstream(answer: Answering, host = UPSTREAM): Promise<NameServer> {
  const server = await startNameServer(host, answer);
  onTestFinished(() => server[Symbol.dispose]());
  return server;
}

const a = (name: string, data: string): Partial<packet.Packet> => ({ answers: [{ type: 'A', name, data }] });
const question = (name: string, id = 1, type: packet.RecordType = 'A'): Buffer =>
  packet.encode({ type: 'query', id, flags: 0x100, questions: [{ type, name }] });

/** The types of dns-packet leave the code out. */
type Reply = packet.DecodedPacket & { readonly rcode: string };
const decode = (reply: Buffer): Reply => packet.decode(reply) as Reply;

/** One packet there, one back. */
async function exchange(port: number, message: Buffer): Promise<Reply> {
  const socket = createSocket('udp4');
  try {
    socket.send(message, port, HOST);
    const [reply] = (await once(socket, 'message')) as [Buffer];
    return decode(reply);
  } finally {
    socket.close();
  }
}

describe('names of the mesh', () => {
  test('are answered by every form, without anybody else', async () => {
    const { resolver, counts } = await start();
    expect(await resolver.resolve4('reviews', { ttl: true })).toEqual([{ address: '10.0.0.1', ttl: 30 }]);
    expect(await resolver.resolve4('REVIEWS.default.svc.cluster.local')).toEqual(['10.0.0.1']);
    expect(await resolver.resolve6('headless.example')).toEqual(['2001:db8::1']);
    await expect(resolver.resolve6('reviews')).rejects.toMatchObject({ code: 'ENODATA' });
    expect(counts).toEqual(
      new Map([
        [expect.stringContaining('no other server'), 1],
        ['answered', 4],
      ]),
    );
  });

  test('go round', async () => {
    const { resolver } = await start();
    const firsts: string[] = [];
    for (let i = 0; i < 6; i++) {
      firsts.push((await resolver.resolve4('headless.example'))[0]!);
      // As libc asks: both families at a time.
      await resolver.resolve6('headless.example');
    }
    expect(new Set(firsts).size).toBe(3);
  });

  test('that do not fit a packet come over TCP', async () => {
    const { resolver, counts } = await start();
    expect((await resolver.resolve4('many.example')).length).toBe(200);
    expect(counts.get('answered')).toBe(2);
  });

  test('follow the configuration', async () => {
    const { server, resolver } = await start();
    server.setNames({ 'new.example': { addresses: ['240.240.7.7'], alternates: [] } });
    expect(await resolver.resolve4('new.example')).toEqual(['240.240.7.7']);
    await expect(resolver.resolve4('reviews')).rejects.toMatchObject({ code: 'EREFUSED' });
  });

  test('are not guessed before there is a configuration', async () => {
    const other = await upstream(({ name }) => a(name, '9.9.9.9'));
    const { resolver } = await start({ upstreams: [other] }, null);
    await expect(resolver.resolve4('reviews')).rejects.toMatchObject({ code: 'ESERVFAIL' });
    expect(other.asked).toEqual([]);
  });
});

describe('other names', () => {
  test('are asked of the upstream, as they came, with EDNS and all', async () => {
    const other = await upstream(({ name }) => a(name, '9.9.9.9'));
    const { port, counts } = await start({ upstreams: [other] });
    const opt = {
      type: 'OPT',
      name: '.',
      udpPayloadSize: 1400,
      flags: 0x8000,
      options: [],
    } as unknown as packet.OptAnswer;
    const message = packet.encode({
      type: 'query',
      id: 77,
      flags: 0x110,
      questions: [{ type: 'A', name: 'Outside.Example' }],
      additionals: [opt],
    });
    const reply = await exchange(port, message);
    expect(reply).toMatchObject({ id: 77, answers: [{ data: '9.9.9.9' }], questions: [{ name: 'Outside.Example' }] });
    expect(other.asked[0]!.message.subarray(2).equals(message.subarray(2))).toBe(true);
    expect(Object.fromEntries(counts)).toEqual({ forwarded: 1, upstream: 1 });
  });

  test('have a fresh id and port each time', async () => {
    const other = await upstream(({ name }) => a(name, '9.9.9.9'));
    const { port } = await start({ upstreams: [other] });
    for (let i = 0; i < 40; i++) await exchange(port, question(`n${i}.example`, 5));
    const ids = new Set(other.asked.map(({ message }) => message.readUInt16BE(0)));
    expect(ids.size).toBeGreaterThan(35);
    expect(new Set(other.asked.map((asked) => asked.port)).size).toBeGreaterThan(30);
  });

  test('other types of our names, too', async () => {
    const other = await upstream(({ name }) => ({ answers: [{ type: 'TXT', name, data: ['hello'] }] }));
    const { resolver } = await start({ upstreams: [other] });
    expect(await resolver.resolveTxt('reviews')).toEqual([['hello']]);
  });

  test('that do not exist do not exist', async () => {
    const other = await upstream(() => failure(3));
    const { resolver } = await start({ upstreams: [other] });
    await expect(resolver.resolve4('nobody.example')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(other.asked.length).toBe(1);
  });

  test('with long answers come over TCP, from TCP', async () => {
    const other = await upstream(({ name, transport }) =>
      transport === 'udp'
        ? { flags: 0x0380 }
        : { answers: TABLE['many.example']!.addresses.map((data) => ({ type: 'A', name, data }) as const) },
    );
    const { resolver } = await start({ upstreams: [other] });
    expect((await resolver.resolve4('long.example')).length).toBe(200);
    expect(other.asked.map((asked) => asked.transport)).toEqual(['udp', 'tcp']);
  });

  test.each([
    ['of another id', { id: 0 }],
    ['to another question', { questions: [{ type: 'A', name: 'outsidf.example' } as const] }],
    ['to another type', { questions: [{ type: 'AAAA', name: 'outside.example' } as const] }],
    ['to no question', { questions: [] }],
    [
      'to two questions',
      { questions: [{ type: 'A', name: 'outside.example' } as const, { type: 'A', name: 'b' } as const] },
    ],
    ['that is a question', { type: 'query' as const }],
  ])('an answer %s is not taken, and the true one still is', async (_, wrong) => {
    const other = await upstream((asked) => {
      const { id } = packet.decode(asked.message);
      const forged = {
        ...a('outside.example', '6.6.6.6'),
        ...wrong,
        ...('id' in wrong ? { id: (id! + 1) & 0xffff } : {}),
      };
      return [Buffer.from('nonsense'), replyTo(asked, forged), replyTo(asked, a('outside.example', '9.9.9.9'))];
    });
    const { resolver } = await start({ upstreams: [other] });
    expect(await resolver.resolve4('outside.example')).toEqual(['9.9.9.9']);
  });
});

describe('upstreams that fail', () => {
  const answers: Answering = ({ name }) => a(name, '9.9.9.9');

  const bad: readonly (readonly [string, Answering])[] = [
    ['does not answer', () => null],
    ['fails', () => failure(2)],
    ['refuses', () => failure(5)],
    ['answers nonsense', () => Buffer.from('nonsense')],
  ];
  test.each(bad)('when one %s, the next is asked', async (_, answering) => {
    const first = await upstream(answering);
    const second = await upstream(answers, '127.44.0.3');
    const { resolver } = await start({ upstreams: [first, second], deadlineMs: 400 });
    expect(await resolver.resolve4('outside.example')).toEqual(['9.9.9.9']);
    expect(first.asked.length).toBe(1);
  });

  test('a packet that is lost is sent again', async () => {
    let lost = 0;
    const other = await upstream((asked): ReturnType<Answering> => (lost++ === 0 ? null : answers(asked)));
    const { resolver } = await start({ upstreams: [other], deadlineMs: 400 });
    expect(await resolver.resolve4('outside.example')).toEqual(['9.9.9.9']);
  });

  test('when nobody listens, SERVFAIL comes at once', async () => {
    const gone = await startNameServer(UPSTREAM, answers);
    gone[Symbol.dispose]();
    const { resolver, counts } = await start({ upstreams: [gone], deadlineMs: 60_000 });
    await expect(resolver.resolve4('outside.example')).rejects.toMatchObject({ code: 'ESERVFAIL' });
    expect(await resolver.resolve4('reviews')).toEqual(['10.0.0.1']);
    expect(counts.get('upstream failed')).toBe(1);
    expect(counts.get('DNS: other servers do not answer')).toBe(1);
  });

  test('when nobody answers, SERVFAIL comes at the deadline', async () => {
    const silent = await upstream(() => null);
    const { resolver } = await start({ upstreams: [silent], deadlineMs: 100 });
    await expect(resolver.resolve4('outside.example')).rejects.toMatchObject({ code: 'ESERVFAIL' });
    expect(silent.asked.length).toBe(2);
  });

  test('what they say in failing is passed on', async () => {
    const other = await upstream(() => failure(5));
    const { resolver } = await start({ upstreams: [other] });
    await expect(resolver.resolve4('outside.example')).rejects.toMatchObject({ code: 'EREFUSED' });
  });

  test('so many questions wait, not more; those over it are told', async () => {
    const silent = await upstream(() => null);
    const { port, counts } = await start({ upstreams: [silent], deadlineMs: 300, limits: { queries: 8 } });
    const codes = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => (await exchange(port, question(`n${i}.example`, i))).rcode),
    );
    expect(new Set(codes)).toEqual(new Set(['SERVFAIL']));
    expect(counts.get('overloaded')).toBe(12);
  });

  test('a question of our own that comes back is refused, not asked again', async () => {
    const other = await upstream(() => null);
    const { server, port, counts } = await start({ upstreams: [other], deadlineMs: 300 });
    const answered = exchange(port, question('outside.example'));
    await expect.poll(() => other.asked.length).toBe(1);
    // As a redirect of our own packets would bring it.
    const [asked] = other.asked;
    const reply = await new Promise<Buffer | null>((resolve) =>
      server.serve(asked!.message, 'udp', asked!.port, resolve),
    );
    expect(decode(reply!).rcode).toBe('REFUSED');
    expect(counts.get('looped')).toBe(1);
    expect((await answered).rcode).toBe('SERVFAIL');
  });

  test('this server is not an upstream of its own', async () => {
    const { server } = await start();
    const second = await start({ listen: [{ host: '127.44.0.4', port: 0 }], upstreams: server.addresses });
    expect(second.counts.size).toBe(0);
    await expect(start({ listen: server.addresses })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('hostile clients', () => {
  test('whatever they send, others are served', async () => {
    const { resolver, port, counts } = await start();
    const socket = createSocket('udp4');
    onTestFinished(() => void socket.close());
    const head = '000701000001000000000000';
    const hostile = ['', '00', head, `${head}c00c00010001`, `${head}${'3f'.repeat(400)}`, 'ff'.repeat(65_000)];
    for (const text of hostile) socket.send(Buffer.from(text, 'hex'), port, HOST);
    expect(await resolver.resolve4('reviews')).toEqual(['10.0.0.1']);
    await expect.poll(() => counts.get('malformed')).toBe(hostile.length);
  });

  test('of newer EDNS learn that we have version 0', async () => {
    const { port } = await start();
    const opt = {
      type: 'OPT',
      name: '.',
      udpPayloadSize: 1400,
      ednsVersion: 1,
      options: [],
    } as unknown as packet.OptAnswer;
    const message = packet.encode({
      type: 'query',
      id: 1,
      questions: [{ type: 'A', name: 'reviews' }],
      additionals: [opt],
    });
    expect(await exchange(port, message)).toMatchObject({
      rcode: 'NOERROR',
      answers: [],
      additionals: [{ extendedRcode: 1 }],
    });
  });
});

describe('connections', () => {
  const prefixed = (message: Buffer): Buffer =>
    Buffer.concat([Buffer.from([message.length >> 8, message.length & 255]), message]);

  async function open(port: number): Promise<Socket> {
    const socket = connect(port, HOST);
    socket.on('error', () => socket.destroy());
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  /** So many replies, as they came. */
  async function replies(socket: Socket, count: number): Promise<Buffer[]> {
    let received = Buffer.alloc(0);
    const all: Buffer[] = [];
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      received = Buffer.concat([received, chunk as Buffer]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        all.push(received.subarray(2, end));
        received = received.subarray(end);
      }
      if (all.length >= count) break;
    }
    return all;
  }

  test('carry any number of questions, also all at once', async () => {
    const { port } = await start();
    const socket = await open(port);
    const count = 3000;
    socket.end(Buffer.concat(Array.from({ length: count }, (_, i) => prefixed(question('reviews', i)))));
    const got = await replies(socket, count);
    expect(got.map((reply) => reply.readUInt16BE(0))).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  test('take a question byte by byte, answer slow ones behind fast ones, and to the other side’s end', async () => {
    const other = await upstream(({ name }) => a(name, '9.9.9.9'));
    const { port } = await start({ upstreams: [other] });
    const socket = await open(port);
    for (const byte of prefixed(question('outside.example', 1))) socket.write(Buffer.from([byte]));
    socket.end(prefixed(question('reviews', 2)));
    const ids = (await replies(socket, 2)).map((reply) => reply.readUInt16BE(0));
    expect(ids.sort((x, y) => x - y)).toEqual([1, 2]);
  });

  test.each([
    ['no length', '0000'],
    ['64 KB', 'ffff'],
  ])('with %s are closed', async (_, text) => {
    const { port } = await start();
    const socket = await open(port);
    socket.write(Buffer.from(text, 'hex'));
    socket.resume();
    await once(socket, 'close');
  });

  test('that say nothing whole are closed in time, and only so many are open', async () => {
    const { port } = await start({ limits: { tcp: { connections: 2, idleMs: 80, pipelined: 16 } } });
    const sockets = [await open(port), await open(port)];
    const third = connect(port, HOST).on('error', () => undefined);
    third.resume();
    await once(third, 'close');
    sockets[0]!.write('\0');
    await Promise.all(sockets.map((socket) => once(socket.resume(), 'close')));
    const again = await open(port);
    again.write(prefixed(question('reviews', 3)));
    expect((await replies(again, 1)).length).toBe(1);
  });
});
