/** Clients that misbehave, each on a connection of its own: what they do must hurt nobody else, and what they still get must be right. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Dice } from '../fuzz/dice.ts';
import { REFUSED } from '../conformance/request-tables.ts';
import type { Caller, Callers, Outcome } from './caller.ts';
import { judge, type Judgement } from './judge.ts';
import { compose, type Drawn } from './kinds.ts';
import type { Fleet } from './origin.ts';

export type Rude = (callers: Callers, fleet: Fleet, dice: Dice, id: string) => Promise<Judgement>;

const LIMIT_MS = 30_000;
const RIGHT: Judgement = { kind: 'right', what: '' };
const MEGABYTE = 1_048_576;

async function leave(caller: Caller, dice: Dice): Promise<void> {
  if (dice.chance(50)) caller.socket.resetAndDestroy();
  else caller.close();
}

/** Sends half of an upload and is gone. */
const vanish: Rude = async (callers, fleet, dice, id) => {
  const { bytes } = compose('', id, { method: 'POST', body: 'v'.repeat(MEGABYTE) });
  const caller = callers.fresh();
  caller.socket.write(bytes.slice(0, 2000 + dice.int(MEGABYTE / 2)), 'latin1');
  await wait(dice.int(60));
  await leave(caller, dice);
  fleet.met.delete(id);
  return RIGHT;
};

/** Takes the beginning of a download and is gone. */
const abort: Rude = async (callers, _, dice, id) => {
  const { bytes } = compose('', id, { size: MEGABYTE });
  const caller = callers.fresh();
  caller.socket.write(bytes);
  await new Promise((done) => caller.socket.once('data', done).once('close', done));
  await leave(caller, dice);
  return RIGHT;
};

/** Says goodbye right behind its request: the proxy may answer or not, but with nothing that is another's. */
const halfClose: Rude = async (callers, fleet, _, id) => {
  const { asked, bytes } = compose('', id, {});
  const caller = callers.fresh();
  const outcome = await caller.ask((socket) => socket.end(bytes), ['GET'], LIMIT_MS);
  const answered = outcome.answers[0]?.complete === true;
  if (outcome.ended === 'late') return { kind: 'wrong', what: 'a half-closed connection was left open' };
  return answered ? judge(asked, outcome, 0, fleet) : RIGHT;
};

/** Reads a megabyte in sips. */
const slowReader: Rude = (callers, fleet, _, id) =>
  alone(callers, fleet, compose('', id, { size: MEGABYTE }), (caller, bytes) => {
    const { socket } = caller;
    socket.write(bytes);
    void (async () => {
      for (let i = 0; i < 20 && !caller.closed; i++) {
        socket.pause();
        await wait(50);
        socket.resume();
        await wait(2);
      }
    })();
  });

/** Writes its body in drops. */
const slowWriter: Rude = (callers, fleet, dice, id) =>
  alone(callers, fleet, compose('', id, { method: 'PUT', body: 'w'.repeat(20_000) }), (caller, bytes) => {
    void (async () => {
      for (let at = 0; at < bytes.length && !caller.closed;) {
        const next = at + 1 + dice.int(4000);
        caller.socket.write(bytes.slice(at, next), 'latin1');
        at = next;
        await wait(40);
      }
    })();
  });

/** Many requests in one write: as many answers, in order. */
const pipeline: Rude = async (callers, fleet, dice, id) => {
  const drawn = Array.from({ length: 2 + dice.int(7) }, (_, i) =>
    compose('', `${id}-${i}`, dice.chance(70) ? {} : { method: 'POST', body: 'x'.repeat(dice.int(500)) }),
  );
  const caller = callers.fresh();
  const methods = drawn.map(({ asked }) => asked.method);
  const outcome = await caller.ask((s) => s.write(drawn.map(({ bytes }) => bytes).join('')), methods, LIMIT_MS);
  caller.close();
  const judged = drawn.map(({ asked }, nth) => judge(asked, outcome, nth, fleet));
  return judged.find(({ kind }) => kind === 'wrong') ?? judged.find(({ kind }) => kind === 'explained') ?? RIGHT;
};

/** Something that must be refused, behind something good. */
const hostile: Rude = async (callers, fleet, dice, id) => {
  const { asked, bytes } = compose('', id, {});
  const [rule, what, bad, status] = dice.pick(REFUSED);
  const caller = callers.fresh();
  const outcome = await caller.ask((s) => s.write(bytes + bad, 'latin1'), ['GET', 'GET'], LIMIT_MS);
  caller.close();
  const first = judge(asked, outcome, 0, fleet);
  if (first.kind !== 'right') return first;
  const refusal = outcome.answers[1];
  // A gateway says 404 to a CONNECT; what matters is that it is no success, and that the origin never saw it.
  if (refusal === undefined || refusal.status < 400)
    return { kind: 'wrong', what: `${rule} ${what}: ${refusal?.status ?? 'nothing'}, not ${status}` };
  return RIGHT;
};

/** Connects, says nothing or half a head, and leaves after a while. */
const silent: Rude = async (callers, _, dice) => {
  const caller = callers.fresh();
  if (dice.chance(50)) caller.socket.write('GET / HTTP/1.1\r\nHost: sh');
  await wait(1000 + dice.int(3000));
  await leave(caller, dice);
  return RIGHT;
};

async function alone(
  callers: Callers,
  fleet: Fleet,
  { asked, bytes }: Drawn,
  write: (caller: Caller, bytes: string) => void,
): Promise<Judgement> {
  const caller = callers.fresh();
  const outcome: Outcome = await caller.ask(() => write(caller, bytes), [asked.method], LIMIT_MS);
  caller.close();
  return judge(asked, outcome, 0, fleet);
}

export const RUDE: Readonly<Record<string, Rude>> = {
  vanish,
  abort,
  'half-close': halfClose,
  'slow reader': slowReader,
  'slow writer': slowWriter,
  pipeline,
  hostile,
  silent,
};
