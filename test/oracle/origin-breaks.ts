/** An origin that breaks off: after how many bytes of which answer, and how. Each is a behaviour by the name `break <shape> <bytes> <how>`. */
import type { Behaviour } from './origin-behaviours.ts';

export const SHAPES = {
  length: 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789',
  chunked:
    'HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n3\r\nfgh\r\n0\r\nx-sum: 7\r\n\r\n',
  close: 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nuntil the end',
} as const;

export type Break = {
  readonly name: string;
  readonly shape: keyof typeof SHAPES;
  readonly at: number;
  readonly how: 'fin' | 'rst';
};

/** In the status line, in a header, right before and after the end of the head, in the body, right before its end. */
export const BREAKS: readonly Break[] = (Object.keys(SHAPES) as (keyof typeof SHAPES)[]).flatMap((shape) => {
  const text = SHAPES[shape];
  const head = text.indexOf('\r\n\r\n') + 4;
  const body = text.length - head;
  return [1, 12, 30, head - 2, head, head + 1, head + Math.floor(body / 2), text.length - 1].flatMap((at) =>
    (['fin', 'rst'] as const).map((how) => ({ name: `break ${shape} ${at} ${how}`, shape, at, how })),
  );
});

/** So long, ms, that what was written has been read, and passed on, before the end comes. */
const PAUSE = 30;

export const BREAKING: Readonly<Record<string, Behaviour>> = {
  ...Object.fromEntries(
    BREAKS.map(({ name, shape, at, how }): [string, Behaviour] => [
      name,
      {
        act: (socket) => {
          socket.write(SHAPES[shape].slice(0, at), 'latin1');
          setTimeout(() => (how === 'fin' ? socket.end() : socket.resetAndDestroy()), PAUSE);
        },
      },
    ]),
  ),
  'upgrade, then fin': upgradeThen((socket) => void socket.end()),
  'upgrade, then rst': upgradeThen((socket) => void socket.resetAndDestroy()),
};

function upgradeThen(leave: (socket: Parameters<Behaviour['act']>[0]) => void): Behaviour {
  return {
    act: (socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\nhello');
      setTimeout(() => leave(socket), PAUSE);
    },
  };
}
