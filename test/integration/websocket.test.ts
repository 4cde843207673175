/** WebSockets through the proxy are what they are without it: the same bytes, the same good-byes, in the same order (checklist F3, F4, F7). */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { endpoint, startProxy } from '../kit/proxy.ts';
import { closeFrame, frame, OP, play, type Script, type Step } from './websocket-wire.ts';

const direct = async (port: number) => ({ port, async [Symbol.asyncDispose]() {} });
const viaProxy = (port: number) => startProxy({ endpoints: { origin: [endpoint(port)] } });

async function alike(script: Script): Promise<void> {
  const [wanted, got] = await Promise.all([play(script, direct), play(script, viaProxy)]);
  assert.deepEqual(got, wanted);
  assert.ok(![...wanted.client.events, ...wanted.origin.events].includes('silence'), 'the script waits in vain');
}

const c = (what: Step[1]): Step => ['client', what];
const o = (what: Step[1]): Step => ['origin', what];
const unmasked = (op: number, payload: Buffer | string, fin = true): Buffer =>
  frame(op, payload, { fin, masked: false });

/** RFC 6455 section 7.4, and codes that nobody may send: a proxy has no opinion. */
const CODES = [
  null, 0, 1, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016,
  1100, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 65_535,
]; // prettier-ignore

/** How the two connections end once the Close frames are through. */
const ENDS: Readonly<Record<string, readonly (Step | readonly Step[])[]>> = {
  'the origin ends first': [o('fin'), c('fin')],
  'the client ends first': [c('fin'), o('fin')],
  'both end at once': [[c('fin'), o('fin')]],
  'the origin closes': [o('close'), c('close')],
  'the client closes': [c('close'), o('close')],
  'the origin resets': [o('rst')],
  'the client resets': [c('rst')],
};

describe('a close handshake', () => {
  for (const code of CODES) {
    test(`with code ${code ?? 'none'} ends as it does without the proxy, whoever begins`, async () => {
      const mine = closeFrame(code, 'why');
      const theirs = closeFrame(code, 'why', false);
      // Every way to end for some; for the rest, the one that RFC 6455 section 7.1.1 asks for.
      const ends = [null, 1000, 1006, 65_535].includes(code) ? Object.values(ENDS) : [ENDS['the origin ends first']!];
      const scripts = ends.flatMap((end) => [
        { steps: [c(mine), o(theirs), ...end] },
        { steps: [o(theirs), c(mine), ...end] },
        { steps: [[c(mine), o(theirs)], ...end] },
      ]);
      await Promise.all(scripts.map(alike));
    });
  }

  const odd: Readonly<Record<string, Script['steps']>> = {
    'a reason of 123 bytes': [c(closeFrame(1000, 'r'.repeat(123))), o(closeFrame(1000, '', false)), o('fin'), c('fin')],
    'a reason that is too long': [
      c(closeFrame(1000, 'r'.repeat(124))),
      o(closeFrame(1002, '', false)),
      o('fin'),
      c('fin'),
    ],
    'a reason that is no UTF-8': [c(closeFrame(1000, Buffer.from([0xce, 0xba, 0xe1]))), o('fin'), c('fin')],
    'a body of one byte': [c(frame(OP.close, 'x')), o('fin'), c('fin')],
    'a fragmented Close': [c(frame(OP.close, '', { fin: false })), o('close'), c('close')],
    'two Close frames': [c(closeFrame(1000)), c(closeFrame(1001)), o(closeFrame(1000, '', false)), o('fin'), c('fin')],
    'data after Close': [
      c(closeFrame(1000)),
      c(frame(OP.text, 'late')),
      o(closeFrame(1000, '', false)),
      o('fin'),
      c('fin'),
    ],
    'a Ping after Close': [
      o(closeFrame(1000, '', false)),
      o(unmasked(OP.ping, 'late')),
      c(closeFrame(1000)),
      o('fin'),
      c('fin'),
    ],
    'no answer to Close, then a FIN': [c(closeFrame(1000)), c('fin'), o('fin')],
    'no answer to Close, then a reset': [c(closeFrame(1000)), o('rst')],
    'FIN without Close by the client': [c('fin'), o('fin')],
    'FIN without Close by the origin': [o('fin'), c('fin')],
    'a reset without Close by the client': [c('rst')],
    'a reset without Close by the origin': [o('rst')],
    'a half-close, and much that still comes': [
      c(closeFrame(1000)), c('fin'), o(unmasked(OP.binary, Buffer.alloc(300_000, 'x'))), o(closeFrame(1000, '', false)), o('fin'),
    ], // prettier-ignore
    'a half-close by the origin, and much that still comes': [
      o(closeFrame(1000, '', false)), o('fin'), c(frame(OP.binary, Buffer.alloc(300_000, 'x'))), c(closeFrame(1000)), c('fin'),
    ], // prettier-ignore
    'Close and FIN in one segment': [
      [c(closeFrame(1000)), c('fin')],
      [o(closeFrame(1000, '', false)), o('fin')],
    ],
    'both at once, FINs included': [[c(closeFrame(1000)), c('fin'), o(closeFrame(1001, '', false)), o('fin')]],
    'an origin that is gone when the client goes on': [o('close'), c(frame(OP.text, 'late'))],
    'a client that is gone when the origin goes on': [c('close'), o(unmasked(OP.text, 'late'))],
  };
  for (const [what, steps] of Object.entries(odd))
    test(`${what}: nothing is lost, added or put right`, () => alike({ steps }));
});

