/** Our data plane in this process between a client and an origin that records, echoes, follows scripts, and reads everything three times. */
import { plainTelemetry } from '#proxy/compile/telemetry.ts';
import { methods } from 'node:_http_common';
import type { Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import { same, sameToUndici } from '../conformance/alike.ts';
import { field, LlhttpReader, type Seen } from '../conformance/llhttp.ts';
import { ourRequest } from '../conformance/ours.ts';
import { endpoint, rawOrigin, startProxy, type TestProxy, type TestProxyOptions } from '../kit/proxy.ts';
import { formFault } from './strict-form.ts';

export type Script = {
  readonly segments: readonly string[];
  readonly end: 'keep' | 'fin' | 'rst';
  /** Plays when the head is here, body or not. */
  readonly early: boolean;
  /** What is said when the answer is long over, and nobody asked; "": nothing. */
  readonly afterwards: string;
};

export type Arrived = {
  readonly id: string;
  readonly seen: Seen;
  /** The method as it was sent. */
  readonly method: string;
};

/** How the origin answers a request that has no script; told by its id, so that it can be told again. */
export type EchoStyle = 'length' | 'chunked' | 'hint' | 'close';

export function styleOf(id: string): EchoStyle {
  const draw = crc32(id) % 20;
  return draw < 12 ? 'length' : draw < 17 ? 'chunked' : draw < 19 ? 'hint' : 'close';
}

/** What the body of an echo says. */
export const echoText = (method: string, path: string, body: string): string =>
  `${method} ${path} ${body.length} ${crc32(Buffer.from(body, 'latin1'))}`;

function echoOf(id: string, method: string, seen: Seen): string {
  const text = echoText(method, seen.target, seen.body);
  const written = method === 'HEAD' ? '' : text;
  const common = `x-origin: o\r\nx-echo-id: ${id}\r\n`;
  const style = styleOf(id);
  const hint = style === 'hint' ? 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' : '';
  if (style !== 'chunked') {
    const close = style === 'close' ? 'Connection: close\r\n' : '';
    return `${hint}HTTP/1.1 200 OK\r\n${common}${close}Content-Length: ${text.length}\r\n\r\n${written}`;
  }
  const half = text.length >> 1;
  const chunks = [text.slice(0, half), text.slice(half)].map((t) => `${t.length.toString(16)}\r\n${t}\r\n`).join('');
  return `HTTP/1.1 200 OK\r\n${common}Transfer-Encoding: chunked\r\n\r\n${method === 'HEAD' ? '' : `${chunks}0\r\n\r\n`}`;
}

export class FuzzPlace implements AsyncDisposable {
  readonly arrived: Arrived[] = [];
  readonly scripts = new Map<string, Script>();
  /** What the origin got and should not have got. */
  readonly broken: string[] = [];
  originPort = 0;
  /** How many times an origin spoke when nobody had asked. */
  saidAfterwards = 0;
  #origin!: AsyncDisposable;
  #proxy: TestProxy | null = null;

  /** The origin alone, for somebody else's proxy. */
  static async startOrigin(): Promise<FuzzPlace> {
    const place = new FuzzPlace();
    const origin = await rawOrigin((socket) => place.#serve(socket));
    place.#origin = origin;
    place.originPort = origin.port;
    return place;
  }

  static async start(options: Omit<TestProxyOptions, 'endpoints'> = {}): Promise<FuzzPlace> {
    const place = await FuzzPlace.startOrigin();
    place.#proxy = await startProxy({ ...options, endpoints: { origin: [endpoint(place.originPort)] } });
    // An hour of access log would fill the disk.
    await place.#proxy.apply({ telemetry: plainTelemetry(0, false) });
    return place;
  }

  get proxy(): TestProxy {
    if (this.#proxy === null) throw new Error('this place has an origin only');
    return this.#proxy;
  }

  /** Requests that belong to the case itself, not to the traffic beside it. */
  own(): Arrived[] {
    return this.arrived.filter(({ id }) => !id.startsWith('bg'));
  }

  /** Waits, for 20 ms at most, until an origin spoke unasked once more than `before` times: it may have been cut off first. */
  async spokeAfterwards(before: number): Promise<void> {
    for (let tries = 0; this.saidAfterwards === before && tries < 20; tries++)
      await new Promise((done) => setTimeout(done, 1));
  }

  forget(): void {
    this.arrived.length = 0;
    this.broken.length = 0;
    this.scripts.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy?.[Symbol.asyncDispose]();
    await this.#origin[Symbol.asyncDispose]();
  }

  #serve(socket: Socket): void {
    let raw = '';
    let reader = new LlhttpReader('request');
    let alias = '';
    let noted = false;
    let played = false;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      const text = bytes.latin1Slice();
      // llhttp knows a list of methods, RFC 9110 section 9.1 does not: it is shown one that it knows.
      if (raw === '') alias = aliasOf(text);
      reader.feed(raw === '' && alias !== '' ? Buffer.from(`PUT${text.slice(alias.length)}`, 'latin1') : bytes);
      raw += text;
      const seen = reader.messages[0];
      if (reader.error !== null) this.broken.push(`${reader.error} at the origin in ${JSON.stringify(raw)}`);
      if (seen === undefined) return;
      const id = field(seen.headers, 'x-id') ?? '';
      const method = alias === '' ? seen.method : alias;
      if (!noted) this.arrived.push({ id, seen, method });
      noted = true;
      const script = this.scripts.get(id);
      if (script?.early === true && !played) {
        played = true;
        this.#play(socket, script);
      }
      if (!seen.complete) return;
      this.#readAgain(raw, alias, seen, reader);
      if (script === undefined) {
        const text = echoOf(id, method, seen);
        if (styleOf(id) === 'close') socket.end(text, 'latin1');
        else socket.write(text, 'latin1');
      } else if (!played) this.#play(socket, script);
      raw = '';
      noted = false;
      played = false;
      reader.close();
      reader = new LlhttpReader('request');
    });
    socket.on('close', () => {
      reader.close();
      if (raw !== '' && ourRequest(raw).kind === 'read')
        this.broken.push(`only our reader sees a whole request in ${JSON.stringify(raw)}`);
    });
  }

  /** Three readers, one meaning, and nothing behind it. */
  #readAgain(raw: string, alias: string, seen: Seen, reader: LlhttpReader): void {
    try {
      const fault = formFault(raw);
      if (fault !== null) throw new Error(`${fault} in the head`);
      const ours = ourRequest(raw);
      // What a proxy adds may be one field too many for the next: limits are each hop's own.
      if (ours.kind === 'refused' && ours.details === 'http1.too_many_headers') return;
      if (ours.kind !== 'read') throw new Error(`our reader: ${JSON.stringify(ours)}`);
      if (ours.end !== raw.length) throw new Error(`${raw.length - ours.end} bytes follow`);
      const shift = alias === '' ? 0 : alias.length - 3;
      if (reader.consumed + shift !== raw.length) throw new Error(`llhttp: stopped at ${reader.consumed}`);
      same(ours, alias === '' ? seen : { ...seen, method: alias }, null);
      sameToUndici(ours, 'request', raw);
    } catch (cause) {
      this.broken.push(`read in two ways, ${(cause as Error).message}: ${JSON.stringify(raw)}`);
    }
  }

  #play(socket: Socket, { segments, end, afterwards }: Script): void {
    void (async () => {
      for (const segment of segments) {
        if (socket.destroyed) break;
        socket.write(segment, 'latin1');
        if (segments.length > 1) await new Promise((done) => setImmediate(done));
      }
      if (afterwards !== '' && !socket.destroyed) {
        await new Promise((done) => setTimeout(done, 3));
        socket.write(afterwards, 'latin1');
        await new Promise((done) => setTimeout(done, 3));
        this.saidAfterwards++;
      }
      if (end === 'fin') socket.end();
      else if (end === 'rst') setImmediate(() => socket.resetAndDestroy());
    })();
  }
}

const METHODS = new Set(methods);

/** The method of the request that `text` begins with, when llhttp does not know it. */
function aliasOf(text: string): string {
  const method = /^[^ ]*/.exec(text)![0];
  return METHODS.has(method) ? '' : method;
}
