/** What clients ask for: the well-behaved requests, each of which must be answered right, and the faults that are ordered with them. */
import type { Dice } from '../fuzz/dice.ts';
import { FAULTS, type Fault } from './faults.ts';
import type { Asked } from './judge.ts';

export type Drawn = { readonly asked: Asked; readonly bytes: string };

type Plan = {
  readonly method?: string;
  readonly path?: string;
  readonly fields?: readonly string[];
  readonly body?: string;
  readonly size?: number;
  readonly status?: number;
  readonly version?: string;
  readonly denied?: Asked['denied'];
  readonly fault?: Fault;
  readonly chunked?: boolean;
};

const MEGABYTE = 1_048_576;

/** Kinds by weight; `faults`: a fault may be ordered with it. */
const KINDS: readonly (readonly [weight: number, kind: string, faults: boolean, plan: (dice: Dice) => Plan])[] = [
  [300, 'get', true, (dice) => ({ size: 1 + dice.int(3000) })],
  [60, 'get chunked', true, (dice) => ({ size: 1 + dice.int(60_000), fields: ['x-chunked: 1'] })],
  [6, 'get 1 MB', true, () => ({ size: MEGABYTE })],
  [100, 'post', true, (dice) => ({ method: 'POST', body: 'b'.repeat(dice.int(3000)) })],
  [40, 'post chunked', true, (dice) => ({ method: 'POST', body: 'c'.repeat(dice.int(40_000)), chunked: true })],
  [3, 'put 1 MB', true, () => ({ method: 'PUT', body: 'p'.repeat(MEGABYTE) })],
  [30, 'head', false, () => ({ method: 'HEAD' })],
  [20, '204', false, () => ({ status: 204, fields: ['x-status: 204'] })],
  [20, '304', false, () => ({ status: 304, fields: ['x-status: 304'] })],
  [40, 'header route', true, () => ({ fields: ['end-user: jason'], version: 'v2' })],
  [20, 'denied', false, () => ({ path: '/denied/x', status: 403, denied: 'always' })],
  [20, 'perhaps denied', false, () => ({ path: '/toggle', denied: 'perhaps' })],
  [4, 'hang', false, () => ({ path: '/hang', fault: 'hang' })],
  [40, 'retried', false, (dice) => ({ path: '/retry', fields: ['x-fault-once: 1'], fault: dice.pick(RETRIED) })],
  [10, 'expects', false, () => ({ method: 'POST', body: 'e'.repeat(500), fields: ['Expect: 100-continue'] })],
];

const RETRIED = ['rst-before-head', 'fin-before-head', 'rst-in-head', 'garbage', 'none', 'none'] as const;
/** A hang is a matter of its own route. */
const ORDERED = FAULTS.filter((fault) => fault !== 'hang');
/** Per cent of requests that may have one. */
const FAULT_SHARE = 5;

/** The request number `nth` of a soak. */
export function draw(dice: Dice, nth: number, faults: boolean): Drawn {
  const [, kind, mayFail, plan] = dice.weighted(KINDS.map((entry) => [entry[0], entry] as const));
  const ordered = faults && mayFail && dice.chance(FAULT_SHARE) ? dice.pick(ORDERED) : 'none';
  const drawn = plan(dice);
  return compose(
    kind,
    `s${nth}`,
    faults || drawn.fault === undefined ? { fault: ordered, ...drawn } : { ...drawn, fault: 'none' },
  );
}

export function compose(kind: string, id: string, plan: Plan): Drawn {
  const { method = 'GET', path = '/', fields = [], body = '', size = 200, status = 200, fault = 'none' } = plan;
  const asked: Asked = {
    id,
    kind,
    method,
    path,
    fault,
    body,
    size,
    status,
    version: plan.version ?? null,
    denied: plan.denied ?? 'never',
  };
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: shop.soak', `x-id: ${id}`, `x-size: ${size}`, ...fields];
  if (fault !== 'none') lines.push(`x-fault: ${fault}`);
  if (plan.chunked === true) lines.push('Transfer-Encoding: chunked');
  else if (method === 'POST' || method === 'PUT') lines.push(`Content-Length: ${body.length}`);
  return { asked, bytes: `${lines.join('\r\n')}\r\n\r\n${plan.chunked === true ? inChunks(body) : body}` };
}

function inChunks(body: string): string {
  let out = '';
  for (let at = 0; at < body.length; at += 7000) {
    const chunk = body.slice(at, at + 7000);
    out += `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
  }
  return `${out}0\r\n\r\n`;
}
