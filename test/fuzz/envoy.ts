/** The same request to a real Envoy: who of us takes it, who refuses it, and whether that is a difference that is known. */
import { readConnection } from './connection.ts';
import { converse } from './converse.ts';
import type { Dice } from './dice.ts';
import { knownDifference } from './envoy-differences.ts';
import { startEnvoyProcess } from './envoy-process.ts';
import { fine, found, type Case, type Lane, type Verdict } from './lane.ts';
import { hostile, validRequest } from './messages.ts';
import { mutate } from './mutate.ts';
import { FuzzPlace } from './place.ts';

function make(dice: Dice, nth: number): Case {
  const text = dice.chance(50) ? hostile(dice) : validRequest(dice, `e${nth}`);
  return { segments: [dice.chance(60) ? mutate(dice, text, 1 + dice.int(3)) : text] };
}

async function run(place: FuzzPlace, port: number, { segments }: Case): Promise<Verdict> {
  place.forget();
  const text = segments.join('');
  const { requests, end, details } = readConnection(text);
  const first = requests[0];
  if (first === undefined && end !== 'refused') return fine('not a whole request');
  const methods = [first?.head.method ?? 'GET'];
  // Envoy may wait for more where we know better; a good one answers long before.
  const heard = await converse({ port, segments, methods, expect: 1, limitMs: first === undefined ? 60 : 2000 });
  const answer = heard.answers[0];
  const arrived = place.arrived[0];
  const theirs =
    arrived?.seen.complete === true
      ? 'takes'
      : answer === undefined
        ? `says nothing (${heard.ended})`
        : `refuses, ${answer.status} ${answer.body.split('{', 1)[0]!.slice(0, 60)}`;
  if (first === undefined || first.path === null) {
    const ours = first === undefined ? details : 'a reply of its own';
    if (theirs !== 'takes') return fine(`both refuse ${ours}`);
    return classify(`stricter, ${ours}`, text);
  }
  if (theirs !== 'takes') return classify(`kinder, Envoy ${theirs}`, text);
  const { method, seen } = arrived!;
  if (method !== first.head.method) return classify(`another method, ${method}`, text);
  if (seen.target !== first.path) return classify('another target', text, `${seen.target}, not ${first.path}`);
  if (seen.body !== first.body) return classify('another body', text, seen.body.slice(0, 200));
  return fine('both take it');
}

function classify(difference: string, text: string, detail = ''): Verdict {
  const known = knownDifference(difference, text);
  if (known !== null) return fine(difference);
  return found(
    difference,
    `Envoy, unexplained, ${difference.replaceAll(':', ';')}`,
    `${detail} ${JSON.stringify(text.slice(0, 2000))}`,
  );
}

/** Null when Envoy is not installed. */
export async function envoyLane(): Promise<Lane | null> {
  const place = await FuzzPlace.startOrigin();
  const envoy = await startEnvoyProcess(place.originPort);
  if (envoy === null) {
    await place[Symbol.asyncDispose]();
    return null;
  }
  return {
    name: 'envoy',
    weight: 12,
    make,
    async run(input) {
      const verdict = await run(place, envoy.port, input);
      // Envoy may be late with the request of the case before: what is so is so twice.
      return verdict.finding === null ? verdict : await run(place, envoy.port, input);
    },
    async [Symbol.asyncDispose]() {
      await envoy[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}
