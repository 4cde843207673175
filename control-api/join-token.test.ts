import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keptJoinToken } from './join-token.ts';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'lateen-token-'))));
afterEach(() => rmSync(dir, { recursive: true }));

test('is made once, hard to guess, for proxies to read', () => {
  const file = join(dir, 'join', 'token');
  const token = keptJoinToken(file);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect([keptJoinToken(file), readFileSync(file, 'utf8')]).toEqual([token, `${token}\n`]);
  expect(statSync(file).mode & 0o777).toBe(0o644);
  expect(readdirSync(join(dir, 'join'))).toEqual(['token']);
  expect(keptJoinToken(join(dir, 'other'))).not.toBe(token);
});

test("another's is taken as it is, without the space around it", () => {
  const file = join(dir, 'token');
  writeFileSync(file, '\n  my-own.token_of~1+2/3== \n', { mode: 0o400 });
  expect(keptJoinToken(file)).toBe('my-own.token_of~1+2/3==');
});

test.each([
  ['an empty file', ''],
  ['a short one', 'password'],
  ['two words', 'a-token-of-this mesh-and-more'],
  ['a long one', 'x'.repeat(5000)],
  ['something that no header can carry', 'a-token-of-this-mesh-\u0000é'],
])('%s is none, and stays as it is', (_, text) => {
  const file = join(dir, 'token');
  writeFileSync(file, text);
  expect(() => keptJoinToken(file)).toThrow(/expected one token of 16 to 4096 characters .* in .*token, got \d+/);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('a directory in its place, and a place that cannot be written to, are named', () => {
  mkdirSync(join(dir, 'token'));
  expect(() => keptJoinToken(join(dir, 'token'))).toThrow(/EISDIR/);
  writeFileSync(join(dir, 'file'), '');
  expect(() => keptJoinToken(join(dir, 'file', 'token'))).toThrow(/ENOTDIR/);
});
