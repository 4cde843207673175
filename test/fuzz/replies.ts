/** Responses by grammar: what an origin may say, and some of what it may not. */
import type { Dice } from './dice.ts';
import { chunked } from './messages.ts';

const STATUSES = [
  '200 OK',
  '200 OK',
  '200 OK',
  '201 Created',
  '204 No Content',
  '304 Not Modified',
  '404 Not Found',
  '503 Busy',
  '200 ',
  '200',
  '299 \x80',
] as const;
const INFORMATIONAL = [
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 102 Processing\r\nContent-Length: 5\r\n\r\n',
] as const;
const FIELDS = [
  'X-A: 1',
  'Set-Cookie: a=b',
  'Set-Cookie: c=d',
  'Content-Type: text/html',
  'X-Empty:',
  'Keep-Alive: timeout=5',
  'Connection: keep-alive',
  'Connection: close',
  'Connection: X-A',
  'Date: now',
  'Server: x',
  'Trailer: X-Sum',
  'X-High: \x80',
] as const;

/** A response to `method` that marks itself as the origin's; mostly valid. */
export function response(dice: Dice, method: string): string {
  const flood = dice.chance(3) ? 10 + dice.int(20) : dice.chance(15) ? 1 + dice.int(3) : 0;
  const before = Array.from({ length: flood }, () => dice.pick(INFORMATIONAL)).join('');
  const status = dice.pick(STATUSES);
  const fields = Array.from({ length: dice.int(4) }, () => dice.pick(FIELDS) as string);
  const text = 'hostile origin 0123456789 '.repeat(
    dice.weighted([
      [1, 0],
      [6, 1],
      [2, 30],
      [1, 4000],
    ]),
  );
  const framing = dice.weighted([
    [5, 'length'],
    [4, 'chunked'],
    [2, 'close'],
    [1, 'none'],
  ] as const);
  if (framing === 'length') fields.push(`Content-Length: ${text.length}`);
  if (framing === 'chunked') fields.push('Transfer-Encoding: chunked');
  if (framing === 'none') fields.push('Content-Length: 0');
  const bodiless = method === 'HEAD' || status.startsWith('204') || status.startsWith('304') || framing === 'none';
  const body = bodiless ? '' : framing === 'chunked' ? chunked(dice, text) : text;
  const version = dice.chance(5) ? 'HTTP/1.0' : 'HTTP/1.1';
  return `${before}${version} ${status}\r\nx-origin: o\r\n${fields.map((f) => `${f}\r\n`).join('')}\r\n${body}`;
}
