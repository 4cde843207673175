/** What the raw origin can do to a request, by name: good answers, and every way an upstream breaks off or breaks the rules. */
import type { Socket } from 'node:net';

/** The request as far as it has come. `rest`: bytes behind the head that are there already. */
export type Arrived = { readonly head: string; readonly rest: string; /** Of the origin. */ readonly name: string };

export type Behaviour = {
  /** Acts on the head alone, without waiting for the body. */
  readonly early?: true;
  /** `done` lets the next request of the connection in. */
  readonly act: (socket: Socket, request: Arrived, done: () => void) => void;
};

const text = (status: string, body: string, fields: readonly string[] = []): string =>
  [
    'HTTP/1.1 ' + status,
    'content-type: text/plain',
    `content-length: ${body.length}`,
    'x-from: origin',
    ...fields,
    '',
    body,
  ].join('\r\n');

/** Writes `bytes` and keeps the connection. */
const reply = (bytes: string): Behaviour => ({
  act: (socket, _, done) => {
    socket.write(bytes, 'latin1');
    done();
  },
});

/** Writes `bytes`, then closes. */
const replyAndClose = (bytes: string): Behaviour => ({ act: (socket) => void socket.end(bytes, 'latin1') });

export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  ok: {
    act: (socket, { name }, done) => {
      socket.write(text('200 OK', name), 'latin1');
      done();
    },
  },
  'ok-early': {
    early: true,
    act: (socket) => void socket.end(text('200 OK', 'early', ['connection: close']), 'latin1'),
  },
  'status-500': reply(text('500 Internal Server Error', 'boom')),
  'status-503': reply(text('503 Service Unavailable', 'busy')),
  overloaded: reply(text('503 Service Unavailable', 'busy', ['x-envoy-overloaded: true'])),
  'status-unknown': reply(text('299 Odd', 'odd')),
  chunked: reply('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'),
  'chunked-trailers': reply(
    'HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n',
  ),
  'until-close': replyAndClose('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nuntil the end'),
  'http-10': replyAndClose('HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nold'),
  'identity-headers': reply(
    text('200 OK', 'ok', [
      'server: origin/1',
      'date: Mon, 01 Jan 2024 00:00:00 GMT',
      'keep-alive: timeout=5',
      'x-drop: me',
    ]),
  ),

  'close-before-headers': { act: (socket) => void socket.end() },
  'reset-before-headers': { early: true, act: (socket) => void socket.resetAndDestroy() },
  'close-mid-head': replyAndClose('HTTP/1.1 200 OK\r\ncontent-ty'),
  'close-mid-body': replyAndClose('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this'),
  'close-mid-chunked': replyAndClose('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'),
  hang: { act: () => {} },
  'hang-mid-body': { act: (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this') },

  garbage: replyAndClose('this is not HTTP at all\r\n\r\n'),
  'cl-and-te': replyAndClose(
    'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  ),
  'two-lengths': replyAndClose('HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd'),
  'bad-length': replyAndClose('HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\nabc'),
  'bad-chunk': replyAndClose('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n'),
  'nul-in-value': replyAndClose('HTTP/1.1 200 OK\r\nx-a: a\0b\r\ncontent-length: 2\r\n\r\nok'),
  'bad-status': replyAndClose('HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\nok'),
  'big-head': replyAndClose(`HTTP/1.1 200 OK\r\nx-big: ${'a'.repeat(100_000)}\r\ncontent-length: 2\r\n\r\nok`),
  'many-headers': replyAndClose(`HTTP/1.1 200 OK\r\n${'x-a: b\r\n'.repeat(300)}content-length: 2\r\n\r\nok`),
  'bytes-after': reply('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokEXTRA'),

  'hints-103': reply(`HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n${text('200 OK', 'after hints')}`),
  'continue-100': { early: true, act: continueThenAnswer },
  'unasked-100': reply(`HTTP/1.1 100 Continue\r\n\r\n${text('200 OK', 'after 100')}`),
  'unasked-101': reply('HTTP/1.1 101 Switching Protocols\r\nupgrade: foo\r\nconnection: upgrade\r\n\r\nraw bytes'),
  'accept-upgrade': {
    act: (socket) => {
      socket.removeAllListeners('data');
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\nhello from the tunnel',
      );
    },
  },

  'no-content': reply('HTTP/1.1 204 No Content\r\nx-from: origin\r\n\r\n'),
  'no-content-with-length': reply('HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n'),
  'no-content-with-body': replyAndClose('HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok'),
  'not-modified': reply('HTTP/1.1 304 Not Modified\r\netag: "1"\r\ncontent-length: 5\r\n\r\n'),
  'head-length': reply('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n'),
  'head-with-body': replyAndClose('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello'),
};

/** 100 at once, the answer when something of the body came: the shape of a cautious upload endpoint. */
function continueThenAnswer(socket: Socket, { rest }: Arrived): void {
  const answer = (): void => void socket.end(text('200 OK', 'took the body', ['connection: close']), 'latin1');
  socket.write('HTTP/1.1 100 Continue\r\n\r\n');
  socket.removeAllListeners('data');
  if (rest === '') socket.once('data', answer);
  else answer();
}
