/** Whether an outcome is right, an error that something explains, or wrong. Exact: the origins say which fault each try met. */
import { field, type Seen } from '../conformance/llhttp.ts';
import { isCutting, isFatal, type Fault } from './faults.ts';
import type { Outcome } from './caller.ts';
import { HANG_LIMIT } from './configuration.ts';
import { contentOf, receiptOf, type Fleet } from './origin.ts';

/** One request as its client meant it. */
export type Asked = {
  readonly id: string;
  readonly kind: string;
  readonly method: string;
  readonly path: string;
  /** The fault that was asked for. */
  readonly fault: Fault;
  readonly body: string;
  /** Bytes of the answer's body to a GET. */
  readonly size: number;
  /** What a right answer has. */
  readonly status: number;
  /** `v2`: nobody else may answer. */
  readonly version: string | null;
  readonly denied: 'always' | 'perhaps' | 'never';
};

export type Judgement = {
  /** `right`, `explained: …` or `wrong: …`. */
  readonly kind: 'right' | 'explained' | 'wrong';
  readonly what: string;
};

const RIGHT: Judgement = { kind: 'right', what: '' };
const explained = (what: string): Judgement => ({ kind: 'explained', what });
const wrong = (what: string): Judgement => ({ kind: 'wrong', what });

const IDEMPOTENT = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']);
/** A body up to here is kept for another try (proxy/pipeline/replay.ts). */
const REPLAYABLE = 65_536;

/** Judges the answer to `asked` that stands at `nth` in `outcome`; takes what the origins noted of it out of `fleet`. */
export function judge(asked: Asked, outcome: Outcome, nth: number, fleet: Fleet): Judgement {
  const met = fleet.met.get(asked.id) ?? [];
  fleet.met.delete(asked.id);
  const judgement = verdictOf(asked, outcome, nth, met, fleet);
  return judgement.kind === 'wrong' ? wrong(`${judgement.what}; ${evidence(outcome, nth, met)}`) : judgement;
}

/** What somebody who looks for the cause wants to see. */
function evidence({ answers, ended, fromMs, toMs }: Outcome, nth: number, met: readonly Fault[]): string {
  const answer = answers[nth];
  const told =
    answer === undefined
      ? 'no answer'
      : `${answer.complete ? 'whole' : 'part of'} ${answer.status} ${JSON.stringify(answer.headers)} and ${answer.body.length} bytes`;
  return `${told}, ${ended} after ${(toMs - fromMs).toFixed(0)} ms; origins: ${met.join() || 'none'}`;
}

function verdictOf(asked: Asked, outcome: Outcome, nth: number, met: readonly Fault[], fleet: Fleet): Judgement {
  const answer = outcome.answers[nth];
  if (asked.denied === 'always' && met.length > 0) return wrong('a denied request reached an origin');
  if (outcome.error !== null) return wrong(`what came is no HTTP: ${outcome.error}`);
  if (answer === undefined && met.length === 0 && lastSaidClose(outcome, nth))
    return explained('behind an answer that closed the connection');
  if (answer?.complete !== true) return judgeBroken(asked, outcome, met, fleet);
  if (field(answer.headers, 'x-origin') === undefined) return judgeLocal(asked, answer, outcome, met, fleet);
  return judgeRelayed(asked, answer, met);
}

/** The answer before said that none would follow (RFC 9112 section 9.6): the client is to ask again. */
const lastSaidClose = ({ answers, ended }: Outcome, nth: number): boolean =>
  ended === 'end' && nth > 0 && answers.length > 0 && field(answers.at(-1)!.headers, 'connection') === 'close';

