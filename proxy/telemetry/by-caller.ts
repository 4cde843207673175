/** Values that depend on nothing but who called: worked out once a caller, not once a request. */
import type { Workload } from '../snapshot/node.ts';
import type { Expression } from '../core/expression.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import { compileExpression, type Evaluate, type Value } from './evaluate.ts';
import type { WallClock } from './wall-clock.ts';

/** As `compileExpression`; what is known of a caller is kept with the caller. */
export function linkExpression(e: Expression, node: ProxyNode, clock: WallClock): Evaluate {
  const evaluate = compileExpression(e, node, clock);
  return e.kind !== 'value' && onlyOfCaller(e) ? byCaller(evaluate) : evaluate;
}

function onlyOfCaller(e: Expression): boolean {
  switch (e.kind) {
    case 'value':
      return true;
    case 'attribute':
      return e.name.startsWith('caller.');
    case 'entry':
      return e.of === 'caller.labels';
    case 'call':
      return e.args.every(onlyOfCaller);
  }
}

/** Workloads never change; when the address book is replaced, there are others. */
function byCaller(evaluate: Evaluate): Evaluate {
  const known = new WeakMap<Workload, { readonly value: Value }>();
  return (x) => {
    const { peer } = x.connection;
    if (peer === null) return evaluate(x);
    const kept = known.get(peer);
    if (kept !== undefined) return kept.value;
    const value = evaluate(x);
    known.set(peer, { value });
    return value;
  };
}
