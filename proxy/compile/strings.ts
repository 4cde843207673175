/** Istio's string matches → the snapshot's. */
import type { StringMatch as Written } from '../istio/string-match.ts';
import type { StringMatch } from '../snapshot/match.ts';

/** Null: it says nothing (`{}`). */
export function compileMatch(written: Written, ignoreCase = false): StringMatch | null {
  const fold = ignoreCase ? { ignoreCase } : {};
  if (written.exact !== undefined) return { kind: 'exact', value: written.exact, ...fold };
  if (written.prefix !== undefined) return { kind: 'prefix', value: written.prefix, ...fold };
  if (written.regex !== undefined) return { kind: 'regex', value: written.regex };
  return null;
}

/** Of a header or a query parameter: `{}`, and by tradition the regex `*`, ask only that it is there (core/route/route.go). */
export const compileKeyMatch = (written: Written): StringMatch =>
  written.regex === '*' ? { kind: 'present' } : (compileMatch(written) ?? { kind: 'present' });

/** `abc`, `abc*`, `*abc`, `*` (there, and not empty) as AuthorizationPolicy writes values. */
export function compilePattern(pattern: string, ignoreCase = false): StringMatch {
  const fold = ignoreCase ? { ignoreCase } : {};
  if (pattern === '*') return { kind: 'present' };
  if (pattern.startsWith('*')) return { kind: 'suffix', value: pattern.slice(1), ...fold };
  if (pattern.endsWith('*')) return { kind: 'prefix', value: pattern.slice(0, -1), ...fold };
  return { kind: 'exact', value: pattern, ...fold };
}
