/** The readers alone, for speed: ours beside both llhttps, and ours in pieces beside ours in one. */
import fc from 'fast-check';
import { hostileResponse } from '../conformance/hostile.ts';
import type { Ours } from '../conformance/ours.ts';
import { requestParity, responseParity } from '../conformance/parity.ts';
import type { Dice } from './dice.ts';
import { fine, found, type Case, type Lane, type Verdict } from './lane.ts';
import { hostile, validRequest } from './messages.ts';
import { mutate } from './mutate.ts';
import { response } from './replies.ts';

function makeRequest(dice: Dice, nth: number): Case {
  const text = dice.chance(50) ? hostile(dice) : validRequest(dice, `p${nth}`);
  return { segments: [mutate(dice, text, dice.int(4))], kind: 'request', method: '' };
}

function makeResponse(dice: Dice): Case {
  const method = dice.chance(80) ? 'GET' : 'HEAD';
  const text = dice.chance(50)
    ? fc.sample(hostileResponse, { seed: dice.u32() | 0, numRuns: 1 })[0]!
    : response(dice, method);
  return { segments: [mutate(dice, text, dice.int(4))], kind: 'response', method };
}

const name = (ours: Ours): string => (ours.kind === 'refused' ? `refused ${ours.details}` : ours.kind);

function run({ segments, kind, method }: Case): Verdict {
  const text = segments.join('');
  try {
    if (kind === 'request') return fine(`request ${name(requestParity(text))}`);
    return fine(`response ${name(responseParity(text, String(method)))}`);
  } catch (cause) {
    const { message } = cause as Error;
    const [first = ''] = message.split('\n', 1);
    // A title for each way to differ: what comes before the message's own colon.
    return found(`${String(kind)} differs`, `${String(kind)} read otherwise, ${first.split(':', 1)[0]}`, first);
  }
}

export function parserLane(): Lane {
  return {
    name: 'parsers',
    weight: 15,
    make: (dice, nth) => (dice.chance(60) ? makeRequest(dice, nth) : makeResponse(dice)),
    run,
    async [Symbol.asyncDispose]() {},
  };
}
