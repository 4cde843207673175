/** Bytes changed the way parsers are caught: what stands at their borders put in, taken out, doubled, swapped, moved. */
import type { Dice } from './dice.ts';

const BYTES = [
  ...'\r\n\0 \t:,;="\\/%0a1fFxX-+_#?*.@'.split(''),
  '\x0b',
  '\x0c',
  '\x1b',
  '\x7f',
  '\x80',
  '\x85',
  '\xa0',
  '\xff',
] as const;

const TOKENS = [
  '\r\n',
  '\r\n\r\n',
  '\n\n',
  '\r\r\n',
  '\n\r',
  '\r\n ',
  '\r\n\t',
  '0\r\n\r\n',
  '0\r\n',
  '\r\n0\r\n\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: 4294967301\r\n',
  'Content-Length: 18446744073709551616\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Transfer-Encoding:\x0bchunked\r\n',
  'Transfer-Encoding\x20: chunked\r\n',
  'transfer_encoding: chunked\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive, close\r\n',
  'Connection: x-id\r\n',
  'Connection: Upgrade\r\nUpgrade: websocket\r\n',
  'Upgrade: h2c\r\n',
  'Expect: 100-continue\r\n',
  'Expect: x\r\n',
  'TE: trailers\r\n',
  'Host: b\r\n',
  'X-A: b\r\n',
  ': \r\n',
  ' HTTP/1.1\r\n',
  ' HTTP/1.0\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET http://a/ ',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ';a=b',
  ';a="b\\"c"',
  '%00',
  '%2e%2e%2f',
  '/../',
  '//',
  'FFFFFFFF',
  '00000000000000000005',
  '0x5',
] as const;

/** `text` (latin1) with `times` changes. */
export function mutate(dice: Dice, text: string, times: number): string {
  let out = text;
  for (let i = 0; i < times; i++) out = once(dice, out);
  return out;
}

function once(dice: Dice, text: string): string {
  const at = place(dice, text);
  const to = Math.min(text.length, at + 1 + dice.int(dice.chance(80) ? 4 : 40));
  switch (dice.int(9)) {
    case 0:
    case 1:
      return text.slice(0, at) + dice.pick(BYTES) + text.slice(at);
    case 2:
      return text.slice(0, at) + dice.pick(BYTES) + text.slice(at + 1);
    case 3:
      return text.slice(0, at) + dice.pick(TOKENS) + text.slice(at);
    case 4:
      return text.slice(0, at) + text.slice(to);
    case 5:
      return text.slice(0, to) + text.slice(at, to) + text.slice(to);
    case 6:
      return text.slice(0, at) + flipCase(text.slice(at, to)) + text.slice(to);
    case 7:
      return moveLine(dice, text);
    default:
      return changeNumber(dice, text);
  }
}

/** Often where something begins or ends, else anywhere. */
function place(dice: Dice, text: string): number {
  const from = dice.int(text.length + 1);
  if (dice.chance(50)) return from;
  const border = text.slice(from).search(/[\r\n:;,= ]/);
  return border < 0 ? from : from + border + dice.int(2);
}

const flipCase = (text: string): string =>
  text.replace(/[a-z]/gi, (c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()));

/** One line taken out and put in elsewhere, or doubled. */
function moveLine(dice: Dice, text: string): string {
  const lines = text.split('\r\n');
  const line = lines[dice.int(lines.length)]!;
  if (dice.chance(50)) lines.splice(lines.indexOf(line), 1);
  lines.splice(dice.int(lines.length + 1), 0, line);
  return lines.join('\r\n');
}

function changeNumber(dice: Dice, text: string): string {
  const numbers = [...text.matchAll(/[0-9a-f]{0,4}\d{1,20}/gi)];
  if (numbers.length === 0) return text;
  const { 0: old, index } = dice.pick(numbers);
  const value = dice.pick([
    String(Number.parseInt(old, 10) + 1),
    String(Number.parseInt(old, 10) - 1),
    `0${old}`,
    `+${old}`,
    `-${old}`,
    ` ${old}`,
    `${old} `,
    `${old},${old}`,
    `${old}0`,
    `${old}_0`,
    `0x${old}`,
    '',
    '9007199254740993',
    'FFFFFFFFFFFFFFFF',
  ]);
  return text.slice(0, index) + value + text.slice(index + old.length);
}

/** `text` cut into segments: whole, in some pieces, or (short ones) in single bytes. */
export function cut(dice: Dice, text: string): string[] {
  const how = dice.int(10);
  if (how < 4 || text.length < 2) return [text];
  if (how === 4 && text.length < 400) return text.split('');
  const cuts = Array.from({ length: 1 + dice.int(6) }, () => 1 + dice.int(text.length - 1)).sort((a, b) => a - b);
  return [...new Set([0, ...cuts])].map((from, i, all) => text.slice(from, all[i + 1] ?? text.length));
}
