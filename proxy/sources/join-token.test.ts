import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { credentialsOf, joinToken } from './join-token.ts';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'lateen-token-'))));
afterEach(() => rmSync(dir, { recursive: true }));
const token = (): string => join(dir, 'token');

test('is shown to the control API, and to nobody else', () => {
  writeFileSync(token(), 'of-the-mesh-1234567\n');
  const credentials = joinToken('http://control:8001/', token());
  const shown = { authorization: 'Bearer of-the-mesh-1234567' };
  expect(credentials('http://control:8001/lateen/v1/config?proxy=a.default')).toEqual(shown);
  expect(credentials(new URL('http://CONTROL:8001/api/v2/spans'))).toEqual(shown);
  for (const other of [
    'http://zipkin:9411/api/v2/spans',
    'http://control:9411/',
    'https://control:8001/',
    'http://control.example:8001/',
  ])
    expect(credentials(other)).toEqual({});
});

test('is read each time: it may come late, and be another later on', () => {
  const credentials = joinToken('http://control:8001', token());
  expect(credentials('http://control:8001')).toEqual({});
  for (const text of ['the-first-one', 'the-second-one']) {
    writeFileSync(token(), text);
    expect(credentials('http://control:8001')).toEqual({ authorization: `Bearer ${text}` });
  }
});

test.each(['', 'two words', 'a\r\nhost: evil', 'x'.repeat(5000)])('a file with %j holds none', (text) => {
  writeFileSync(token(), text);
  expect(joinToken('http://control:8001', token())('http://control:8001')).toEqual({});
});

test('a proxy without such a file shows nothing', () => {
  expect(credentialsOf({ kind: 'files' })('http://control:8001')).toEqual({});
  expect(credentialsOf({ kind: 'control-api', url: 'http://control:8001' })('http://control:8001')).toEqual({});
});
