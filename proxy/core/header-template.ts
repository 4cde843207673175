/** The `%VAR%` templates of header values (Envoy's formatter strings): their grammar and the operators we know. */

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  /** `%NAME(argument):limit%`; `argument` "" when there is none, `limit` in characters. */
  | {
      readonly kind: 'operator';
      readonly name: Operator;
      readonly argument: string;
      readonly limit: number | null;
    };

/** Operators that take no argument. */
const PLAIN = [
  'PROTOCOL',
  'RESPONSE_CODE',
  'RESPONSE_CODE_DETAILS',
  'RESPONSE_FLAGS',
  'ROUTE_NAME',
  'BYTES_RECEIVED',
  'BYTES_SENT',
  'DURATION',
  'UPSTREAM_HOST',
  'UPSTREAM_REMOTE_ADDRESS',
  'UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT',
  'UPSTREAM_REMOTE_PORT',
  'UPSTREAM_LOCAL_ADDRESS',
  'UPSTREAM_CLUSTER',
  'DOWNSTREAM_REMOTE_ADDRESS',
  'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_REMOTE_PORT',
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS',
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_DIRECT_REMOTE_PORT',
  'DOWNSTREAM_LOCAL_ADDRESS',
  'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_LOCAL_PORT',
  'TRACE_ID',
] as const;

/** `REQ(NAME?OTHER)` and `RESP(NAME?OTHER)` need one; `START_TIME` may have a format, of which we know none but its own. */
const WITH_ARGUMENT = ['REQ', 'RESP'] as const;

export type Operator = (typeof PLAIN)[number] | (typeof WITH_ARGUMENT)[number] | 'START_TIME';

const EXPRESSION = /%(?:%|([A-Z_0-9]+)(?:\(([^)%]*)\))?(?::([0-9]{1,5}))?%)?/g;

/** The parts of a template, or what is wrong with it, in words. `%%` is a percent sign. */
export function parseTemplate(text: string): readonly TemplatePart[] | string {
  const parts: TemplatePart[] = [];
  let literal = '';
  let end = 0;
  for (const match of text.matchAll(EXPRESSION)) {
    const [whole, name, argument, limit] = match;
    literal += text.slice(end, match.index);
    end = match.index + whole.length;
    if (whole === '%%') {
      literal += '%';
      continue;
    }
    if (name === undefined) return `expected %NAME% or %% at "${text.slice(match.index, match.index + 20)}"`;
    const problem = operatorProblem(name, argument);
    if (problem !== null) return problem;
    if (literal !== '') parts.push({ kind: 'text', text: literal });
    literal = '';
    parts.push({
      kind: 'operator',
      name: name as Operator,
      argument: argument ?? '',
      limit: limit === undefined ? null : Number(limit),
    });
  }
  literal += text.slice(end);
  if (literal !== '') parts.push({ kind: 'text', text: literal });
  return parts;
}

/** What keeps a header value from being used, in words; null when it is fine. */
export function templateProblem(text: string): string | null {
  const parsed = parseTemplate(text);
  return typeof parsed === 'string' ? parsed : null;
}

function operatorProblem(name: string, argument: string | undefined): string | null {
  if (isOneOf(WITH_ARGUMENT, name)) {
    return argument === undefined || argument === '' ? `expected a header name in %${name}(…)%` : null;
  }
  if (name !== 'START_TIME' && !isOneOf(PLAIN, name)) return `expected an operator that is known, got %${name}%`;
  return argument === undefined ? null : `expected %${name}% without an argument, got (${argument})`;
}

const isOneOf = (names: readonly string[], name: string): boolean => names.includes(name);