describe('messages', () => {
  const END: Script['steps'] = [c(closeFrame(1000)), o(closeFrame(1000, '', false)), o('fin'), c('fin')];

  for (const size of [0, 1, 125, 126, 127, 128, 65_535, 65_536, 1_000_000]) {
    test(`of ${size} bytes pass in both directions`, () =>
      alike({
        steps: [c(frame(OP.binary, Buffer.alloc(size, 'x'))), o(unmasked(OP.binary, Buffer.alloc(size, 'x'))), ...END],
      }));
  }

  test('of 16 MB pass in both directions at once', () =>
    alike({
      steps: [
        [c(frame(OP.binary, Buffer.alloc(16_777_216, 'x'))), o(unmasked(OP.binary, Buffer.alloc(16_777_216, 'y')))],
        ...END,
      ],
    }));

  test('in fragments, with pings between them, keep their frames', () =>
    alike({
      steps: [
        c(frame(OP.text, 'one ', { fin: false })),
        c(frame(OP.ping, 'still there?')),
        o(unmasked(OP.pong, 'still there?')),
        c(frame(OP.continuation, 'two ', { fin: false })),
        o(unmasked(OP.ping, '')),
        c(frame(OP.continuation, 'three')),
        c(frame(OP.pong, '')),
        ...END,
      ],
    }));

  test('cut anywhere are the same bytes', () =>
    alike({ steps: [...[...frame(OP.text, 'byte by byte')].map((byte) => c(Buffer.from([byte]))), ...END] }));

  for (const [what, early] of [
    ['the request', { client: frame(OP.text, 'too early') }],
    ['the 101', { origin: unmasked(OP.text, 'welcome') }],
    ['both', { client: frame(OP.text, 'too early'), origin: unmasked(OP.text, 'welcome') }],
    ['both, 40 kB', { client: frame(OP.text, 'x'.repeat(40_000)), origin: unmasked(OP.text, 'y'.repeat(40_000)) }],
  ] as const) {
    test(`sent with ${what} arrive once, first, and in order`, () =>
      alike({ early, steps: [c(frame(OP.text, 'later')), o(unmasked(OP.text, 'later')), ...END] }));
  }

  test('with the 101, and the end right behind them', () =>
    alike({
      early: { origin: Buffer.concat([unmasked(OP.text, 'bye'), closeFrame(1001, '', false)]) },
      steps: [o('fin'), c('fin')],
    }));
});
