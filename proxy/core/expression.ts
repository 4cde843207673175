/**
 * Values that are worked out of a request or connection at its end: what CEL (Istio's Telemetry) and Mixer's expressions are compiled to.
 * Types are settled while compiling as far as they can be; a value that is missing makes what is built on it missing, too, except where
 * an operator says otherwise (`has`, `else`, `and`, `or`).
 */

export type Expression =
  /** Durations are milliseconds, timestamps milliseconds since 1970. */
  | { readonly kind: 'value'; readonly value: string | number | boolean }
  /** In the names of `proxy/telemetry/attribute.ts`: `request.path`, `response.code`, `source.workload` … */
  | { readonly kind: 'attribute'; readonly name: string }
  /** An entry of a map: `request.headers`, `response.headers`, `source.labels`, `destination.labels`. Header names in lower case. */
  | { readonly kind: 'entry'; readonly of: string; readonly key: string }
  | { readonly kind: 'call'; readonly op: Operator; readonly args: readonly Expression[] };

export type Operator =
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
  /** Toward zero. */
  | 'trunc'
  /** Condition, then, otherwise. */
  | 'if'
  /** The first that is there (Mixer's `|`). */
  | 'else'
  /** Whether it is there. */
  | 'has'
  /** The first is one of the others. */
  | 'in'
  | 'starts-with'
  | 'ends-with'
  | 'contains'
  /** RE2; the second is a constant. */
  | 'matches'
  | 'size'
  | 'lower'
  /** The text of a value: numbers in decimal, durations as `6.848ms`. */
  | 'string'
  | 'duration-text'
  /** Of a timestamp: `2017-09-21T04:33:31.249Z`. */
  | 'time-text'
  | 'number';

export const literal = (value: string | number | boolean): Expression => ({ kind: 'value', value });
export const attribute = (name: string): Expression => ({ kind: 'attribute', name });
export const call = (op: Operator, ...args: readonly Expression[]): Expression => ({ kind: 'call', op, args });

/** Nothing to choose from: never there. */
export const MISSING: Expression = call('else');
