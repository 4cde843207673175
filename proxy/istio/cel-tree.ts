/** What a CEL text means, once its names and types are settled: the form that `compile/` hands on (snapshot/expression.ts). */

export type CelOperator =
  | 'and'
  | 'or'
  | 'not'
  | 'eq'
  | 'ne'
  | 'lt'
  | 'le'
  | 'gt'
  | 'ge'
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'mod'
  | 'neg'
  | 'trunc'
  | 'if'
  | 'has'
  | 'in'
  | 'starts-with'
  | 'ends-with'
  | 'contains'
  | 'matches'
  | 'size'
  | 'lower'
  | 'string'
  | 'duration-text'
  | 'number';

export type CelTree =
  | { readonly kind: 'value'; readonly value: string | number | boolean }
  | { readonly kind: 'attribute'; readonly name: string }
  | { readonly kind: 'entry'; readonly of: string; readonly key: string }
  | { readonly kind: 'call'; readonly op: CelOperator; readonly args: readonly CelTree[] };

/** CEL's uint counts as int. Durations are milliseconds. A timestamp can be named, and nothing else. */
export type CelType = 'string' | 'int' | 'double' | 'bool' | 'duration' | 'timestamp';

/** A tree, what it yields, and where it begins: characters from 0. */
export type Typed = { readonly tree: CelTree; readonly type: CelType; readonly at: number };

/** Why a text cannot be used, and where. */
export class CelRefusal extends Error {
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

export const literal = (value: string | number | boolean): CelTree => ({ kind: 'value', value });
export const call = (op: CelOperator, ...args: readonly CelTree[]): CelTree => ({ kind: 'call', op, args });
