/** An origin that breaks off at any byte of its answer or of the request: who is told what, once (checklist U1, U4). */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, test } from 'vitest';
import { endpoint, rawOrigin, startProxy } from '../kit/proxy.ts';
import { talk } from './place.ts';
import { told } from './returns-told.ts';

const SHAPES = {
  length: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789',
  chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3;x=1\r\nfgh\r\n0\r\nX-Sum: 7\r\n\r\n',
  close: 'HTTP/1.1 200 OK\r\nX: y\r\n\r\nuntil the end',
} as const;
type Shape = keyof typeof SHAPES;
type How = 'fin' | 'rst';

const leave = (socket: Socket, how: How): void => void (how === 'fin' ? socket.end() : socket.resetAndDestroy());

/** Answers `/length/12/fin` with so many bytes of that shape, then leaves in that way; all else with its target. */
function breakOff(socket: Socket): void {
  let text = '';
  socket.on('data', (bytes: Buffer) => {
    text += bytes.latin1Slice();
    for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
      const [, target = ''] = text.split(' ', 2);
      text = text.slice(end + 4);
      const [, shape, at, how] = target.split('/');
      if (how === undefined) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`);
      else socket.write(SHAPES[shape as Shape].slice(0, Number(at)), 'latin1', () => leave(socket, how as How));
    }
  });
}

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
const WHOLE = '200 - via_upstream';

/** Status, flag and details, as the access log must have them. */
function expected(shape: Shape, at: number, how: How): string {
  const text = SHAPES[shape];
  if (at === 0) return '503 UC upstream_reset_before_response_started{connection_termination}';
  if (at < text.indexOf('\r\n\r\n') + 4) return '502 UPE upstream_reset_before_response_started{protocol_error}';
  if (shape === 'close' ? how === 'fin' : at === text.length) return WHOLE;
  return '200 UPE upstream_reset_after_response_started{protocol_error}';
}

describe('an answer that breaks off', () => {
  for (const shape of Object.keys(SHAPES) as Shape[]) {
    for (const how of ['fin', 'rst'] as const) {
      test(`U4 (${shape}, ${how}) at any byte is told to the client and to the log as what it is`, async () => {
        await using origin = await rawOrigin(breakOff);
        await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
        const wanted = new Map<string, string>();
        for (let at = 0; at <= SHAPES[shape].length; at++) {
          const target = `/${shape}/${at}/${how}`;
          wanted.set(target, expected(shape, at, how));
          const broken = wanted.get(target)!.startsWith('200 UPE');
          // The next request comes on the same connection, and gets its own answer.
          const { answers, ended } = await talk(proxy.port, [get(target) + (broken ? '' : get('/next'))], 2);
          if (broken) {
            assert.equal(ended, 'reset', `${target}: a broken answer must not end well`);
            assert.ok(answers[0]?.complete !== true, target);
          } else {
            assert.equal(String(answers[0]!.status), wanted.get(target)!.slice(0, 3), target);
            assert.deepEqual(
              answers.slice(1).map((a) => a.body),
              ['/next'],
              target,
            );
          }
        }
        const lines = await proxy.log();
        const own = lines.filter((line) => line['path'] !== '/next');
        assert.deepEqual(new Map(own.map((line) => [String(line['path']), told(line)])), wanted);
        assert.equal(own.length, wanted.size, 'one line for each');
        for (const line of own)
          assert.equal(
            line['reason'] !== null,
            told(line) !== WHOLE,
            `${String(line['path'])} has a reason when it failed`,
          );
      });
    }
  }
});
