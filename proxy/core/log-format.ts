/**
 * Envoy's format strings: text with command operators such as `%REQ(X-A?X-B):20%`. What may stand in them is checked here; what they
 * show is the business of proxy/telemetry/format.ts. Grammar and names: Envoy 1.40, "substitution formatter".
 */
import { suggest } from './suggest.ts';
import { timeFormatProblem } from './time-format.ts';

/** Istio's, for `accessLogEncoding: TEXT` with no format of its own (pilot/pkg/model/telemetry_logging.go). */
export const ISTIO_TEXT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% ' +
  '%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n';

/** Without parameters. */
const PLAIN = [
  'PROTOCOL',
  'UPSTREAM_PROTOCOL',
  'RESPONSE_CODE',
  'RESPONSE_FLAGS',
  'RESPONSE_FLAGS_LONG',
  'CONNECTION_TERMINATION_DETAILS',
  'BYTES_RECEIVED',
  'BYTES_SENT',
  'DURATION',
  'REQUEST_DURATION',
  'REQUEST_TX_DURATION',
  'RESPONSE_DURATION',
  'RESPONSE_TX_DURATION',
  'UPSTREAM_HOST',
  'UPSTREAM_HOST_NAME',
  'UPSTREAM_HOST_NAME_WITHOUT_PORT',
  'UPSTREAM_CLUSTER',
  'UPSTREAM_CLUSTER_RAW',
  'UPSTREAM_LOCAL_ADDRESS',
  'UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT',
  'UPSTREAM_LOCAL_PORT',
  'UPSTREAM_REMOTE_ADDRESS',
  'UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT',
  'UPSTREAM_REMOTE_PORT',
  'UPSTREAM_TRANSPORT_FAILURE_REASON',
  'UPSTREAM_REQUEST_ATTEMPT_COUNT',
  'DOWNSTREAM_REMOTE_ADDRESS',
  'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_REMOTE_PORT',
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS',
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_DIRECT_REMOTE_PORT',
  'DOWNSTREAM_LOCAL_ADDRESS',
  'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_LOCAL_PORT',
  'DOWNSTREAM_DIRECT_LOCAL_ADDRESS',
  'DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_DIRECT_LOCAL_PORT',
  'DOWNSTREAM_WIRE_BYTES_RECEIVED',
  'DOWNSTREAM_WIRE_BYTES_SENT',
  'DOWNSTREAM_HEADER_BYTES_RECEIVED',
  'DOWNSTREAM_HEADER_BYTES_SENT',
  'REQUESTED_SERVER_NAME',
  'ROUTE_NAME',
  'HOSTNAME',
  'TRACE_ID',
  'SPAN_ID',
  'STREAM_ID',
  'UNIQUE_ID',
  'CONNECTION_ID',
  'GRPC_STATUS_NUMBER',
  'ACCESS_LOG_TYPE',
] as const;
/** With parameters, or without. */
const CHOICE = [
  'START_TIME',
  'START_TIME_LOCAL',
  'EMIT_TIME',
  'EMIT_TIME_LOCAL',
  'RESPONSE_CODE_DETAILS',
  'GRPC_STATUS',
  'PATH',
  'QUERY_PARAMS',
] as const;
/** With parameters. LATEEN is our own. */
const WANTING = [
  'REQ',
  'RESP',
  'TRAILER',
  'REQ_WITHOUT_QUERY',
  'ENVIRONMENT',
  'QUERY_PARAM',
  'COMMON_DURATION',
  'LATEEN',
] as const;
/** A length may be said: `%REQ(X):20%`. */
const CUT = new Set<string>(['REQ', 'RESP', 'TRAILER', 'REQ_WITHOUT_QUERY', 'ENVIRONMENT', 'QUERY_PARAM', 'PATH']);

