/**
 * Our parsers beside llhttp: what we accept, llhttp accepts and reads the same way; what llhttp accepts and we refuse is listed below,
 * each with its reason. LATEEN_FUZZ_SECONDS makes the search longer, and begins it somewhere else each time.
 */
import { methods } from 'node:_http_common';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { targetOf } from '#proxy/listener/target.ts';
import { BodyReader } from '#proxy/wire/http1-body.ts';
import {
  DEFAULT_LIMITS,
  findHeadEnd,
  parseRequestHead,
  parseResponseHead,
  type Framing,
} from '#proxy/wire/http1-head.ts';
import { hostileRequest, hostileResponse } from './hostile.ts';
import { readAll, type Seen } from './llhttp.ts';
import { readFirst } from './undici-llhttp.ts';

const SECONDS = Number(process.env['LATEEN_FUZZ_SECONDS'] ?? 0);
/** Short and the same each time in the gate; long and elsewhere each time on demand. */
const SEARCH =
  SECONDS > 0 ? { numRuns: 1e9, interruptAfterTimeLimit: SECONDS * 1000 } : { numRuns: 6000, seed: 20_260 };

const TIMEOUT = 60_000 + SECONDS * 1000;

/** Complaints about framing fields, as both releases of llhttp word them. */
const FRAMING_ERROR = /content.length|transfer.encoding/i;

const NEXT = 'GET /next HTTP/1.1\r\nHost: h\r\n\r\n';

type Ours =
  | { readonly kind: 'refused'; readonly details: string }
  | { readonly kind: 'incomplete' }
  | {
      readonly kind: 'read';
      readonly first: Omit<Seen, 'complete'>;
      readonly closes: boolean;
      readonly tunnels: boolean;
      readonly end: number;
    };

function readBody(bytes: Buffer, at: number, framing: Framing, length: number) {
  const reader = new BodyReader(framing, length);
  let body = '';
  const end = reader.done ? at : reader.read(bytes, at, { onBodyData: (chunk) => void (body += chunk.latin1Slice()) });
  return { reader, body, end };
}

function ourRequest(text: string): Ours {
  const bytes = Buffer.from(text, 'latin1');
  const start = text.startsWith('\r\n') ? 2 : 0;
  const headEnd = findHeadEnd(bytes, start, 0);
  if (headEnd < 0) return { kind: 'incomplete' };
  const head = parseRequestHead(bytes, start, headEnd, DEFAULT_LIMITS);
  if (head.problem) return { kind: 'refused', details: head.details };
  const target = targetOf(head);
  if (target.problem) return { kind: 'refused', details: target.details };
  const { reader, body, end } = readBody(bytes, headEnd + 4, head.framing, head.contentLength);
  if (reader.problem !== null) return { kind: 'refused', details: reader.problem.details };
  if (!reader.done) return { kind: 'incomplete' };
  const { method, minor, headers, keepAlive, upgrade } = head;
  const first = { method, target: head.target, status: 0, minor, headers, body, trailers: reader.trailers };
  return { kind: 'read', first, closes: !keepAlive, tunnels: method === 'CONNECT' || upgrade !== null, end };
}

function ourResponse(text: string, method: string): Ours {
  const bytes = Buffer.from(text, 'latin1');
  const headEnd = findHeadEnd(bytes, 0, 0);
  if (headEnd < 0) return { kind: 'incomplete' };
  const head = parseResponseHead(bytes, 0, headEnd, DEFAULT_LIMITS);
  if (head.problem) return { kind: 'refused', details: head.details };
  const { status, minor, headers } = head;
  const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304;
  const { reader, body, end } = readBody(bytes, headEnd + 4, bodiless ? 'none' : head.framing, head.contentLength);
  if (reader.problem !== null) return { kind: 'refused', details: reader.problem.details };
  if (!reader.finish()) return { kind: 'incomplete' };
  const first = { method: '', target: '', status, minor, headers, body, trailers: reader.trailers };
  return { kind: 'read', first, closes: !head.keepAlive, tunnels: status === 101, end };
}

/** Fields that end at each hop, and so are not in our list. */
const HOP =
  /^(?:connection|transfer-encoding|upgrade|expect|te|trailer|keep-alive|proxy-connection|proxy-authorization|http2-settings)$/i;

