import assert from 'node:assert/strict';
import { STATUS_CODES } from 'node:http';
import { describe, test } from 'vitest';
import { reasonPhrase } from './reason-phrase.ts';

describe('reason phrases', () => {
  test.for(Object.entries(STATUS_CODES))('of %s is what Node says: %s', ([status, phrase]) => {
    assert.equal(reasonPhrase(Number(status)), phrase);
  });

  test('a code that nobody registered is unknown', () => assert.equal(reasonPhrase(599), 'Unknown'));
});
