/** Rules on header operations: which headers may be touched, and what a value may contain (Istio's header_value_validator). */
import { headerName } from './format.ts';
import type { HeaderOperations, Headers } from './http-action.ts';
import type { Report } from './report.ts';
import { shown } from './shown.ts';

/** `Host` and `:authority` rewrite the host; they may be set on requests, and nowhere else. */
const isHost = (name: string): boolean => ['host', ':authority'].includes(name.toLowerCase());

export function checkHeaders(headers: Headers | undefined, report: Report): void {
  if (headers?.request !== undefined) checkOperations(headers.request, report.at('request'), true);
  if (headers?.response !== undefined) checkOperations(headers.response, report.at('response'), false);
}

function checkOperations(operations: HeaderOperations, report: Report, request: boolean): void {
  for (const verb of ['set', 'add'] as const) {
    for (const [name, value] of Object.entries(operations[verb] ?? {})) {
      const at = report.at(verb, name);
      if (!(request && isHost(name))) checkName(name, at);
      const fault = valueFault(value);
      if (fault !== null) at.error(`${fault}, got ${shown(value)}`);
    }
  }
  for (const [i, name] of (operations.remove ?? []).entries()) checkName(name, report.at('remove', i));
}

function checkName(name: string, at: Report): void {
  const expected = headerName(name);
  if (isHost(name) || name.startsWith(':'))
    at.error(`expected a header that may be changed here, got ${shown(name)}`, true);
  else if (expected !== null) at.error(`expected ${expected}, got ${shown(name)}`, true);
}

/** One `%%`, or one `%NAME%`, `%NAME(argument)%`, `%NAME(argument):length%`, or a run of other text. */
const PIECE = /%%|%[A-Z][A-Z0-9_]*(?:\((?:[^()%]|%%)*\))?(?::\d+)?%|[^%]+/y;

/** What is wrong with a header value; null when it is fine. */
export function valueFault(value: string): string | null {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 0 || code === 10 || code === 13) return 'expected a value without line breaks';
  }
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < value.length) {
    if (PIECE.exec(value) === null) return 'expected `%` only as `%%` or around a variable such as `%REQ(NAME)%`';
  }
  return null;
}
