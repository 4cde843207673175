/**
 * Access log formats, linked: text with Envoy's command operators becomes one function of the exchange, once per snapshot.
 * Whatever callers send, a value is one piece of a line: bounded, valid UTF-8, no control characters, no quotes of its own.
 */
import { parseFormat, type FormatPart } from '../core/log-format.ts';
import type { Exchange } from '../live/exchange.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { JsonField, JsonFields } from '../snapshot/telemetry.ts';
import { OPERATORS, type Shown } from './format-operators.ts';
import { cut, jsonString, plainText, quoted, readable } from './hostile-text.ts';
import { WallClock } from './wall-clock.ts';

/** Characters that are shown of one value; a length in the format may make it less. */
const LONGEST = 2048;
/** Of a JSON string that is made of several. */
const LONGEST_JOINED = 16_384;
/** Nested objects and lists deeper than that, and more values than that, are left out. */
const MAX_DEPTH = 16;
const MAX_FIELDS = 500;

/** Values of one operator whose text is kept. */
const KEPT = 500;

type Write = (x: Exchange) => string;

/**
 * `text`: the line as it is, what is missing is `-`. `json`: one JSON value; a number stays one and what is missing is null where the format
 * is one operator and nothing else. A format that cannot be parsed stands for itself (`formatProblem` of core/log-format.ts refuses it before).
 */
export function compileFormat(
  format: string,
  node: ProxyNode,
  use: 'text' | 'json',
  clock: WallClock = new WallClock(),
): Write {
  const parsed = parseFormat(format);
  const parts = typeof parsed === 'string' ? [{ kind: 'text', text: format } as const] : parsed;
  const of = { node, clock };
  if (use === 'text') return asText(parts, of);
  if (parts.length === 1) return asValue(parts[0]!, of);
  return asJoined(parts, of);
}

/** One line, line feed included: an object with the fields in the order they were written (Envoy sorts them). */
export function compileJsonLine(fields: JsonFields, node: ProxyNode, clock: WallClock = new WallClock()): Write {
  let left = MAX_FIELDS;
  const write = value(fields, 0);
  return (x) => `${write(x)}\n`;

  function value(field: JsonField, depth: number): Write {
    left--;
    if (typeof field === 'string') return compileFormat(field, node, 'json', clock);
    if (field === null || typeof field !== 'object' || depth > MAX_DEPTH || left < 0) {
      const fixed = typeof field === 'object' || left < 0 ? 'null' : JSON.stringify(field);
      return () => fixed;
    }
    const list = Array.isArray(field);
    const entries: (readonly [string, Write])[] = Object.entries(field).map(([name, of], i) => [
      `${i === 0 ? '' : ','}${list ? '' : `${jsonString(name, LONGEST)}:`}`,
      value(of, depth + 1),
    ]);
    const [open, close] = list ? ['[', ']'] : ['{', '}'];
    return (x) => {
      let json = open;
      for (const [name, writeIt] of entries) json += name + writeIt(x);
      return json + close;
    };
  }
}

type Of = { readonly node: ProxyNode; readonly clock: WallClock };

function asText(parts: readonly FormatPart[], of: Of): Write {
  const writes: Write[] = [];
  let before = '';
  for (const part of parts) {
    if (part.kind === 'text') before += part.text;
    else if (part.kind === 'absent') before += '-';
    else {
      const { get, kind } = OPERATORS[part.name](part.argument, of);
      writes.push(kind === 'ours' ? trusted(before, get) : escaped(before, get, part.max, kind === 'few'));
      before = '';
    }
  }
  const after = before;
  return (x) => {
    let line = '';
    for (let i = 0; i < writes.length; i++) line += writes[i]!(x);
    return line + after;
  };
}

function trusted(before: string, get: (x: Exchange) => Shown): Write {
  const missing = `${before}-`;
  return (x) => {
    const value = get(x);
    return value === null ? missing : before + value;
  };
}

function escaped(before: string, get: (x: Exchange) => Shown, max: number | null, few: boolean): Write {
  const missing = `${before}-`;
  const limit = Math.min(max ?? LONGEST, LONGEST);
  // Envoy leaves no sign where the format says how long it may be.
  const mark = max !== null && max <= LONGEST ? '' : '…';
  const show = (value: string | number): string =>
    before + (typeof value === 'number' ? value : plainText(value, limit, mark));
  const shown = few ? kept(show) : show;
  return (x) => {
    const value = get(x);
    return value === null ? missing : shown(value);
  };
}

/** Remembers what short values look like. Callers may choose some of them, so all are let go when there are many. */
function kept(show: (value: string | number) => string): (value: string | number) => string {
  const known = new Map<string | number, string>();
  return (value) => {
    let text = known.get(value);
    if (text !== undefined) return text;
    text = show(value);
    if (known.size >= KEPT) known.clear();
    if (typeof value === 'number' || value.length <= 256) known.set(value, text);
    return text;
  };
}

function asValue(part: FormatPart, of: Of): Write {
  if (part.kind !== 'operator') {
    const fixed = part.kind === 'text' ? jsonString(part.text, LONGEST_JOINED) : 'null';
    return () => fixed;
  }
  const { name, argument, max } = part;
  const { get, kind } = OPERATORS[name](argument, of);
  const show = (value: string | number): string => {
    if (typeof value === 'number') return `${value}`;
    return jsonString(max !== null && value.length > max ? cut(value, max) : value, LONGEST);
  };
  const shown = kind === 'few' ? kept(show) : show;
  return (x) => {
    const value = get(x);
    if (value === null) return 'null';
    return kind === 'ours' && typeof value === 'string' ? `"${value}"` : shown(value);
  };
}

function asJoined(parts: readonly FormatPart[], of: Of): Write {
  const writes: Write[] = parts.map((part) => {
    if (part.kind !== 'operator') {
      const fixed = part.kind === 'text' ? part.text : '-';
      return () => fixed;
    }
    const { get } = OPERATORS[part.name](part.argument, of);
    const limit = Math.min(part.max ?? LONGEST, LONGEST);
    return (x) => {
      const value = get(x);
      if (typeof value !== 'string') return `${value ?? '-'}`;
      return readable(value.length > limit ? cut(value, limit) : value);
    };
  });
  return (x) => {
    let text = '';
    for (const write of writes) text += write(x);
    return quoted(text.length > LONGEST_JOINED ? `${text.slice(0, LONGEST_JOINED)}…` : text);
  };
}
