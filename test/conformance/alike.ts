/** When our reading of a message and llhttp's are the same one. */
import { methods } from 'node:_http_common';
import assert from 'node:assert/strict';
import type { Seen } from './llhttp.ts';
import type { Ours } from './ours.ts';
import { readFirst } from './undici-llhttp.ts';

/** Complaints about framing fields, as both releases of llhttp word them. */
const FRAMING_ERROR = /content.length|transfer.encoding/i;

/** Fields that end at each hop, and so are not in our list. */
const HOP =
  /^(?:connection|transfer-encoding|upgrade|expect|te|trailer|keep-alive|proxy-connection|proxy-authorization|http2-settings)$/i;

/** `ours` is `theirs` without what ends here; nothing is changed, made up or put elsewhere. */
export function sameFields(ours: readonly string[], theirs: readonly string[]): void {
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

/** What we read is what llhttp read; throws an AssertionError that names the difference. */
export function same(ours: Ours & { kind: 'read' }, theirs: Seen | undefined, error: string | null): void {
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
export function sameToUndici(ours: Ours & { kind: 'read' }, kind: 'request' | 'response', text: string): void {
  const { error, ...theirs } = readFirst(kind, text);
  same(ours, { ...theirs, method: ours.first.method, minor: ours.first.minor }, error);
}
