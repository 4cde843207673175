/** Requests through the data plane: what is forwarded is what was sent, each once, in order, answered by its own answer, and nothing else is. */
import { methods } from 'node:_http_common';
import { same } from '../conformance/alike.ts';
import { field, readAll } from '../conformance/llhttp.ts';
import type { HeaderList } from '#proxy/core/header-list.ts';
import type { RequestHead } from '#proxy/wire/http1-head.ts';
import { passedOn, readConnection, type ReadConnection, type ReadRequest } from './connection.ts';
import { converse, type Heard } from './converse.ts';
import type { Dice } from './dice.ts';
import { fine, found, textOf, type Case, type Lane, type Verdict } from './lane.ts';
import { hostile, validRequest } from './messages.ts';
import { cut, mutate } from './mutate.ts';
import { echoText, FuzzPlace, styleOf, type Arrived } from './place.ts';

function make(dice: Dice, nth: number): Case {
  const count = 1 + dice.int(4);
  let text = '';
  const hostileAt = dice.chance(55) ? dice.int(count) : -1;
  for (let i = 0; i < count; i++) text += i === hostileAt ? hostile(dice) : validRequest(dice, `c${nth}-${i}`);
  if (dice.chance(45)) text = mutate(dice, text, 1 + dice.int(4));
  const beside = dice.chance(25) ? validRequest(dice, `bg${nth}`) : '';
  return { segments: cut(dice, text), beside };
}

/** How many of the requests are answered, when an origin's answer ends the connection of a client of HTTP/1.0. */
function answered({ requests, end }: ReadConnection): { count: number; end: ReadConnection['end'] } {
  const last = requests.findIndex(({ head, path }) => {
    if (path === null || head.minor === 1) return false;
    return styleOf(passedOn(head, 'x-id') ?? '') === 'chunked' && head.method !== 'HEAD';
  });
  return last < 0 ? { count: requests.length, end } : { count: last + 1, end: 'close' };
}

/** Of the case before: the head of the request whose body was refused. It may reach the origin after its client has been told. */
let abandoned: RequestHead | null = null;

const isStraggler = ({ seen, method }: Arrived, head: RequestHead | null): boolean =>
  head !== null && !seen.complete && method === head.method;

async function run(place: FuzzPlace, input: Case): Promise<Verdict> {
  place.forget();
  const text = input.segments.join('');
  const whole = readConnection(text);
  const { count, end } = answered(whole);
  const model = { ...whole, requests: whole.requests.slice(0, count), end };
  const expect = count + (end === 'refused' ? 1 : 0);
  const asked = model.requests.map(({ head }) => head.method);
  if (end === 'refused') asked.push(model.unfinished?.method ?? 'GET');
  const beside = textOf(input, 'beside');
  const [heard, other] = await Promise.all([
    converse({ port: place.proxy.port, segments: input.segments, methods: asked, expect }),
    beside === '' ? null : bystander(place, beside, false),
  ]);
  const seen = `${model.requests.length} served, then ${end}${model.details === '' ? '' : ` ${model.details}`}`;
  const before = abandoned;
  abandoned = whole.unfinished;
  const arrived = place.own().filter((each) => !isStraggler(each, before));
  const wrong =
    judgeAnswers(model, heard) ?? judgeForwarded(model, arrived, place.broken) ?? other ?? judgeReference(text, model);
  return wrong === null ? fine(seen) : found(seen, ...wrong);
}

type Wrong = readonly [title: string, detail: string];

/** By its method, and small enough to have been kept (REPLAY_BYTES of proxy/pipeline/replay.ts). */
const isSafeToRepeat = (request: string): boolean =>
  /^(?:GET|HEAD|OPTIONS|DELETE) /.test(request) && request.length < 65_536;

/**
 * A well-behaved request at the same time: it must never notice. `closing`: origins close connections without a word, and a request
 * that is not known to be safe to repeat may be lost to that: 503.
 */
export async function bystander(place: FuzzPlace, request: string, closing: boolean): Promise<Wrong | null> {
  const model = readConnection(request);
  const heard = await converse({
    port: place.proxy.port,
    segments: [request],
    methods: model.requests.map(({ head }) => head.method),
    expect: 1,
  });
  if (closing && heard.answers[0]?.status === 503 && !isSafeToRepeat(request)) return null;
  const wrong = judgeAnswers({ ...model, requests: model.requests.slice(0, 1) }, heard);
  return wrong === null ? null : [`beside it ${wrong[0]}`, `${wrong[1]} for ${JSON.stringify(request)}`];
}

