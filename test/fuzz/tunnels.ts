/** Upgrades and CONNECT: where HTTP ends the tunnel begins, on both sides at the same byte; where it does not end, the next request is one. */
import { plainTelemetry } from '#proxy/compile/telemetry.ts';
import { connect, type Socket } from 'node:net';
import { clusterName } from '#proxy/core/brand.ts';
import { cluster, endpoint, rawOrigin, startProxy, type TestProxy } from '../kit/proxy.ts';
import type { Dice } from './dice.ts';
import { fine, found, type Case, type Lane, type Verdict } from './lane.ts';
import { cut } from './mutate.ts';

const HEAD_END = '\r\n\r\n';
const NEXT = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n';
const NEXT_ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext';

/** Heads that ask for a tunnel, and the one that does not quite. */
const ASKS: readonly (readonly [tunnels: boolean, head: string])[] = [
  [true, 'Connection: Upgrade\r\nUpgrade: websocket'],
  [true, 'Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket'],
  [true, 'Upgrade: websocket\r\nX-A: b\r\nConnection:upgrade'],
  [false, 'Upgrade: websocket'],
  [false, 'Connection: Upgrade'],
  [false, 'Connection: Upgrade\r\nUpgrade: h2c'],
];
const ANSWERS: readonly (readonly [switches: boolean, head: string])[] = [
  [true, 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket'],
  [true, 'HTTP/1.1 101 x\r\nUpgrade: websocket\r\nX-A: b\r\nConnection: upgrade'],
  [true, 'HTTP/1.1 103 Hint\r\nLink: </a>\r\n\r\nHTTP/1.1 101 x\r\nUpgrade: WEBSOCKET\r\nConnection: Upgrade'],
  [false, 'HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: h2c'],
  [false, 'HTTP/1.1 101 x\r\nUpgrade: websocket'],
  [false, 'HTTP/1.1 200 OK\r\nContent-Length: 0'],
  [false, 'HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0'],
];
/** Targets of CONNECT, and whether they are served. */
const FAR: readonly (readonly [served: boolean, target: string])[] = [
  [true, 'db:3306'],
  [true, 'DB:3306'],
  [false, 'db:3307'],
  [false, 'other:3306'],
  [false, 'db'],
  [false, 'http://db:3306/'],
];

function make(dice: Dice): Case {
  const bytes = dice.pick([NEXT, '\x81\x05hello', 'x'.repeat(1 + dice.int(5000)), `${NEXT}\0\xff${NEXT}`]);
  const kind = dice.chance(65) ? 'upgrade' : 'connect';
  const ask = kind === 'upgrade' ? dice.int(ASKS.length) : dice.int(FAR.length);
  const answer = dice.int(ANSWERS.length);
  const tunnels = kind === 'upgrade' ? ASKS[ask]![0] && ANSWERS[answer]![0] : FAR[ask]![0];
  return {
    // Where there is no tunnel, what follows has to be a request.
    segments: cut(dice, tunnels ? bytes : NEXT),
    kind,
    ask,
    answer,
    back: dice.pick(['', 'server first', 'y'.repeat(dice.int(5000))]),
    /** Sent with the head, before anybody said yes. */
    early: dice.chance(60),
  };
}

type Place = AsyncDisposable & {
  readonly proxy: TestProxy;
  /** What the scripted origin answers an upgrade with. */
  script: { head: string; back: string };
  /** What came behind the head of an upgrade, at the origin. */
  got: string;
  nexts: number;
};

async function startTunnelPlace(): Promise<Place> {
  const origin = await rawOrigin((socket) => serve(socket, () => place));
  const db = await rawOrigin((socket) => void socket.on('data', (bytes) => socket.write(bytes)));
  const proxy = await startProxy({
    clusters: [cluster('origin'), cluster('db', { protocol: 'tcp' })],
    endpoints: { origin: [endpoint(origin.port)], db: [endpoint(db.port)] },
    listener: {
      forwardProxy: { connect: { 'db:3306': [{ cluster: clusterName('db'), weight: 1 }] }, unknown: 'REGISTRY_ONLY' },
    },
  });
  await proxy.apply({ telemetry: plainTelemetry(0, false) });
  const place: Place = {
    proxy,
    script: { head: '', back: '' },
    got: '',
    nexts: 0,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
    },
  };
  return place;
}

function serve(socket: Socket, placeOf: () => Place): void {
  let buffered = '';
  let tunnel = false;
  socket.on('data', (bytes: Buffer) => {
    const place = placeOf();
    if (tunnel) return void (place.got += bytes.latin1Slice());
    buffered += bytes.latin1Slice();
    for (let end = buffered.indexOf(HEAD_END); end >= 0; end = buffered.indexOf(HEAD_END)) {
      const head = buffered.slice(0, end);
      buffered = buffered.slice(end + HEAD_END.length);
      if (head.startsWith('GET /next ')) {
        place.nexts++;
        socket.write(NEXT_ANSWER);
        continue;
      }
      tunnel = / 101 /.test(place.script.head);
      socket.write(`${place.script.head}${HEAD_END}${tunnel ? place.script.back : ''}`, 'latin1');
      if (tunnel) place.got += buffered;
      if (tunnel) return;
    }
  });
}

