import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { Told } from './ask.ts';
import { differences } from './compare.ts';

const told = (changes: { [K in keyof Told]?: Told[K] } = {}): Told => ({
  replies: [{ statusLine: 'HTTP/1.1 200 OK', status: 200, fields: [['x-a', '1']], body: 'ok', complete: true }],
  end: 'open',
  from: '127.0.0.1:1',
  rest: '',
  log: [{ response_code: 200, response_flags: '-', response_code_details: 'via_upstream', request_id: 'own' }],
  seen: [{ head: 'GET / HTTP/1.1\r\nHost: a\r\nx-request-id: own', body: '' }],
  ...changes,
});
const reply = told().replies[0]!;
const request = { it: 'works', send: '', fields: ['x-a'] };

describe('the comparison', () => {
  test('finds nothing between equals, whatever the request id and the case of names', () => {
    const other = told({ seen: [{ head: 'GET / HTTP/1.1\r\nhost: a\r\nx-request-id: another', body: '' }] });
    assert.deepEqual(differences(told(), other, request), []);
  });

  for (const { it, changes, says } of [
    {
      it: 'another status',
      changes: { replies: [{ ...reply, status: 503 }] },
      says: 'statuses: Envoy [200], ours [503]',
    },
    { it: 'another body', changes: { replies: [{ ...reply, body: 'no' }] }, says: 'body: Envoy "ok", ours "no"' },
    {
      it: 'a cut-off answer',
      changes: { replies: [{ ...reply, complete: false }] },
      says: 'whether the answer is whole: Envoy true, ours false',
    },
    {
      it: 'a missing header',
      changes: { replies: [{ ...reply, fields: [] }] },
      says: 'header x-a: Envoy ["1"], ours []',
    },
    {
      it: 'another flag',
      changes: { log: [{ response_code: 200, response_flags: 'UF', response_code_details: 'via_upstream' }] },
      says: 'access log: Envoy ["200 - via_upstream"], ours ["200 UF via_upstream"]',
    },
    { it: 'no log line', changes: { log: [] }, says: 'access log: Envoy ["200 - via_upstream"], ours []' },
    {
      it: 'a request more',
      changes: { seen: [...told().seen, ...told().seen] },
      says: 'number of requests at the origin: Envoy 1, ours 2',
    },
    {
      it: 'another target',
      changes: { seen: [{ head: 'GET /x HTTP/1.1\r\nhost: a', body: '' }] },
      says: 'forwarded request line: Envoy "GET / HTTP/1.1", ours "GET /x HTTP/1.1"',
    },
    {
      it: 'a header that should not go on',
      changes: { seen: [{ head: 'GET / HTTP/1.1\r\nhost: a\r\nte: gzip', body: '' }] },
      says: 'forwarded te: Envoy [], ours ["gzip"]',
    },
    {
      it: 'another body at the origin',
      changes: { seen: [{ head: 'GET / HTTP/1.1\r\nhost: a', body: 'x' }] },
      says: 'forwarded body: Envoy "", ours "x"',
    },
  ] satisfies { it: string; changes: Partial<Told>; says: string }[]) {
    test(`notices ${it}`, () => assert.deepEqual(differences(told(), told(changes), request), [says]));
  }
});
