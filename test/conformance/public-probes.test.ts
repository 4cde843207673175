/** Public HTTP/1.1 probes against a gateway before an ordinary origin: each stimulus has the answer that scores. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { endpoint, rawOrigin, startProxy } from '../kit/proxy.ts';
import { field } from './llhttp.ts';
import { startPlace, talk, type Place } from './place.ts';
import { PROBES, type Outcome, type Probe } from './probe-table.ts';

let place: Place;
beforeAll(async () => void (place = await startPlace({ listener: { direction: 'gateway' } })));
afterAll(() => place[Symbol.asyncDispose]());

const segments = (send: Probe[1]): readonly string[] => (typeof send === 'string' ? [send] : send);

/** One answer of that status, and mostly the end; the origin has no whole request. */
async function isRefused(send: readonly string[], status: number, closes: boolean): Promise<void> {
  const { answers, error, ended } = await talk(place.proxy.port, send, closes ? Infinity : 1);
  assert.deepEqual([answers.map((a) => a.status), error], [[status], null]);
  assert.equal(ended !== 'open', closes);
  assert.deepEqual(
    place.seen.filter((r) => r.complete),
    [],
  );
}

async function isServed(bytes: string, wanted: Extract<Outcome, { served: true }>): Promise<void> {
  const method = bytes.slice(0, bytes.indexOf(' '));
  const { answers, error, ended } = await talk(place.proxy.port, [bytes], wanted.closes ? Infinity : 1, [method]);
  assert.deepEqual([answers.map((a) => a.status), error, ended], [[200], null, wanted.closes ? 'end' : 'open']);
  assert.notEqual(field(answers[0]!.headers, 'date'), undefined);
  const [seen] = place.seen;
  if (wanted.body !== undefined) assert.equal(seen!.body, wanted.body);
  if (wanted.lacks !== undefined) assert.equal(field(seen!.headers, wanted.lacks), undefined);
}

/** The proxy says nothing of its own accord: what it says comes only after what another connection is told. */
async function waits(bytes: string): Promise<void> {
  const socket = connect({ port: place.proxy.port, host: '127.0.0.1' });
  let heard = '';
  socket.on('data', (chunk: Buffer) => (heard += chunk.latin1Slice()));
  socket.on('close', () => (heard += '(closed)'));
  await new Promise((done) => socket.write(bytes, 'latin1', done));
  for (let i = 0; i < 3; i++) await talk(place.proxy.port, ['GET /canary HTTP/1.1\r\nHost: a\r\n\r\n'], 1);
  assert.equal(heard, '');
  assert.ok(place.seen.every((r) => !r.complete || r.target === '/canary'));
  socket.destroy();
}

test('a method that nobody knows is for the origin to refuse', async () => {
  let head = '';
  await using origin = await rawOrigin((socket) =>
    socket.on('data', (bytes: Buffer) => {
      head += bytes.latin1Slice();
      socket.write('HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n');
    }),
  );
  await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
  const { answers } = await talk(proxy.port, ['FOOBAR / HTTP/1.1\r\nHost: a\r\n\r\n'], 1);
  assert.equal(answers[0]!.status, 501);
  assert.match(head, /^FOOBAR \/ HTTP\/1\.1\r\n/);
});

for (const [group, probes] of PROBES) {
  describe(`of ${group}:`, () => {
    for (const [what, send, outcome] of probes) {
      test(what, async () => {
        place.forget();
        if (outcome === 'waits') await waits(segments(send)[0]!);
        else if (typeof outcome === 'number') await isRefused(segments(send), outcome, true);
        else if ('answered' in outcome) await isRefused(segments(send), outcome.answered, false);
        else await isServed(segments(send)[0]!, outcome);
        assert.deepEqual(place.broken, []);
      });
    }
  });
}