function judgeRelayed(asked: Asked, answer: Seen, met: readonly Fault[]): Judgement {
  const id = field(answer.headers, 'x-echo-id');
  if (id !== asked.id) return wrong(`the answer of ${id}`);
  if (asked.denied === 'always') return wrong('a denied request was answered');
  const last = met.at(-1);
  if (isFatal(last)) return wrong(`a whole answer after ${last}`);
  if (asked.version !== null && field(answer.headers, 'x-origin') !== asked.version)
    return wrong(`answered by ${field(answer.headers, 'x-origin')}, not ${asked.version}`);
  if (last === 'busy')
    return answer.status === 503 && answer.body === 'busy' ? explained('busy') : wrong('busy, otherwise');
  if (last === 'early') return answer.status === 413 ? explained('early') : wrong(`early, but ${answer.status}`);
  if (answer.status !== asked.status) return wrong(`status ${answer.status}, not ${asked.status}`);
  const body =
    asked.method === 'HEAD' || asked.status !== 200
      ? ''
      : asked.method === 'GET'
        ? contentOf(asked.id, asked.size)
        : receiptOf(asked.body);
  return answer.body === body ? RIGHT : wrong(`another body: ${answer.body.slice(0, 80)}`);
}

function judgeLocal(asked: Asked, answer: Seen, outcome: Outcome, met: readonly Fault[], fleet: Fleet): Judgement {
  // The proxy protects itself: that is what it says it does, and the summary counts it.
  if (answer.status === 503 && field(answer.headers, 'x-envoy-overloaded') !== undefined)
    return met.length === 0 ? explained('shed: overloaded') : wrong('shed after an origin had it');
  if (answer.status === 403 && asked.denied !== 'never')
    return met.length === 0 ? RIGHT : wrong('denied after an origin had it');
  if (asked.denied === 'always') return wrong(`${answer.status}, not 403`);
  const cause = causeOf(asked, outcome, met, fleet);
  // A busy machine may let the time limit pass before the origin has read the request.
  const limited = asked.path.startsWith('/hang') && outcome.toMs - outcome.fromMs >= HANG_LIMIT - 50;
  if (limited && answer.status === 504) return explained('504 for hang');
  if (cause === null) return wrong(`${answer.status} without a cause`);
  if (cause === 'hang' && answer.status === 504) return wrong('504 before the time limit');
  if (cause === 'hang' && !restarted(asked, outcome, fleet)) return wrong(`${answer.status} for a hanging origin`);
  if (answer.status !== 502 && answer.status !== 503) return wrong(`${answer.status} for ${cause}`);
  return explained(`${answer.status} for ${cause}`);
}

function judgeBroken(asked: Asked, outcome: Outcome, met: readonly Fault[], fleet: Fleet): Judgement {
  if (outcome.ended === 'late') return wrong(`no answer in time (met ${met.join() || 'nobody'})`);
  const cause = causeOf(asked, outcome, met, fleet);
  if (cause === null) return wrong(`cut (${outcome.ended}) without a cause`);
  if (outcome.ended !== 'reset') return wrong(`a broken answer that ends as a whole one (${cause})`);
  if (cause !== 'a restart' && !isCutting(cause)) return wrong(`cut for ${cause}, which could have been told`);
  return explained(`cut for ${cause}`);
}

/** Only the last version restarts, and not every route leads to it. */
const restarted = ({ version, path }: Asked, { fromMs, toMs }: Outcome, fleet: Fleet): boolean =>
  version === null && !path.startsWith('/retry') && fleet.restartedWithin(fromMs, toMs);

/** What went wrong behind the proxy in the time of this request; null: nothing. */
function causeOf(asked: Asked, outcome: Outcome, met: readonly Fault[], fleet: Fleet): string | null {
  const last = met.at(-1);
  if (last !== undefined && (isFatal(last) || last === 'early')) return last;
  if (restarted(asked, outcome, fleet)) return 'a restart';
  const repeatable = IDEMPOTENT.has(asked.method) && asked.body.length <= REPLAYABLE;
  // Nothing proves that the server had not read it (RFC 9110 section 9.2.2).
  if (!repeatable && fleet.closedIdleAt > outcome.fromMs - 200) return 'a closed idle connection';
  return null;
}
