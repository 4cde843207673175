/** Where two proxies' accounts of the same request part: one sentence a difference, none when they agree. */
import type { Told } from './ask.ts';
import type { Seen } from './origin.ts';
import type { RawReply } from './raw-client.ts';
import type { Request } from './scenario.ts';

const LOGGED = ['response_code', 'response_flags', 'response_code_details'] as const;

/** Headers that differ from request to request, or that only one of the two is asked to add (tracing, Istio's metadata exchange). */
const OWN_FIELDS =
  /^(?:x-request-id|x-case|x-b3-.*|b3|traceparent|tracestate|x-envoy-peer-metadata(?:-id)?|x-envoy-decorator-operation|connection)$/;

/** Compares everything that a client, an origin and an operator see of `request`; `envoy` is the one that is right. */
export function differences(envoy: Told, ours: Told, request: Request): string[] {
  return [...repliesOf(envoy, ours, request.fields ?? []), ...logOf(envoy, ours), ...forwardedOf(envoy, ours)];
}

function repliesOf(envoy: Told, ours: Told, fields: readonly string[]): string[] {
  const found = compare(
    'statuses',
    envoy.replies.map((r) => r.status),
    ours.replies.map((r) => r.status),
  );
  if (found.length > 0) return found;
  return envoy.replies.flatMap((theirs, i) => replyOf(theirs, ours.replies[i]!, fields));
}

function replyOf(theirs: RawReply, mine: RawReply, fields: readonly string[]): string[] {
  return [
    ...compare('body', theirs.body, mine.body),
    ...compare('whether the answer is whole', theirs.complete, mine.complete),
    ...fields.flatMap((name) => compare(`header ${name}`, valuesOf(theirs.fields, name), valuesOf(mine.fields, name))),
  ];
}

/** For a request that is no HTTP, Envoy mostly says `http1.codec_error`; ours names the rule that was broken. So only the code and the flag count. */
function logOf(envoy: Told, ours: Told): string[] {
  const pick = (told: Told): string[] => told.log.map((line) => LOGGED.map((name) => String(line[name])).join(' '));
  const shorten = (lines: readonly string[]): string[] =>
    lines.map((line) => line.replace(/^(\d+ DPE) http1?\..*/, '$1'));
  // Sorted: of pipelined requests, the one that is refused at once may be logged before the one that still runs.
  return compare('access log', shorten(pick(envoy)).sort(), shorten(pick(ours)).sort());
}

function forwardedOf(envoy: Told, ours: Told): string[] {
  const found = compare('number of requests at the origin', envoy.seen.length, ours.seen.length);
  if (found.length > 0) return found;
  return envoy.seen.flatMap((theirs, i) => seenOf(theirs, ours.seen[i]!));
}

function seenOf(theirs: Seen, mine: Seen): string[] {
  const [wanted, got] = [partsOf(theirs.head), partsOf(mine.head)];
  const names = [...new Set([...wanted.fields, ...got.fields].map(([name]) => name))].filter(
    (n) => !OWN_FIELDS.test(n),
  );
  return [
    ...compare('forwarded request line', wanted.line, got.line),
    ...names.flatMap((name) =>
      compare(`forwarded ${name}`, meaningOf(wanted.fields, name), meaningOf(got.fields, name)),
    ),
    ...compare('forwarded body', theirs.body, mine.body),
  ];
}

type Fields = RawReply['fields'];

/** `Content-Length: 0`, which Envoy adds to most methods, means what its absence means (RFC 9112 section 6.3). */
function meaningOf(fields: Fields, name: string): string[] {
  const values = valuesOf(fields, name);
  return name === 'content-length' && values.join() === '0' ? [] : values;
}

function partsOf(head: string): { line: string; fields: Fields } {
  const [line = '', ...rest] = head.split('\r\n');
  const fields = rest.map((each): [string, string] => {
    const colon = each.indexOf(':');
    return [each.slice(0, colon).toLowerCase(), each.slice(colon + 1).trim()];
  });
  return { line, fields };
}

/** Values of header `name`. */
function valuesOf(fields: Fields, name: string): string[] {
  return fields.filter(([n]) => n === name).map(([, value]) => value);
}

function compare(what: string, envoy: unknown, ours: unknown): string[] {
  const [wanted, got] = [JSON.stringify(envoy), JSON.stringify(ours)];
  return wanted === got ? [] : [`${what}: Envoy ${wanted}, ours ${got}`];
}