async function run(place: Place, input: Case): Promise<Verdict> {
  const { kind, ask, answer, back, early } = input as unknown as {
    kind: 'upgrade' | 'connect';
    ask: number;
    answer: number;
    back: string;
    early: boolean;
  };
  place.got = '';
  place.nexts = 0;
  return kind === 'upgrade'
    ? await runUpgrade(place, input.segments, ASKS[ask]!, ANSWERS[answer]!, back, early)
    : await runConnect(place, input.segments, FAR[ask]!, early);
}

async function runUpgrade(
  place: Place,
  segments: readonly string[],
  [asks, fields]: (typeof ASKS)[number],
  [switches, answer]: (typeof ANSWERS)[number],
  back: string,
  early: boolean,
): Promise<Verdict> {
  place.script = { head: answer, back };
  const head = `GET /chat HTTP/1.1\r\nHost: a\r\n${fields}${HEAD_END}`;
  const sent = segments.join('');
  const tunnels = asks && switches;
  const seen = `upgrade ${fields.replace('\r\n', ', ')}; ${answer.split('\r\n').join(', ')}${early ? '; early' : ''}`;
  const heard = await speak(place.proxy.port, head, segments, early, (text) => {
    if (tunnels) return place.got.length >= sent.length && afterFinalHead(text).length >= back.length;
    return text.endsWith('next');
  });
  if (heard.late) return found(seen, 'a tunnel or an answer is missing', JSON.stringify([heard.text, place.got]));
  if (tunnels) {
    if (place.got !== sent) return found(seen, 'other bytes went through', JSON.stringify(place.got.slice(0, 500)));
    if (afterFinalHead(heard.text) !== back) return found(seen, 'other bytes came back', JSON.stringify(heard.text));
    return place.nexts === 0 ? fine(seen) : found(seen, 'bytes of a tunnel were served', String(place.nexts));
  }
  if (place.nexts !== 1) return found(seen, 'the next request was not served once', JSON.stringify(heard.text));
  if (/^HTTP\/1\.1 101 /m.test(heard.text)) return found(seen, 'a tunnel that nobody agreed on', heard.text);
  return place.got === '' ? fine(seen) : found(seen, 'bytes past a refused upgrade', JSON.stringify(place.got));
}

async function runConnect(
  place: Place,
  segments: readonly string[],
  [served, target]: (typeof FAR)[number],
  early: boolean,
): Promise<Verdict> {
  const head = `CONNECT ${target} HTTP/1.1\r\nHost: ${target.startsWith('http') ? 'db:3306' : target}${HEAD_END}`;
  const sent = segments.join('');
  const seen = `CONNECT ${target}${early ? ', early' : ''}`;
  const heard = await speak(place.proxy.port, head, segments, early, (text) =>
    served ? afterFinalHead(text).length >= sent.length : false,
  );
  if (served) {
    if (heard.late || afterFinalHead(heard.text) !== sent)
      return found(seen, 'a tunnel that loses or changes bytes', JSON.stringify(heard.text.slice(0, 500)));
    return fine(seen);
  }
  if (heard.late) return found(seen, 'a refused CONNECT does not close', JSON.stringify(heard.text));
  if (!/^HTTP\/1\.1 [45]/.test(heard.text) || heard.text.includes('next') || place.nexts > 0)
    return found(seen, 'a refused CONNECT was not the end', JSON.stringify(heard.text));
  return fine(seen);
}

/** What follows the head that is no informational one; "" while it is not there. */
function afterFinalHead(text: string): string {
  let rest = text;
  for (;;) {
    const end = rest.indexOf(HEAD_END);
    if (end < 0) return '';
    const informational = /^HTTP\/1\.1 1(?!01)/.test(rest);
    rest = rest.slice(end + HEAD_END.length);
    if (!informational) return rest;
  }
}

/** Sends `head`, then the segments: at once when `early`, else when something came back. Until `enough`, the end, or 5 s. */
function speak(
  port: number,
  head: string,
  segments: readonly string[],
  early: boolean,
  enough: (text: string) => boolean,
): Promise<{ text: string; late: boolean }> {
  const { promise, resolve } = Promise.withResolvers<{ text: string; late: boolean }>();
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let text = '';
  let over = false;
  let started = early;
  const finish = (late: boolean): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    clearInterval(look);
    socket.destroy();
    resolve({ text, late });
  };
  const timer = setTimeout(() => finish(true), 5000);
  // The other side's part of what is waited for comes without a word to this one.
  const look = setInterval(() => enough(text) && finish(false), 1);
  const write = async (): Promise<void> => {
    for (const segment of segments) {
      if (over) return;
      socket.write(segment, 'latin1');
      if (segments.length > 1) await new Promise((done) => setImmediate(done));
    }
  };
  if (early && segments.length === 1) socket.write(head + segments[0]!, 'latin1');
  else socket.write(head, 'latin1');
  if (early && segments.length > 1) void write();
  socket.on('data', (bytes: Buffer) => {
    text += bytes.latin1Slice();
    if (!started) void write();
    started = true;
  });
  socket.on('error', () => finish(false));
  socket.on('close', () => finish(false));
  return promise;
}

export async function tunnelLane(): Promise<Lane> {
  const place = await startTunnelPlace();
  return {
    name: 'tunnels',
    weight: 7,
    make,
    run: (input) => run(place, input),
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}
