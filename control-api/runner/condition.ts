/** Conditions of a status: what holds now, and since when. */
import type { Condition } from './object.ts';

/** The conditions with one set. Its transition time moves only when its status does. */
export function setCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, 'lastTransitionTime'>,
  now: string,
): Condition[] {
  const before = conditions.find((c) => c.type === next.type);
  const lastTransitionTime = before?.status === next.status ? (before.lastTransitionTime ?? now) : now;
  const rest = conditions.filter((c) => c.type !== next.type);
  const condition = { ...next, lastTransitionTime };
  return before === undefined ? [...rest, condition] : conditions.map((c) => (c.type === next.type ? condition : c));
}

/** Has the condition been true for so many milliseconds? */
export function trueFor(conditions: readonly Condition[] | undefined, type: string, ms: number, now: number): boolean {
  const condition = conditions?.find((c) => c.type === type);
  return condition?.status === 'True' && (ms === 0 || now - Date.parse(condition.lastTransitionTime ?? '') >= ms);
}
