/**
 * CEL (cel.dev), as far as Telemetry resources need it: conditions of access logs, values of labels. A library parses; what may be said, and
 * of which types, is settled here. Nothing is ever evaluated by the library.
 */
import { Environment, ParseError, type ASTNode } from '@marcbachmann/cel-js';
import { call, literal, type Expression } from '../core/expression.ts';
import { attributeName, CEL_MAPS, typedAttribute, typedEntry, unknownAttribute } from './cel-attribute.ts';
import { binaryOf, callOf, conditionalOf, expectAlike, textOf, unaryOf } from './cel-call.ts';
import { CelRefusal, type CelType, type Typed } from './cel-type.ts';

/** Longer ones are refused: a condition is a line or two. */
export const MAX_CEL = 8192;
/** Calls inside each other, once rows of `&&` and `||` are one call. */
const MAX_DEPTH = 64;
const LIMITS = { maxAstNodes: 1000, maxDepth: MAX_DEPTH, maxListElements: 500, maxCallArguments: 8 };

const environment = new Environment({
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  limits: LIMITS,
});

export type ParsedCel =
  | { readonly ok: true; readonly tree: Expression; readonly type: CelType }
  /** `at` counts characters from 0. */
  | { readonly ok: false; readonly at: number; readonly message: string };

/** Never throws. */
export function parseCel(text: string): ParsedCel {
  if (text.length > MAX_CEL)
    return { ok: false, at: MAX_CEL, message: `expected at most ${MAX_CEL} characters, got ${text.length}` };
  try {
    const { tree, type } = walk(environment.parse(text).ast);
    if (isDeep(tree, 0)) throw new CelRefusal(0, `expected at most ${MAX_DEPTH} levels of nesting`);
    return { ok: true, tree, type };
  } catch (e) {
    if (e instanceof CelRefusal) return { ok: false, at: e.at, message: e.message };
    if (e instanceof ParseError) return { ok: false, at: e.range?.start ?? 0, message: e.summary };
    return { ok: false, at: 0, message: e instanceof Error ? e.message : String(e) };
  }
}

/** A text that yields true or false. */
export function parseCondition(text: string): ParsedCel {
  const parsed = parseCel(text);
  if (!parsed.ok || parsed.type === 'bool') return parsed;
  return { ok: false, at: 0, message: `expected a condition, which yields a bool; got a value of type ${parsed.type}` };
}

/** What it yields, as text: what a label can be. */
export function parseLabelValue(text: string): ParsedCel {
  const parsed = parseCel(text);
  if (!parsed.ok) return parsed;
  try {
    return { ok: true, tree: textOf({ ...parsed, at: 0 }), type: 'string' };
  } catch (e) {
    return { ok: false, at: 0, message: e instanceof Error ? e.message : String(e) };
  }
}

const told = (parsed: ParsedCel): string | null =>
  parsed.ok ? null : `a CEL expression; at character ${parsed.at + 1}: ${parsed.message}`;

/** Formats of schemas. An empty text is none. */
export const celCondition = (text: string): string | null => (text === '' ? null : told(parseCondition(text)));
export const celLabelValue = (text: string): string | null => (text === '' ? null : told(parseLabelValue(text)));

function walk(node: ASTNode): Typed {
  const at = node.start;
  switch (node.op) {
    case 'value':
      return literalOf(node.args, at);
    case 'id':
    case '.':
      return selected(node);
    case '[]':
      return indexed(node);
    case '!_':
      return unaryOf('!', walk(node.args), at);
    case '-_':
      return unaryOf('-', walk(node.args), at);
    case '?:':
      return conditionalOf(walk(node.args[0]), walk(node.args[1]), walk(node.args[2]), at);
    case 'in':
      return membership(node.args[0], node.args[1], at);
    case 'call': {
      const [name, args] = node.args;
      return name === 'has' ? presence(args, at) : callOf(name, args.map(walk), at);
    }
    case 'rcall': {
      const [name, receiver, args] = node.args;
      return callOf(name, [receiver, ...args].map(walk), at);
    }
    case 'list':
      throw new CelRefusal(at, 'expected a list only behind `in`');
    case 'map':
    case '.?':
    case '[?]':
      throw new CelRefusal(at, 'Lateen knows no map literals and no optional values');
    default: {
      const [left, right] = node.args;
      const made = binaryOf(node.op, walk(left), walk(right));
      if (made === null) throw new CelRefusal(at, `unknown operator ${node.op}`);
      return made;
    }
  }
}

