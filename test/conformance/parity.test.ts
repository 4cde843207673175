/**
 * Our parsers beside llhttp: what we accept, llhttp accepts and reads the same way; what llhttp accepts and we refuse is listed in stricter.ts,
 * each with its reason. LATEEN_FUZZ_SECONDS makes the search longer, and begins it somewhere else each time.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { hostileRequest, hostileResponse } from './hostile.ts';
import { readAll } from './llhttp.ts';
import { ourRequest, ourResponse } from './ours.ts';
import { requestParity, responseParity } from './parity.ts';
import { REQUEST_CLASSES, RESPONSE_CLASSES } from './stricter.ts';

const SECONDS = Number(process.env['LATEEN_FUZZ_SECONDS'] ?? 0);
/** Short and the same each time in the gate; long and elsewhere each time on demand. */
const SEARCH =
  SECONDS > 0 ? { numRuns: 1e9, interruptAfterTimeLimit: SECONDS * 1000 } : { numRuns: 6000, seed: 20_260 };

const TIMEOUT = 60_000 + SECONDS * 1000;

describe('what we accept, llhttp reads alike', () => {
  test('requests: method, target, fields, body, and where the next one begins', { timeout: TIMEOUT }, () => {
    let read = 0;
    fc.assert(
      fc.property(hostileRequest, (text) => {
        if (requestParity(text).kind === 'read') read++;
      }),
      SEARCH,
    );
    assert.ok(read > 200, `only ${read} requests were accepted: the search is too hostile to tell anything`);
  });

  test('responses: status, fields, body, for GET and HEAD', { timeout: TIMEOUT }, () => {
    let read = 0;
    fc.assert(
      fc.property(hostileResponse, fc.constantFrom('GET', 'HEAD'), (text, method) => {
        const ours = responseParity(text, method);
        if (ours.kind === 'read' && !ours.tunnels) read++;
      }),
      SEARCH,
    );
    assert.ok(read > 200, `only ${read} responses were accepted: the search is too hostile to tell anything`);
  });
});

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
