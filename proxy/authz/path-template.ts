/** `{*}` and `{**}` in the paths of an AuthorizationPolicy (Envoy's URI template matcher). */

/**
 * `{*}` is one whole segment, not empty; `{**}` any number of characters, slashes included, and the last operator. Null: malformed
 * (another brace, text next to `{*}`, something that is no path, an operator behind `{**}`).
 */
export function parsePathTemplate(template: string): ((path: string) => boolean) | null {
  if (!template.startsWith('/')) return null;
  const parts = template.split(/(\{\*\*?\})/);
  const literals = parts.filter((_, i) => i % 2 === 0);
  const operators = parts.filter((_, i) => i % 2 === 1);
  if (literals.some((literal) => /[{}*]/.test(literal))) return null;
  const rest = operators.indexOf('{**}');
  if (rest >= 0 && rest !== operators.length - 1) return null;
  const bounded = operators.every((_, i) => isWholeSegment(literals[i]!, literals[i + 1]!));
  return bounded ? (path) => fits(path, literals, rest >= 0) : null;
}

const isWholeSegment = (before: string, after: string): boolean =>
  before.endsWith('/') && (after === '' || after.startsWith('/'));

/** Segments end at the next slash, so that there is never a choice and no way back. */
function fits(path: string, literals: readonly string[], endsOpen: boolean): boolean {
  const last = literals.length - 1;
  let at = 0;
  for (let i = 0; i < last; i++) {
    const literal = literals[i]!;
    if (!path.startsWith(literal, at)) return false;
    at += literal.length;
    if (endsOpen && i === last - 1) break;
    const slash = path.indexOf('/', at);
    const end = slash < 0 ? path.length : slash;
    if (end === at) return false;
    at = end;
  }
  const tail = literals[last]!;
  if (endsOpen) return path.length - at >= tail.length && path.endsWith(tail);
  return path.length - at === tail.length && path.endsWith(tail);
}
