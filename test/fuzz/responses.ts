/** A hostile origin: its answer reaches the client right, as an error, or visibly broken, and no later request gets anything of it. */
import { field } from '../conformance/llhttp.ts';
import { ourResponse } from '../conformance/ours.ts';
import { converse, type Heard } from './converse.ts';
import type { Dice } from './dice.ts';
import { fine, found, textOf, type Case, type Lane, type Verdict } from './lane.ts';
import { validRequest } from './messages.ts';
import { cut, mutate } from './mutate.ts';
import { echoText, FuzzPlace, type Script } from './place.ts';
import { response } from './replies.ts';
import { bystander } from './requests.ts';

function make(dice: Dice, nth: number): Case {
  const method = dice.weighted([
    [6, 'GET'],
    [2, 'HEAD'],
    [3, 'POST'],
  ]);
  let text = response(dice, method);
  if (dice.chance(40)) text = mutate(dice, text, 1 + dice.int(3));
  if (dice.chance(20)) text += dice.pick(['x', '\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison', '\0']);
  if (dice.chance(35)) text = text.slice(0, dice.int(text.length + 1));
  const ask = {
    method,
    length: method === 'POST' ? dice.int(2000) : 0,
    // How much of the body is sent before the answer is waited for.
    part: dice.chance(30) ? 0.5 : 1,
  };
  const end = dice.pick(['fin', 'rst', 'keep']);
  const afterwards = dice.chance(5) ? POISON : '';
  const beside = dice.chance(25) ? validRequest(dice, `bg${nth}`) : '';
  return {
    segments: cut(dice, text),
    id: `r${nth}`,
    ask,
    end,
    early: dice.chance(30),
    pipelined: dice.chance(50),
    beside,
    afterwards,
  };
}

const POISON = 'HTTP/1.1 200 OK\r\nx-origin: o\r\nContent-Length: 6\r\n\r\npoison';

type Model = {
  readonly kind: 'whole' | 'bad' | 'incomplete';
  readonly status: number;
  readonly body: string;
  /** Index behind the message. */
  readonly end: number;
  /** The message ends with the connection only. */
  readonly untilClose: boolean;
  readonly why: string;
};

/** More of these before the final answer are refused (MAX_INFORMATIONAL of proxy/upstream/http1.ts). */
const MAX_INFORMATIONAL = 16;

/** What `text` says by our own reader, informational answers skipped. */
function readResponse(text: string, method: string): Model {
  let rest = text;
  for (let informational = 0; ; informational++) {
    const ours = ourResponse(rest, method);
    const none = { status: 0, body: '', end: text.length, untilClose: false };
    if (ours.kind === 'refused') return { kind: 'bad', ...none, why: ours.details };
    if (ours.kind === 'incomplete') return { kind: 'incomplete', ...none, why: 'incomplete' };
    const { status, body } = ours.first;
    if (status >= 200) {
      const untilClose = ourResponse(`${rest}x`, method).kind === 'read' && ours.end === rest.length;
      const longer = untilClose ? ourResponse(`${rest}x`, method) : ours;
      const grew = longer.kind === 'read' && longer.first.body.length > body.length;
      const end = text.length - rest.length + ours.end;
      return { kind: 'whole', status, body, end, untilClose: grew, why: grew ? 'until close' : 'framed' };
    }
    if (status === 101) return { kind: 'bad', ...none, why: 'a 101 nobody asked for' };
    if (informational >= MAX_INFORMATIONAL) return { kind: 'bad', ...none, why: 'a flood of 1xx' };
    rest = rest.slice(ours.end);
  }
}

/** What follows a message comes with its end: whoever sends it later races the next request, and no reader could tell the two apart. */
function together(segments: readonly string[], messageEnd: number): readonly string[] {
  const text = segments.join('');
  if (messageEnd >= text.length) return segments;
  const before: string[] = [];
  let at = 0;
  for (const segment of segments) {
    if (at + segment.length >= messageEnd) break;
    before.push(segment);
    at += segment.length;
  }
  return [...before, text.slice(at)];
}

type Asked = { readonly method: string; readonly length: number; readonly part: number };

