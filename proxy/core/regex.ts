/**
 * RE2 expressions (Istio's syntax) that match a whole value, in time linear in its length.
 *
 * re2js decides what is valid and what it means. A pattern that is plain enough to be safe for a backtracking engine runs on V8's
 * own, which is ten times as fast; `regex.test.ts` holds the two equal.
 */
import { RE2JS } from 're2js';
import { translateSimple } from './simple-regex.ts';

/** Longer patterns are refused: compiling one costs memory by its length (Istio: ISTIO-SECURITY-2026-006). */
export const MAX_PATTERN_LENGTH = 1024;

/** What keeps a pattern from being used, in words; null when it is fine. */
export function regexProblem(pattern: string): string | null {
  const compiled = parse(pattern);
  return typeof compiled === 'string' ? compiled : null;
}

/** A predicate of the full match; null when the pattern is not valid (`regexProblem` says why). */
export function compileRegex(pattern: string): ((value: string) => boolean) | null {
  const re2 = parse(pattern);
  if (typeof re2 === 'string') return null;
  const simple = translateSimple(pattern);
  if (simple !== null) return (value) => simple.test(value);
  return (value) => re2.matches(value);
}

/** Replaces every match in a text (RE2::GlobalReplace); `\0` … `\9` in the replacement are groups, `\\` a backslash. */
export function compileReplace(pattern: string, replacement: string): ((text: string) => string) | null {
  const re2 = parse(pattern);
  if (typeof re2 === 'string') return null;
  const parts = replacement.split(/\\([0-9\\])/);
  return (text) => {
    const matcher = re2.matcher(text);
    let out = '';
    let end = 0;
    let previous = -1;
    while (matcher.find()) {
      // As RE2 has it, an empty match does not follow directly on another match.
      if (matcher.end() === matcher.start() && matcher.start() === previous) continue;
      out += text.slice(end, matcher.start());
      for (let i = 0; i < parts.length; i++) {
        const part = parts[i]!;
        if (i % 2 === 0 || part === '\\') out += part;
        else if (Number(part) <= matcher.groupCount()) out += matcher.group(Number(part)) ?? '';
      }
      end = matcher.end();
      previous = end;
    }
    return end === 0 && out === '' && previous < 0 ? text : out + text.slice(end);
  };
}

function parse(pattern: string): RE2JS | string {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    return `expected at most ${MAX_PATTERN_LENGTH} characters, got ${pattern.length}`;
  }
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
