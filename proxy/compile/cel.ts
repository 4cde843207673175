/** CEL → expressions. What cannot be read was refused when it was written; what came past that is a problem, and null. */
import { parseCondition, parseLabelValue, type ParsedCel } from '../istio/cel.ts';
import type { Expression } from '../core/expression.ts';

export type Complain = (message: string) => void;

/** Yields true or false. */
export const compileCondition = (text: string, complain: Complain): Expression | null =>
  treeOf(parseCondition(text), complain);

/** Yields a text: numbers in decimal, durations as `6.848ms`. */
export const compileLabelValue = (text: string, complain: Complain): Expression | null =>
  treeOf(parseLabelValue(text), complain);

function treeOf(parsed: ParsedCel, complain: Complain): Expression | null {
  if (parsed.ok) return parsed.tree;
  complain(`expected a CEL expression; at character ${parsed.at + 1}: ${parsed.message}`);
  return null;
}