async function run(place: FuzzPlace, input: Case): Promise<Verdict> {
  place.forget();
  const { id, ask, early, pipelined, segments } = input as unknown as {
    id: string;
    ask: Asked;
    early: boolean;
    pipelined: boolean;
    segments: string[];
  };
  const model = readResponse(segments.join(''), ask.method);
  // Silence would be waited for: what is not whole, or ends with the connection, ends it.
  const wanted = input['end'] as Script['end'];
  const end = wanted === 'keep' && (model.kind !== 'whole' || model.untilClose) ? 'fin' : wanted;
  // Half a body is never followed by the rest: only an early answer can come then.
  const part = early ? ask.part : 1;
  // Only to a connection that is kept, and only when no other request could be on its way: the two cannot be told apart then.
  const afterwards = end === 'keep' && model.end === segments.join('').length ? textOf(input, 'afterwards') : '';
  place.scripts.set(id, { segments: together(segments, model.end), end, early, afterwards });
  const body = 'b'.repeat(ask.length);
  const length = ask.method === 'POST' ? `Content-Length: ${ask.length}\r\n` : '';
  const first = `${ask.method} /${id} HTTP/1.1\r\nHost: a\r\nx-id: ${id}\r\n${length}\r\n${body.slice(0, Math.floor(body.length * part))}`;
  const next = `GET /next HTTP/1.1\r\nHost: a\r\nx-id: ${id}-next\r\n\r\n`;
  const both = pipelined && part === 1 && afterwards === '';
  const beside = afterwards === '' ? textOf(input, 'beside') : '';
  const spoken = place.saidAfterwards;
  const [heard, other] = await Promise.all([
    converse({
      port: place.proxy.port,
      segments: [both ? first + next : first],
      methods: [ask.method, 'GET'],
      expect: both ? 2 : 1,
    }),
    beside === '' ? null : bystander(place, beside, true),
  ]);
  if (afterwards !== '') await place.spokeAfterwards(spoken);
  const canary = await converse({
    port: place.proxy.port,
    segments: [`GET /canary HTTP/1.1\r\nHost: a\r\nx-id: ${id}-canary\r\n\r\n`],
    methods: ['GET'],
    expect: 1,
  });
  const seen = `${model.why}, ${end}${early ? ', early' : ''}: ${heard.answers[0]?.complete === true ? heard.answers[0].status : heard.ended}`;
  const wrong =
    judgeFirst(model, end, heard) ??
    judgeNext(heard, both, id) ??
    judgeClose(heard, Math.floor(body.length * part) < body.length) ??
    judgeEcho(canary.answers[0], '/canary', `${id}-canary`, canary) ??
    other ??
    (place.broken.length > 0 ? (['forwarded in a form that readers differ on', place.broken[0]!] as const) : null);
  return wrong === null ? fine(seen) : found(seen, ...wrong);
}

type Wrong = readonly [title: string, detail: string];

const told = (heard: Heard): string => `${heard.ended} ${heard.error} ${JSON.stringify(heard.text.slice(0, 1000))}`;

function judgeFirst(model: Model, end: Script['end'], heard: Heard): Wrong | null {
  const answer = heard.answers[0];
  if (heard.ended === 'late') return ['an answer or the end is missing', `${model.why}; ${told(heard)}`];
  if (answer?.complete !== true) {
    // A reset may overtake what came before it, also what was whole.
    if (model.kind === 'whole' && end !== 'rst') return ['a whole answer was lost', told(heard)];
    return heard.ended === 'reset' ? null : ['a broken answer ends as a whole one would', told(heard)];
  }
  const own = field(answer.headers, 'x-lateen-reason') !== undefined;
  if (own && (answer.status === 502 || answer.status === 503)) {
    const resetInTime = end === 'rst' || (model.kind === 'whole' && model.untilClose && end !== 'fin');
    return model.kind === 'whole' && !resetInTime ? ['a whole answer became an error', told(heard)] : null;
  }
  if (model.kind !== 'whole') return ['a bad answer passes for a good one', `${model.why}; ${told(heard)}`];
  if (model.untilClose && end === 'rst') return ['a reset passes for the end of an answer', told(heard)];
  if (answer.status !== model.status || answer.body !== model.body)
    return ['an answer was changed', `${model.status} ${JSON.stringify(model.body.slice(0, 200))}; ${told(heard)}`];
  return null;
}

function judgeNext(heard: Heard, both: boolean, id: string): Wrong | null {
  const [first, second] = heard.answers;
  if (heard.answers.length > (both ? 2 : 1)) return ['more answers than requests', told(heard)];
  if (!both || first?.complete !== true) return null;
  if (second !== undefined) return judgeEcho(second, '/next', `${id}-next`, heard);
  return field(first.headers, 'connection') === 'close' ? null : ['the next request got no answer', told(heard)];
}

/** Half a request was answered: nothing can follow it, and the answer says so (RFC 9112 section 9.6). */
function judgeClose(heard: Heard, half: boolean): Wrong | null {
  const first = heard.answers[0];
  if (!half || first?.complete !== true || field(first.headers, 'connection') === 'close') return null;
  return ['a connection ends without a word', told(heard)];
}

function judgeEcho(answer: Heard['answers'][0] | undefined, path: string, id: string, heard: Heard): Wrong | null {
  if (answer?.complete !== true) return ['the next request got no answer', `${path}; ${told(heard)}`];
  const right = field(answer.headers, 'x-echo-id') === id && answer.body === echoText('GET', path, '');
  return right ? null : ['the next request got another’s bytes', `${path}; ${told(heard)}`];
}

export async function responseLane(): Promise<Lane> {
  const place = await FuzzPlace.start();
  return {
    name: 'responses',
    weight: 30,
    make,
    run: (input) => run(place, input),
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}
