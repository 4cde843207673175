/** Mixer's expressions → ours, with their types. */
import type { Expression as Written } from '../istio/mixer-expression.ts';
import { argumentsOf, readTime, typeOf } from '../istio/mixer-type.ts';
import type { ValueType } from '../istio/mixer-vocabulary.ts';
import { parseDuration } from '../core/duration.ts';
import { call, literal, MISSING, type Expression } from '../core/expression.ts';
import { attributeExpression, entryExpression, type ReporterView } from './mixer-telemetry-attribute.ts';

export type Compiled = {
  readonly expression: Expression;
  readonly type: ValueType;
  /** It is there for every request and connection. */
  readonly certain: boolean;
};

/** `e` has passed the type check. */
export function compileWritten(e: Written, view: ReporterView): Compiled {
  const type = typeOf(e);
  const expression = compile(e, type, view, false);
  return { expression, type, certain: isCertain(expression) };
}

/** Whether the author tells the two sides of a hop apart. */
export function asksReporter(e: Written): boolean {
  switch (e.kind) {
    case 'attribute':
      return e.name === 'context.reporter.kind' || e.name === 'context.reporter.uid';
    case 'index':
    case 'not':
      return asksReporter(e.of);
    case 'call':
      return argumentsOf(e).some(asksReporter);
    case 'string':
    case 'number':
    case 'bool':
      return false;
    default:
      return asksReporter(e.left) || asksReporter(e.right);
  }
}

/** As labels and lines show it: durations in Go's form, times in RFC 3339's; what else is no text keeps its type. */
export function asText({ expression, type }: Compiled): Expression {
  if (type === 'duration') return call('duration-text', expression);
  return type === 'time' ? call('time-text', expression) : expression;
}

/** As the prometheus adapter took a value: durations in seconds, texts as the number they spell. Null: no number. */
export function asNumber({ expression, type }: Compiled): Expression | null {
  switch (type) {
    case 'int':
    case 'double':
      return expression;
    case 'duration':
      return call('div', expression, literal(1000));
    case 'string':
      return call('number', expression);
    default:
      return null;
  }
}

/** `wanted`: what the surroundings take it for, so that `"0ms"` can be a duration. `kept`: left of a `|`, where a missing entry counts. */
function compile(e: Written, wanted: ValueType, view: ReporterView, kept: boolean): Expression {
  switch (e.kind) {
    case 'string':
      return literal(constant(e.value, wanted));
    case 'number':
    case 'bool':
      return literal(e.value);
    case 'attribute':
      return attributeExpression(e.name, view) ?? MISSING;
    case 'index': {
      const entry = e.of.kind === 'attribute' ? entryExpression(e.of.name, e.key, view) : MISSING;
      // To Mixer an entry that is not in a map is the empty text, but for what stands left of a `|`.
      if (kept || entry === null) return entry ?? MISSING;
      return entry.kind === 'value' ? entry : call('else', entry, literal(''));
    }
    case 'else': {
      const parts = [compile(e.left, wanted, view, true), compile(e.right, wanted, view, kept)];
      const flat = parts.flatMap((p) => (p.kind === 'call' && p.op === 'else' ? p.args : [p]));
      // What comes behind a literal is never asked.
      const last = flat.findIndex((p) => p.kind === 'value');
      const asked = last < 0 ? flat : flat.slice(0, last + 1);
      return asked.length === 1 ? asked[0]! : call('else', ...asked);
    }
    case 'not':
      return call('not', compile(e.of, 'bool', view, false));
    case 'and':
    case 'or':
      return call(e.kind, compile(e.left, 'bool', view, false), compile(e.right, 'bool', view, false));
    case 'eq':
    case 'ne': {
      const type = typeOf(e.left) === 'string' && e.left.kind === 'string' ? typeOf(e.right) : typeOf(e.left);
      return call(e.kind, compile(e.left, type, view, false), compile(e.right, type, view, false));
    }
    case 'add':
      return call('add', compile(e.left, 'string', view, false), compile(e.right, 'string', view, false));
    case 'call':
      return compileCall(e, wanted, view);
  }
}

function constant(text: string, wanted: ValueType): string | number {
  if (wanted === 'duration') return parseDuration(text) ?? 0;
  if (wanted === 'time') return readTime(text) ?? 0;
  return text;
}

function compileCall(
  e: Extract<Written, { readonly kind: 'call' }>,
  wanted: ValueType,
  view: ReporterView,
): Expression {
  const [a, b, c] = argumentsOf(e);
  const text = (of: Written | undefined): Expression =>
    of === undefined ? MISSING : compile(of, 'string', view, false);
  switch (e.name) {
    case 'match':
      return matched(text(a), b?.kind === 'string' ? b.value : '');
    case 'matches':
      return call('matches', text(b), text(a));
    case 'startsWith':
      return call('starts-with', text(a), text(b));
    case 'endsWith':
      return call('ends-with', text(a), text(b));
    case 'conditional':
      return call(
        'if',
        compile(a!, 'bool', view, false),
        compile(b!, wanted, view, false),
        compile(c!, wanted, view, false),
      );
    case 'toLower':
      return call('lower', text(a));
    case 'size':
      return call('size', text(a));
    case 'timestamp':
      return compile(a!, 'time', view, false);
    case 'email':
    case 'dnsName':
    case 'uri':
    case 'ip':
      return text(a);
    default:
      return MISSING;
  }
}

/** `match(text, "x*")`: a star at the end or at the beginning stands for anything. */
function matched(text: Expression, pattern: string): Expression {
  if (pattern.endsWith('*')) return call('starts-with', text, literal(pattern.slice(0, -1)));
  if (pattern.startsWith('*')) return call('ends-with', text, literal(pattern.slice(1)));
  return call('eq', text, literal(pattern));
}

const ALWAYS_THERE = new Set([
  'context.protocol',
  'context.reporter',
  'request.time',
  'request.duration',
  'response.flags',
]);

function isCertain(e: Expression): boolean {
  switch (e.kind) {
    case 'value':
      return true;
    case 'attribute':
      return ALWAYS_THERE.has(e.name);
    case 'entry':
      return false;
    case 'call':
      return e.op === 'else' ? e.args.some(isCertain) : e.args.every(isCertain);
  }
}
