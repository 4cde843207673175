/** Sends bytes as they are and reads answers by their framing, so that what a proxy does on the wire can be compared. */
import { connect, type Socket } from 'node:net';

export type RawReply = {
  /** The status line, without its line end. */
  readonly statusLine: string;
  readonly status: number;
  /** Names in lower case, in the order they came. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** False when the body broke off before its end. */
  readonly complete: boolean;
};

export type RawExchange = {
  readonly replies: readonly RawReply[];
  /** Whether the proxy closed the connection, and how. */
  readonly end: 'open' | 'closed' | 'reset';
  /** `address:port` of the client's end, by which the access log names it. */
  readonly from: string;
  /** Bytes that are no answer: what a tunnel said, or a broken end. */
  readonly rest: string;
};

export type RawRequest = {
  /** Written one after the other; a function waits until it is true of what has come back so far. */
  readonly bytes: readonly (string | ((received: string) => boolean))[];
  /** The method of each request, for how its answer is framed. */
  readonly methods: readonly string[];
  /** Stop after this many answers (1xx not counted); `end`: when the connection closes. */
  readonly expect: number | 'end';
  /** Milliseconds of silence after the last expected answer that tell "open" from "closed". */
  readonly linger: number;
  /** Milliseconds after which to give up. */
  readonly limit: number;
};

/** Connects to host:port and carries out `request`; never rejects. */
export function exchange(host: string, port: number, request: RawRequest): Promise<RawExchange> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true });
    const so = { received: '', from: '', end: 'open' as RawExchange['end'], written: 0 };
    let quiet: NodeJS.Timeout | undefined;
    const limit = setTimeout(finish, request.limit);

    socket.setEncoding('latin1');
    socket.on('connect', () => {
      so.from = `${socket.localAddress ?? ''}:${socket.localPort ?? 0}`;
      so.written = writeWhatMayGo(socket, request.bytes, so.written, so.received);
    });
    socket.on('data', (chunk: Buffer | string) => {
      so.received += String(chunk);
      so.written = writeWhatMayGo(socket, request.bytes, so.written, so.received);
      clearTimeout(quiet);
      // Answers enough: wait a moment for the proxy to close, if it wants to.
      if (isEnough(so.received, request)) quiet = setTimeout(finish, request.linger);
    });
    socket.on('end', () => ended('closed'));
    socket.on('error', () => ended('reset'));

    function ended(how: RawExchange['end']): void {
      so.end = how;
      finish();
    }
    function finish(): void {
      clearTimeout(limit);
      clearTimeout(quiet);
      socket.destroy();
      resolve({ ...parseReplies(so.received, request.methods, so.end !== 'open'), end: so.end, from: so.from });
    }
  });
}

function isEnough(received: string, { expect, methods }: RawRequest): boolean {
  if (expect === 'end') return false;
  const { replies } = parseReplies(received, methods, false);
  return replies.filter((r) => r.status >= 200 && r.complete).length >= expect || replies.some((r) => r.status === 101);
}

function writeWhatMayGo(socket: Socket, bytes: RawRequest['bytes'], from: number, received: string): number {
  let at = from;
  for (; at < bytes.length; at++) {
    const part = bytes[at]!;
    if (typeof part === 'string') socket.write(part, 'latin1');
    else if (!part(received)) break;
  }
  return at;
}

/** Cuts `received` into answers; `closed` ends a body that has no other end. */
export function parseReplies(
  received: string,
  methods: readonly string[],
  closed: boolean,
): { replies: RawReply[]; rest: string } {
  const replies: RawReply[] = [];
  let rest = received;
  let answered = 0;
  while (rest !== '') {
    const reply = parseReply(rest, methods[answered] ?? 'GET', closed);
    if (reply === null) break;
    replies.push(reply);
    if (reply.status >= 200) answered++;
    rest = rest.slice(reply.length);
    if (reply.status === 101 || !reply.complete) break;
  }
  return { replies, rest };
}

function parseReply(text: string, method: string, closed: boolean): (RawReply & { length: number }) | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0 || !text.startsWith('HTTP/')) return null;
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const status = Number(statusLine.split(' ')[1]);
  const start = end + 4;
  const of = (name: string): string | undefined => fields.find(([n]) => n === name)?.[1];
  const body = bodyOf(text.slice(start), {
    none:
      status < 200 || status === 204 || status === 304 || method === 'HEAD' || (method === 'CONNECT' && status < 300),
    chunked: of('transfer-encoding') === 'chunked',
    length: of('content-length'),
    closed,
  });
  return { statusLine, status, fields, body: body.body, complete: body.complete, length: start + body.length };
}

type Framing = { none: boolean; chunked: boolean; length: string | undefined; closed: boolean };

function bodyOf(
  text: string,
  { none, chunked, length, closed }: Framing,
): { body: string; length: number; complete: boolean } {
  if (none) return { body: '', length: 0, complete: true };
  if (chunked) return dechunk(text);
  if (length === undefined) return { body: text, length: text.length, complete: closed };
  const n = Number(length);
  return { body: text.slice(0, n), length: Math.min(n, text.length), complete: text.length >= n };
}

function dechunk(text: string): { body: string; length: number; complete: boolean } {
  let body = '';
  let at = 0;
  for (;;) {
    const eol = text.indexOf('\r\n', at);
    if (eol < 0) return { body, length: text.length, complete: false };
    const size = Number.parseInt(text.slice(at, eol), 16);
    if (size === 0) {
      const end = text.startsWith('\r\n', eol + 2) ? eol + 2 : text.indexOf('\r\n\r\n', eol + 2) + 2;
      return end < eol + 2 ? { body, length: text.length, complete: false } : { body, length: end + 2, complete: true };
    }
    body += text.slice(eol + 2, eol + 2 + size);
    at = eol + 2 + size + 2;
    if (at > text.length) return { body, length: text.length, complete: false };
  }
}