/** `ours` is `theirs` without what ends here; nothing is changed, made up or put elsewhere. */
function sameFields(ours: readonly string[], theirs: readonly string[]): void {
  const connection = theirs.filter((_, i) => i % 2 === 1 && /^connection$/i.test(theirs[i - 1]!)).join();
  const nominated = new Set(
    connection
      .toLowerCase()
      .split(',')
      .map((option) => option.trim()),
  );
  let at = 0;
  for (let i = 0; i < theirs.length; i += 2) {
    const [name, value] = [theirs[i]!, theirs[i + 1]!];
    // llhttp keeps white space at the end of a value for its caller to trim.
    if (ours[at] === name && ours[at + 1] === value.replace(/[ \t]+$/, '')) at += 2;
    else assert.ok(HOP.test(name) || nominated.has(name.toLowerCase()) || name.includes('_'), `${name} is gone`);
  }
  assert.equal(at, ours.length, `${ours[at]} is in our list only`);
}

function same(ours: Ours & { kind: 'read' }, theirs: Seen | undefined, error: string | null): void {
  // llhttp knows a list of methods; RFC 9110 section 9.1 lets there be others.
  if (ours.first.method !== '' && !methods.includes(ours.first.method)) return;
  // Framing fields among trailers: llhttp refuses, we leave them out.
  if (error !== null && FRAMING_ERROR.test(error) && theirs?.body === ours.first.body) return;
  assert.ok(theirs?.complete, `llhttp does not see a whole message: ${error}`);
  const { headers, trailers, ...rest } = ours.first;
  for (const [name, value] of Object.entries(rest)) assert.deepEqual(value, theirs[name as keyof Seen], name);
  sameFields(headers, theirs.headers);
  for (let i = 0; i < trailers.length; i += 2) assert.ok(theirs.trailers.includes(trailers[i]!));
}

/** The same against undici's llhttp, which does not tell method and version. */
function sameToUndici(ours: Ours & { kind: 'read' }, kind: 'request' | 'response', text: string): void {
  const { error, ...theirs } = readFirst(kind, text);
  same(ours, { ...theirs, method: ours.first.method, minor: ours.first.minor }, error);
}

describe('what we accept, llhttp reads alike', () => {
  test('requests: method, target, fields, body, and where the next one begins', { timeout: TIMEOUT }, () => {
    let read = 0;
    fc.assert(
      fc.property(hostileRequest, (text) => {
        const ours = ourRequest(text + NEXT);
        const llhttp = readAll('request', text + NEXT);
        if (ours.kind === 'refused' && llhttp.messages[0]?.complete === true)
          assertKnown(REQUEST_CLASSES, ours.details, text);
        if (ours.kind !== 'read') return;
        read++;
        same(ours, llhttp.messages[0], llhttp.error);
        sameToUndici(ours, 'request', text + NEXT);
        // After close or an upgrade llhttp reads no further.
        if (ours.closes || ours.tunnels || llhttp.messages.length < 2) return;
        const second = ourRequest((text + NEXT).slice(ours.end));
        if (second.kind === 'read') same(second, llhttp.messages[1], llhttp.error);
        else assert.ok(llhttp.messages[1]?.complete !== true || second.kind === 'refused');
      }),
      SEARCH,
    );
    assert.ok(read > 200, `only ${read} requests were accepted: the search is too hostile to tell anything`);
  });

  test('responses: status, fields, body, for GET and HEAD', { timeout: TIMEOUT }, () => {
    let read = 0;
    fc.assert(
      fc.property(hostileResponse, fc.constantFrom('GET', 'HEAD'), (text, method) => {
        const ours = ourResponse(text, method);
        const llhttp = readAll('response', text, method, true);
        if (ours.kind === 'refused' && llhttp.messages[0]?.complete === true)
          assertKnown(RESPONSE_CLASSES, ours.details, text);
        if (ours.kind !== 'read' || ours.tunnels) return;
        read++;
        same(ours, llhttp.messages[0], llhttp.error);
        if (method === 'GET') sameToUndici(ours, 'response', text);
      }),
      SEARCH,
    );
    assert.ok(read > 200, `only ${read} responses were accepted: the search is too hostile to tell anything`);
  });
});

/** What llhttp reads and we do not, by the reason we give: a sample, and why. A reason that is not here is a finding. */
type Class = readonly [details: string, sample: string, why: string];

const H = 'Host: h\r\n';
const CHUNKED = `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n`;