function judgeAnswers(model: ReadConnection, heard: Heard): Wrong | null {
  const told = (): string => `${heard.ended} ${JSON.stringify(heard.text.slice(0, 2000))}`;
  if (heard.ended === 'late') return ['an answer or the end is missing', `${model.end}; ${told()}`];
  for (const [k, request] of model.requests.entries()) {
    const answer = heard.answers[k];
    if (answer?.complete !== true) return ['a request got no answer', `number ${k}; ${told()}`];
    const own = field(answer.headers, 'x-origin') === undefined;
    if (request.path === null) {
      if (!own || answer.status < 400) return ['an answer for what is not to be forwarded', `number ${k}; ${told()}`];
      continue;
    }
    if (own) return ['a good request was refused', `number ${k} with ${answer.status}; ${told()}`];
    const id = passedOn(request.head, 'x-id') ?? '';
    const text = request.head.method === 'HEAD' ? '' : echoText(request.head.method, request.path, request.body);
    if (field(answer.headers, 'x-echo-id') !== id || answer.body !== text || answer.status !== 200)
      return ['the answer of another request', `number ${k} should be ${id} ${text}; ${told()}`];
  }
  const more = heard.answers.slice(model.requests.length);
  if (model.end === 'refused') {
    const refusal = more.shift();
    if (refusal === undefined || refusal.status < 400 || field(refusal.headers, 'x-origin') !== undefined)
      return ['what is to be refused was not', `${model.details}; ${told()}`];
    if (field(refusal.headers, 'connection') !== 'close') return ['a refusal that does not close', told()];
  }
  if (more.length > 0) return ['more answers than requests', told()];
  if (heard.error !== null) return ['an answer that is no HTTP', `${heard.error}; ${told()}`];
  if (heard.ended !== 'end') return ['a connection reset without need', told()];
  return null;
}

function judgeForwarded(model: ReadConnection, arrived: readonly Arrived[], broken: readonly string[]): Wrong | null {
  if (broken.length > 0) return ['forwarded in a form that readers differ on', broken[0]!];
  const wanted = model.requests.filter(({ path }) => path !== null);
  const spare = model.unfinished === null ? 0 : 1;
  const list = (): string => JSON.stringify(arrived.map(({ method, seen, id }) => [method, seen.target, id]));
  if (arrived.length < wanted.length || arrived.length > wanted.length + spare)
    return ['not as many forwarded as served', `${wanted.length} served; ${list()}`];
  if (arrived.slice(wanted.length).some(({ seen }) => seen.complete))
    return ['a request forwarded whole that is not whole', list()];
  for (const [k, request] of wanted.entries()) {
    const wrong = differs(request, arrived[k]!);
    if (wrong !== null) return ['forwarded otherwise than sent', `number ${k}: ${wrong}`];
  }
  return null;
}

/** Fields a proxy adds or speaks for itself. */
const ADDED =
  /^(?:host|x-forwarded-(?:for|proto)|x-request-id|x-envoy-.*|x-b3-.*|traceparent|tracestate|b3|transfer-encoding|connection|upgrade|trailer)$/i;

function differs({ head, path, body, target }: ReadRequest, { seen, method }: Arrived): string | null {
  if (method !== head.method) return `method ${method}`;
  if (seen.target !== path) return `target ${seen.target}, not ${path}`;
  if (seen.body !== body) return `body ${JSON.stringify(seen.body.slice(0, 100))}`;
  if (field(seen.headers, 'host') !== target.authority) return `host ${field(seen.headers, 'host')}`;
  const nominated = new Set(head.nominated ?? []);
  const kept = (list: readonly string[], alsoNominated: boolean): HeaderList =>
    list.filter((_, i) => {
      const name = list[i - (i % 2)]!;
      return !ADDED.test(name) && (alsoNominated || !nominated.has(name.toLowerCase()));
    });
  const [sent, came] = [kept(head.headers, false), kept(seen.headers, true)];
  return JSON.stringify(sent) === JSON.stringify(came) ? null : `fields ${JSON.stringify([sent, came])}`;
}

/** llhttp reads the same requests out of the same bytes, as far as it goes. */
function judgeReference(text: string, model: ReadConnection): Wrong | null {
  const llhttp = readAll('request', text);
  for (const [k, { head, body, trailers }] of model.requests.entries()) {
    if (head.method === 'CONNECT' || !methods.includes(head.method)) return null;
    const theirs = llhttp.messages[k];
    if (theirs === undefined && k > 0 && model.requests.slice(0, k).some((r) => r.head.upgrade !== null)) return null;
    // A body that was not waited for is not there to be compared.
    if (k === model.requests.length - 1 && model.requests[k]!.path === null) return null;
    try {
      const first = { ...head, status: 0, body, trailers: [...trailers] };
      const { method, target, minor, headers, status } = first;
      same(
        {
          kind: 'read',
          first: { method, target, minor, headers, status, body, trailers: first.trailers },
          closes: false,
          tunnels: false,
          end: 0,
        },
        theirs,
        llhttp.error,
      );
    } catch (cause) {
      return ['llhttp reads the client otherwise', `number ${k}: ${(cause as Error).message.split('\n', 1)[0]}`];
    }
    if (theirs === undefined || llhttp.messages.length === k + 1) return null;
  }
  return null;
}

export async function requestLane(): Promise<Lane> {
  const place = await FuzzPlace.start();
  return {
    name: 'requests',
    weight: 40,
    make,
    run: (input) => run(place, input),
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}
