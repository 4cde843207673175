/** Requests by grammar: valid ones with an id each, and the hostile ones of the conformance suite among them. */
import fc from 'fast-check';
import { hostileRequest } from '../conformance/hostile.ts';
import { ACCEPTED, REFUSED } from '../conformance/request-tables.ts';
import type { Dice } from './dice.ts';

const TARGETS = [
  '/',
  '/a',
  '/a/b?c=d&e',
  '/%41/../x',
  '/./a/./..//b',
  '/a%2fb%5cc',
  '/;p=1',
  '/a/..;x/b/.;y',
  '/a/%2e%2E;/b',
  '//h/x',
  '/?',
  '/a?/../b',
  '/%2e%2e/%2e',
  '/~_.-',
  'http://a/abs?x',
  'http://a',
  'HTTP://A/x',
  `/${'long/'.repeat(300)}`,
] as const;

const FIELDS = [
  'Accept: */*',
  'Cookie: a=b; c="d"',
  'X-A: 1',
  'x-a:2',
  'X-A:\t3 \t',
  'X-Empty:',
  'X-High: \x80\xff',
  `X-Long: ${'v'.repeat(3000)}`,
  'x_under_score: y',
  'Content-Type: text/plain',
  'TE: trailers',
  'Connection: keep-alive',
  'Connection: X-A',
  'Connection: keep-alive, X-Empty',
  'Keep-Alive: timeout=5',
  'Proxy-Connection: close',
  'Via: 1.1 x',
  'X-Forwarded-For: 1.2.3.4',
  'Forwarded: for="[::1]"',
  'Trailer: X-Sum',
  'Upgrade: h2c',
  '__proto__: x',
  'constructor: y',
  "!#$%&'*+-.^_`|~: token",
] as const;

/** A request that any reader takes, with `x-id: id`. */
export function validRequest(dice: Dice, id: string): string {
  const method = dice.weighted([
    [8, 'GET'],
    [6, 'POST'],
    [2, 'PUT'],
    [2, 'HEAD'],
    [1, 'DELETE'],
    [1, 'OPTIONS'],
    [1, 'PATCH'],
    [1, 'PROPFIND'],
    [1, 'X-OWN'],
  ]);
  const old = dice.chance(7);
  const fields = Array.from({ length: dice.int(5) }, () => dice.pick(FIELDS) as string);
  if (dice.chance(4)) fields.push('Connection: close');
  if (dice.chance(3)) fields.push('Connection: Upgrade', 'Upgrade: websocket');
  if (old && dice.chance(50)) fields.push('Connection: keep-alive');
  const upgrades = fields.includes('Upgrade: websocket');
  const bodied = method !== 'GET' && method !== 'HEAD' && !upgrades ? dice.chance(80) : !upgrades && dice.chance(8);
  let body = '';
  if (bodied && (old || dice.chance(50))) {
    body = content(dice);
    fields.push(`Content-Length: ${body.length}`);
  } else if (bodied) {
    body = chunked(dice, content(dice));
    fields.push('Transfer-Encoding: chunked');
  }
  if (bodied && !old && dice.chance(10)) fields.push('Expect: 100-continue');
  fields.push('Host: a', `x-id: ${id}`);
  for (let i = fields.length - 1; i > 0; i--) {
    const j = dice.int(i + 1);
    [fields[i], fields[j]] = [fields[j]!, fields[i]!];
  }
  const target = method === 'OPTIONS' && dice.chance(40) ? '*' : dice.pick(TARGETS);
  return `${method} ${target} HTTP/1.${old ? 0 : 1}\r\n${fields.join('\r\n')}\r\n\r\n${body}`;
}

function content(dice: Dice): string {
  const length = dice.weighted([
    [2, 0],
    [6, 1 + dice.int(40)],
    [2, dice.int(3000)],
    [1, dice.int(100_000)],
  ]);
  const start = dice.pick(['', 'GET /in-body HTTP/1.1\r\nHost: a\r\n\r\n', '0\r\n\r\n', '\r\n']);
  return (start + '0123456789abcdef'.repeat(Math.ceil(length / 16))).slice(0, length);
}

/** `text` in chunks, with extensions and trailers now and then. */
export function chunked(dice: Dice, text: string): string {
  let out = '';
  for (let at = 0; at < text.length;) {
    const n = Math.min(text.length - at, 1 + dice.int(dice.chance(50) ? 8 : text.length));
    const size = `${dice.chance(10) ? '000' : ''}${dice.chance(50) ? n.toString(16) : n.toString(16).toUpperCase()}`;
    const extension = dice.chance(12) ? dice.pick([';a', ';a=b', ';a="b;\\"c"', ';x;y=z']) : '';
    out += `${size}${extension}\r\n${text.slice(at, at + n)}\r\n`;
    at += n;
  }
  const trailers = dice.chance(15)
    ? dice.pick(['X-Sum: 1\r\n', 'Content-Length: 3\r\nX-T: y\r\n', 'Host: evil\r\n'])
    : '';
  return `${out}${dice.chance(5) ? '000' : '0'}${dice.chance(5) ? ';last' : ''}\r\n${trailers}\r\n`;
}

const ALL = [...REFUSED, ...ACCEPTED].map(([, , bytes]) => bytes);
const SHORT = ALL.filter((bytes) => bytes.length < 3000);
/** Those that try the limits: expensive, so rarer. */
const LONG = ALL.filter((bytes) => bytes.length >= 3000);

/** Drawn by fast-check, or out of the conformance tables. */
export function hostile(dice: Dice): string {
  if (dice.chance(50)) return dice.pick(dice.chance(2) ? LONG : SHORT);
  return fc.sample(hostileRequest, { seed: dice.u32() | 0, numRuns: 1 })[0]!;
}