/** Of Envoy's, always empty here, and rightly: there is nothing that they could tell (no TLS of our own, no QUIC, no virtual clusters). */
const NOTHING =
  /^(?:VIRTUAL_CLUSTER_NAME|FILTER_CHAIN_NAME|CUSTOM_FLAGS|ROUNDTRIP_DURATION|TLS_JA[34]_FINGERPRINT)$|^(?:UP|DOWN)STREAM_(?:(?:PEER|TLS)_[A-Z0-9_]+|LOCAL_(?:SUBJECT|(?:DNS|EMAIL|IP|OTHERNAME|URI)_SAN)|HANDSHAKE_DURATION|SERVER_NAME)$/;
/** Of Envoy's, which it would fill and Lateen does not. */
const UNFILLED =
  /^(?:(?:DYNAMIC_|CLUSTER_|UPSTREAM_|TYPED_)?METADATA|METADATA_NO_FALLBACK|(?:UPSTREAM_)?FILTER_STATE|CEL|COALESCE|TRACE_CONTEXT|REQUEST_HEADER|LOCAL_REPLY_BODY|(?:BYTES|PACKETS)_RETRANSMITTED|(?:REQUEST|RESPONSE)_HEADERS_BYTES|RESPONSE_TRAILERS_BYTES|UPSTREAM_CONNECTION_POOL_READY_DURATION|UPSTREAM_CONNECTION_IDS?(?:_ATTEMPTED)?|UPSTREAM_HOST(?:_NAME)?S_ATTEMPTED(?:_WITHOUT_PORT)?|UPSTREAM_HOST_NAMES_ATTEMPTED(?:_WITHOUT_PORT)?|UPSTREAM_(?:WIRE|HEADER|DECOMPRESSED_HEADER)_BYTES_(?:SENT|RECEIVED)|DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_(?:SENT|RECEIVED)|DOWNSTREAM_TRANSPORT_FAILURE_REASON|(?:UP|DOWN)STREAM_(?:DETECTED_CLOSE_TYPE|LOCAL_CLOSE_REASON)|DOWNSTREAM_CX_RTT|(?:UP|DOWN)STREAM_[A-Z_]+_ENDPOINT_ID)$/;

export type OperatorName = (typeof PLAIN)[number] | (typeof CHOICE)[number] | (typeof WANTING)[number];

export type FormatPart =
  | { readonly kind: 'text'; readonly text: string }
  /** `max`: how many bytes are shown of it. */
  | {
      readonly kind: 'operator';
      readonly name: OperatorName;
      readonly argument: string | null;
      readonly max: number | null;
    }
  /** One of Envoy's that has no value here. */
  | { readonly kind: 'absent'; readonly name: string };

const plain: ReadonlySet<string> = new Set(PLAIN);
const wanting: ReadonlySet<string> = new Set(WANTING);
const known: ReadonlySet<string> = new Set<string>([...PLAIN, ...CHOICE, ...WANTING]);

/** Characters of a format, and operators in it: each costs for every request. */
const LONGEST = 16_384;
const MOST = 200;

