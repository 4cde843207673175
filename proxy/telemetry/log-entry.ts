/**
 * Lines of logs that the configuration defines, as Mixer's stdio adapter wrote them: level, time, name of the instance, then the fields.
 * JSON: `{"level":"warn","ts":"2017-09-21T04:33:31.249Z","instance":"newlog.logentry.istio-system","destination":"details",…}`.
 * Text: time, level and name between tabs, then the fields as JSON.
 */
import type { Exchange } from '../live/exchange.ts';
import type { Expression } from '../core/expression.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { LogFormat } from '../snapshot/telemetry.ts';
import { linkExpression } from './by-caller.ts';
import type { Evaluate, Value } from './evaluate.ts';
import { jsonString, withoutSecrets } from './hostile-text.ts';
import { WallClock } from './wall-clock.ts';

/** Longest shown of a value, characters: what an attacker may make us write is bounded. */
const MAX_TEXT = 2048;

/** A text that is the same for every request, or one that is worked out. */
type Piece = string | Evaluate;

/** Makes lines, line feed included. Whatever callers write into a value, a line stays one line, and its JSON readable. */
export function entryLine(
  format: LogFormat & { readonly kind: 'entry' },
  node: ProxyNode,
  clock: WallClock = new WallClock(),
): (x: Exchange) => string {
  const { instance, level, json, fields } = format;
  const name = jsonString(instance, MAX_TEXT);
  const word = piece(level, node, clock);
  const time: Evaluate = (x) => clock.iso(x.startMs);
  const body = fields.flatMap(([field, e], i) => [
    `${i === 0 ? '' : ','}${jsonString(field, MAX_TEXT)}:`,
    piece(e, node, clock),
  ]);
  return json
    ? joined(['{"level":', word, ',"ts":', time, `,"instance":${name}${body.length === 0 ? '' : ','}`, ...body, '}\n'])
    : textLine(time, word, joined([`\t${unquoted(name)}\t{`, ...body, '}\n']));
}

function textLine(time: Evaluate, word: Piece, rest: (x: Exchange) => string): (x: Exchange) => string {
  return (x) => `${time(x)}\t${unquoted(typeof word === 'string' ? word : shown(word(x)))}${rest(x)}`;
}

const unquoted = (json: string): string => json.replaceAll('"', '');

function piece(e: Expression, node: ProxyNode, clock: WallClock): Piece {
  return e.kind === 'value' ? shown(e.value) : linkExpression(e, node, clock);
}

/** One concatenation; texts beside each other are one. */
function joined(pieces: readonly Piece[]): (x: Exchange) => string {
  const merged: Piece[] = [];
  for (const next of pieces) {
    const last = merged.at(-1);
    if (typeof next === 'string' && typeof last === 'string') merged[merged.length - 1] = last + next;
    else merged.push(next);
  }
  return (x) => {
    let text = '';
    for (let i = 0; i < merged.length; i++) {
      const next = merged[i]!;
      text += typeof next === 'string' ? next : shown(next(x));
    }
    return text;
  };
}

/** As JSON. Values of queries that look like credentials are left out, as in every log. */
function shown(value: Value): string {
  switch (typeof value) {
    case 'string':
      return jsonString(withoutSecrets(value.length > MAX_TEXT ? value.slice(0, MAX_TEXT + 1) : value), MAX_TEXT);
    case 'number':
      return Number.isFinite(value) ? `${value}` : 'null';
    case 'boolean':
      return value ? 'true' : 'false';
    default:
      return 'null';
  }
}
