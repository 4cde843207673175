/** What a CEL text means, once its names and types are settled, and where in the text each part began. */
import type { Expression } from '../core/expression.ts';

/** CEL's uint counts as int. Durations are milliseconds. A timestamp can be named, and nothing else. */
export type CelType = 'string' | 'int' | 'double' | 'bool' | 'duration' | 'timestamp';

/** A tree, what it yields, and where it begins: characters from 0. */
export type Typed = { readonly tree: Expression; readonly type: CelType; readonly at: number };

/** Why a text cannot be used, and where. */
export class CelRefusal extends Error {
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}
