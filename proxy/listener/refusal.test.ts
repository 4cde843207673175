import assert from 'node:assert/strict';
import { test } from 'vitest';
import { refuse } from '../wire/http1-fields.ts';
import { refusal, SERVED_METHODS } from './refusal.ts';

test('a refusal closes, and says what and when', () => {
  const text = refusal(refuse(414, 'http1.target_too_long'));
  assert.match(text, /^HTTP\/1\.1 414 URI Too Long\r\n/);
  assert.match(text, /\r\nconnection: close\r\n/);
  assert.match(text, /\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
  assert.match(text, /\r\ncontent-length: 12\r\n/);
  assert.ok(text.endsWith('\r\n\r\nURI Too Long'));
  assert.doesNotMatch(text, /\r\nallow:/);
});

test('a method that is not served is told which are (RFC 9110 section 15.5.6)', () => {
  assert.ok(refusal(refuse(405, 'http1.method_not_allowed')).includes(`\r\nallow: ${SERVED_METHODS}\r\n`));
});
