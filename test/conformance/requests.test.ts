/** Requests by the rule they keep or break (RFC 9112, 9110); ids are those of the checklist A (framing) and B (hop-by-hop, trust). */
import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { field, type Seen } from './llhttp.ts';
import { startPlace, talk, type Place } from './place.ts';
import { ACCEPTED, CANARY, REFUSED, SMUGGLED, type Wanted } from './request-tables.ts';

let place: Place;
beforeAll(async () => void (place = await startPlace()));
afterAll(() => place[Symbol.asyncDispose]());

describe('a request that is refused, with everything that comes after it:', () => {
  for (const [id, what, bytes, status] of REFUSED) {
    test(`${id} ${what}`, async () => {
      place.forget();
      const { answers, error, ended } = await talk(place.proxy.port, [bytes + SMUGGLED], Infinity);
      assert.deepEqual([answers.map((a) => a.status), error], [[status], null]);
      assert.notEqual(ended, 'open');
      assert.equal(field(answers[0]!.headers, 'connection'), 'close');
      const canary = await talk(place.proxy.port, [CANARY], 1);
      assert.equal(canary.answers[0]?.body, '/canary ');
      assert.deepEqual(
        place.seen.filter((r) => r.complete).map((r) => r.target),
        ['/canary'],
      );
      assert.deepEqual(place.broken, []);
    });
  }
});

describe('a request that is served, and the one after it:', () => {
  for (const [id, what, bytes, wanted] of ACCEPTED) {
    test(`${id} ${what}`, async () => {
      place.forget();
      const closes = bytes.includes('close');
      const methods = [wanted.method ?? 'GET', 'GET'];
      const { answers, error } = await talk(place.proxy.port, [bytes + CANARY], closes ? 1 : 2, methods);
      assert.equal(error, null);
      assert.deepEqual(
        answers.map((a) => a.status),
        closes ? [200] : [200, 200],
      );
      if (!closes) assert.equal(answers[1]!.body, '/canary ');
      assert.deepEqual(place.broken, []);
      check(place.seen[0]!, wanted);
    });
  }
});

function check(seen: Seen, wanted: Wanted): void {
  if (wanted.method !== undefined) assert.equal(seen.method, wanted.method);
  if (wanted.target !== undefined) assert.equal(seen.target, wanted.target);
  if (wanted.body !== undefined) assert.equal(seen.body, wanted.body);
  for (const [name, value] of Object.entries(wanted.has ?? {})) assert.equal(field(seen.headers, name), value);
  for (const name of wanted.lacks ?? []) assert.equal(field(seen.headers, name), undefined, name);
  if (wanted.trailers !== undefined) assert.deepEqual(seen.trailers, wanted.trailers);
}