function literalOf(value: unknown, at: number): Typed {
  switch (typeof value) {
    case 'string':
      return { tree: literal(value), type: 'string', at };
    case 'boolean':
      return { tree: literal(value), type: 'bool', at };
    case 'number':
      return { tree: literal(value), type: 'double', at };
    case 'bigint':
      return { tree: literal(safe(Number(value), at)), type: 'int', at };
    default: {
      // `3u` is an object of the library's own; bytes and null are nothing a request has.
      const inner: unknown = value !== null && typeof value === 'object' ? value.valueOf() : null;
      if (typeof inner === 'bigint') return { tree: literal(safe(Number(inner), at)), type: 'int', at };
      throw new CelRefusal(at, 'expected a string, a number or a bool');
    }
  }
}

function safe(n: number, at: number): number {
  if (!Number.isSafeInteger(n)) throw new CelRefusal(at, 'expected a whole number below 2^53');
  return n;
}

/** `request.headers`; null: not a row of names. */
function dotted(node: ASTNode): string | null {
  if (node.op === 'id') return node.args;
  if (node.op !== '.') return null;
  const of = dotted(node.args[0]);
  return of === null ? null : `${of}.${node.args[1]}`;
}

function selected(node: ASTNode & { readonly op: 'id' | '.' }): Typed {
  const at = node.start;
  // `upstream_peer.labels['app'].value`, as older releases of Istio had it.
  if (node.op === '.' && node.args[1] === 'value' && node.args[0].op === '[]') return indexed(node.args[0]);
  const name = dotted(node);
  if (name === null) throw new CelRefusal(at, 'expected the name of an attribute');
  if (node.op === 'id') throw new CelRefusal(at, unknownAttribute(name));
  const known = typedAttribute(name) ?? typedEntry(dotted(node.args[0]) ?? '', node.args[1]);
  if (known !== null) return { ...known, at };
  if (CEL_MAPS.includes(attributeName(name)))
    throw new CelRefusal(at, `\`${name}\` is a map: expected a key such as ${name}['x']`);
  throw new CelRefusal(at, unknownAttribute(name));
}

function indexed(node: ASTNode & { readonly op: '[]' }): Typed {
  const [of, key] = node.args;
  const name = dotted(of);
  if (name === null) throw new CelRefusal(of.start, 'expected the name of a map before `[`');
  if (key.op !== 'value' || typeof key.args !== 'string')
    throw new CelRefusal(key.start, `expected a key in quotes such as ${name}['x']`);
  const entry = typedEntry(name, key.args);
  if (entry === null) throw new CelRefusal(of.start, `expected one of the maps ${CEL_MAPS.join(', ')} before \`[\``);
  return { ...entry, at: node.start };
}

/** CEL has it of fields alone: `has(response.code)`, `has(request.headers.referer)`. */
function presence(args: readonly ASTNode[], at: number): Typed {
  const [of] = args;
  if (of?.op === '[]') throw new CelRefusal(of.start, "has: CEL asks for keys with `in`: 'x' in request.headers");
  if (of === undefined || args.length !== 1 || of.op !== '.')
    throw new CelRefusal(at, 'has: expected one attribute such as response.code');
  return { tree: call('has', selected(of).tree), type: 'bool', at };
}

/** `x in [a, b]`, and `'key' in request.headers`. */
function membership(wanted: ASTNode, among: ASTNode, at: number): Typed {
  if (among.op === 'list') {
    const value = walk(wanted);
    const items = among.args.map(walk);
    for (const item of items) expectAlike('in', value, item);
    return { tree: call('in', value.tree, ...items.map(({ tree }) => tree)), type: 'bool', at };
  }
  const map = dotted(among);
  if (wanted.op === 'value' && typeof wanted.args === 'string' && map !== null) {
    const entry = typedEntry(map, wanted.args);
    if (entry !== null) return { tree: call('has', entry.tree), type: 'bool', at };
  }
  throw new CelRefusal(
    among.start,
    `in: expected a list such as [200, 204], or a key in quotes before one of ${CEL_MAPS.join(', ')}`,
  );
}

const isDeep = (tree: Expression, depth: number): boolean =>
  depth > MAX_DEPTH || (tree.kind === 'call' && tree.args.some((arg) => isDeep(arg, depth + 1)));