const OPERATOR = /%([A-Z0-9_]+)(?:\((.*?)\))?(?::(\d+))?%/sy;
const TOKEN = /^:?[\w!#$%&'*+.^`|~-]+$/;
const TIMES = /^(?:DS|US)_(?:RX|TX)_(?:BEG|END)$|^US_CX_(?:BEG|END)$|^US_HS_END$/;

/** Null: all is well. Otherwise what is wrong, in words for its author. */
export function formatProblem(text: string): string | null {
  const parsed = parseFormat(text);
  return typeof parsed === 'string' ? parsed : null;
}

/** What Envoy would show and Lateen cannot: a sentence, or null. */
export function formatWarning(text: string): string | null {
  const parsed = parseFormat(text);
  if (typeof parsed === 'string') return null;
  const absent = parsed.flatMap((part) =>
    part.kind === 'absent' && UNFILLED.test(part.name) ? [`%${part.name}%`] : [],
  );
  return absent.length === 0 ? null : `Lateen has no value for ${[...new Set(absent)].join(', ')}: it is always "-"`;
}

/** The parts in their order, texts joined; or what is wrong. */
export function parseFormat(text: string): FormatPart[] | string {
  if (text.length > LONGEST) return `a format has ${LONGEST} characters at most, this one ${text.length}`;
  const parts: FormatPart[] = [];
  let literal = '';
  let operators = 0;
  for (let at = 0; at < text.length;) {
    const percent = text.indexOf('%', at);
    literal += text.slice(at, percent < 0 ? text.length : percent);
    if (percent < 0) break;
    if (text[percent + 1] === '%') {
      literal += '%';
      at = percent + 2;
      continue;
    }
    OPERATOR.lastIndex = percent;
    const match = OPERATOR.exec(text);
    if (match === null)
      return `no operator at "${text.slice(percent, percent + 20)}": a % that stands for itself is written %%`;
    const part = operatorPart(match[1]!, match[2] ?? null, match[3]);
    if (typeof part === 'string') return part;
    if (++operators > MOST) return `a format has ${MOST} operators at most`;
    if (literal !== '') parts.push({ kind: 'text', text: literal });
    literal = '';
    parts.push(part);
    at = OPERATOR.lastIndex;
  }
  if (literal !== '') parts.push({ kind: 'text', text: literal });
  return parts;
}

function operatorPart(name: string, argument: string | null, length: string | undefined): FormatPart | string {
  if (!known.has(name)) {
    if (NOTHING.test(name) || UNFILLED.test(name)) return { kind: 'absent', name };
    const near = suggest(name, known);
    return `there is no operator %${name}%${near === null ? '' : `; did you mean %${near}%?`}`;
  }
  if (plain.has(name) && (argument !== null || length !== undefined))
    return `%${name}% takes no parameters and no length`;
  if (wanting.has(name) && (argument === null || argument === '')) return `%${name}% needs a parameter: %${name}(…)%`;
  if (length !== undefined && !CUT.has(name)) return `%${name}% takes no length`;
  const problem = argument === null ? null : argumentProblem(name as OperatorName, argument);
  if (problem !== null) return `%${name}(${argument})%: ${problem}`;
  return { kind: 'operator', name: name as OperatorName, argument, max: length === undefined ? null : Number(length) };
}

function argumentProblem(name: OperatorName, argument: string): string | null {
  switch (name) {
    case 'REQ':
    case 'RESP':
    case 'TRAILER':
    case 'REQ_WITHOUT_QUERY': {
      const names = argument.split('?');
      if (names.length > 2) return 'one alternative header at most';
      return names.every((header) => TOKEN.test(header)) ? null : 'no name of a header';
    }
    case 'START_TIME':
    case 'START_TIME_LOCAL':
    case 'EMIT_TIME':
    case 'EMIT_TIME_LOCAL':
      return timeFormatProblem(argument);
    case 'GRPC_STATUS':
      return oneOf(argument, ['CAMEL_STRING', 'SNAKE_STRING', 'NUMBER']);
    case 'RESPONSE_CODE_DETAILS':
      return oneOf(argument, ['ALLOW_WHITESPACES']);
    case 'QUERY_PARAMS':
      return oneOf(argument, ['ORIG', 'DECODED']);
    case 'PATH': {
      const [shown = '', which = 'ORIG_OR_PATH', more] = argument.split(':');
      if (more !== undefined) return 'two parameters at most';
      return oneOf(shown, ['WQ', 'NQ']) ?? oneOf(which, ['ORIG', 'PATH', 'ORIG_OR_PATH']);
    }
    case 'COMMON_DURATION': {
      const [from = '', to = '', precision = 'ms', more] = argument.split(':');
      if (more !== undefined || !TIMES.test(from) || !TIMES.test(to))
        return 'two times, such as DS_RX_BEG:DS_TX_END, and a unit';
      return oneOf(precision, ['ms', 'us', 'ns']);
    }
    case 'LATEEN':
      return oneOf(argument, ['REASON', 'DECIDED_BY', 'CONFIG_VERSION']);
    default:
      return null;
  }
}

function oneOf(word: string, words: readonly string[]): string | null {
  if (words.includes(word)) return null;
  return `"${word}" is none of ${words.join(', ')}`;
}