const REQUEST_CLASSES: readonly Class[] = [
  ['missing_host_header', 'GET / HTTP/1.1\r\n\r\n', 'routing and policy begin with the host (RFC 9112 section 3.2)'],
  ['http1.multiple_hosts', `GET / HTTP/1.1\r\n${H}${H}\r\n`, 'two readers may choose differently'],
  ['http1.invalid_host', 'GET / HTTP/1.1\r\nHost: a,b\r\n\r\n', 'what is no authority cannot be matched by policy'],
  [
    'http1.host_mismatch',
    `GET http://x/ HTTP/1.1\r\n${H}\r\n`,
    'target and Host must agree: two readers may choose differently',
  ],
  [
    'http1.invalid_target',
    `GET /#f HTTP/1.1\r\n${H}\r\n`,
    'fragments, raw quotes and the like are read differently behind us',
  ],
  [
    'http1.invalid_method',
    `\n\nGET / HTTP/1.1\r\n${H}\r\n`,
    'only one empty line, of CR LF, may come first (RFC 9112 section 2.2)',
  ],
  ['http1.method_not_allowed', `TRACE / HTTP/1.1\r\n${H}\r\n`, 'TRACE sends credentials back; PRI belongs to HTTP/2'],
  ['http1.invalid_version', `GET / HTTP/2.0\r\n${H}\r\n`, 'another version has another framing'],
  ['http1.unknown_expectation', `GET / HTTP/1.1\r\n${H}Expect: x\r\n\r\n`, 'RFC 9110 section 10.1.1: 417'],
  [
    'http1.invalid_content_length',
    `POST / HTTP/1.1\r\n${H}Content-Length: 03\r\n\r\nabc`,
    'leading zeros are octal to some',
  ],
  [
    'http1.invalid_transfer_encoding',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n`,
    'nothing but the one word is read alike by all',
  ],
  ['http1.tab_in_framing', `POST / HTTP/1.1\r\n${H}Content-Length:\t3\r\n\r\nabc`, 'its releases differ on it'],
  [
    'http1.duplicate_transfer_encoding',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'some read the first, some the last',
  ],
  [
    'http1.transfer_encoding_in_http10',
    `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'HTTP/1.0 does not know it (RFC 9112 section 6.1)',
  ],
  [
    'http1.connect_with_body',
    `CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nContent-Length: 0\r\n\r\n`,
    'where does the tunnel begin?',
  ],
  [
    'http1.upgrade_with_body',
    `GET / HTTP/1.1\r\n${H}Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n`,
    'where does the tunnel begin?',
  ],
  [
    'http1.invalid_chunk_size',
    `${CHUNKED}3;a=\r\nabc\r\n0\r\n\r\n`,
    'extensions that are none (RFC 9112 section 7.1.1)',
  ],
];

const RESPONSE_CLASSES: readonly Class[] = [
  ['http1.invalid_status_line', 'HTTP/2.0 200 OK\r\n\r\n', 'another version has another framing'],
  [
    'http1.invalid_transfer_encoding',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc',
    'we could not say where it ends to a client that stays',
  ],
  ['http1.tab_in_framing', 'HTTP/1.1 200 OK\r\nContent-Length:\t3\r\n\r\nabc', 'its releases differ on it'],
  [
    'http1.duplicate_transfer_encoding',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'some read the first, some the last',
  ],
  [
    'http1.transfer_encoding_in_http10',
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.0 does not know it (RFC 9112 section 6.1)',
  ],
  [
    'http1.invalid_content_length',
    'HTTP/1.1 200 OK\r\nContent-Length: 03\r\n\r\nabc',
    'leading zeros are octal to some',
  ],
  [
    'http1.invalid_chunk_size',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\r\nabc\r\n0\r\n\r\n',
    'extensions that are none (RFC 9112 section 7.1.1)',
  ],
];

function assertKnown(classes: readonly Class[], details: string, text: string): void {
  const known = classes.some(([name]) => name === details);
  assert.ok(known, `${details}: llhttp accepts ${JSON.stringify(text)}`);
}

describe('what llhttp reads and we refuse', () => {
  for (const [kind, classes] of [
    ['request', REQUEST_CLASSES],
    ['response', RESPONSE_CLASSES],
  ] as const) {
    for (const [details, sample, why] of classes) {
      test(`${kind}: ${details}, for ${why}`, () => {
        const ours = kind === 'request' ? ourRequest(sample) : ourResponse(sample, 'GET');
        assert.deepEqual(ours, { kind: 'refused', details });
        assert.equal(readAll(kind, sample, 'GET', true).messages[0]?.complete, true);
      });
    }
  }
});
