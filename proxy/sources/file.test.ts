import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'vitest';
import { FileSource } from './file.ts';
import type { Update } from './source.ts';

const service = (name: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{name: http, port: 80}]}\n`;

describe('a directory of YAML files', () => {
  let dir: string;
  let source: FileSource;
  let waiting: ((update: Update) => void)[];
  const updates: Update[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'lateen-files-'));
    waiting = [];
    updates.length = 0;
    source = new FileSource(dir, 'default', () => undefined);
  });

  afterEach(() => {
    source.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const start = (): void =>
    source.start((update) => {
      const next = waiting.shift();
      if (next === undefined) updates.push(update);
      else next(update);
    });
  const next = (): Promise<Update> => {
    const early = updates.shift();
    if (early !== undefined) return Promise.resolve(early);
    const { promise, resolve } = Promise.withResolvers<Update>();
    waiting.push(resolve);
    return promise;
  };
  const names = (update: Update): string[] => update.resources.map((r) => r.metadata.name);

  test('is told whole at first, files in the order of their names, folders too', async () => {
    mkdirSync(join(dir, 'sub'));
    writeFileSync(join(dir, 'b.yaml'), service('b'));
    writeFileSync(join(dir, 'sub', 'a.yml'), service('a'));
    writeFileSync(join(dir, 'readme.txt'), 'not ours');
    writeFileSync(join(dir, '.#b.yaml'), service('lock'));
    mkdirSync(join(dir, '..data'));
    writeFileSync(join(dir, '..data', 'b.yaml'), service('b'));
    start();
    assert.deepEqual(names(await next()), ['b', 'a']);
  });

  test('is told again after an atomic rename, and after a file is gone', async () => {
    writeFileSync(join(dir, 'a.yaml'), service('a'));
    start();
    await next();
    writeFileSync(join(dir, '.tmp'), service('b'));
    renameSync(join(dir, '.tmp'), join(dir, 'a.yaml'));
    assert.deepEqual(names(await next()), ['b']);
    unlinkSync(join(dir, 'a.yaml'));
    assert.deepEqual(names(await next()), []);
  });

  test('is followed through the symbolic links of a mounted ConfigMap', async () => {
    mkdirSync(join(dir, '..v1'));
    mkdirSync(join(dir, '..v2'));
    writeFileSync(join(dir, '..v1', 'a.yaml'), service('one'));
    writeFileSync(join(dir, '..v2', 'a.yaml'), service('two'));
    symlinkSync('..v1', join(dir, '..data'));
    symlinkSync(join('..data', 'a.yaml'), join(dir, 'a.yaml'));
    start();
    await next();
    symlinkSync('..v2', join(dir, '..next'));
    renameSync(join(dir, '..next'), join(dir, '..data'));
    const update = await next();
    assert.ok(names(update).includes('two'));
  });

  test('keeps the last good version of a file that breaks, and says what is wrong with it', async () => {
    writeFileSync(join(dir, 'a.yaml'), service('a'));
    writeFileSync(join(dir, 'b.yaml'), service('b'));
    start();
    await next();
    writeFileSync(join(dir, 'a.yaml'), 'kind: [');
    const update = await next();
    assert.deepEqual(names(update), ['a', 'b']);
    assert.equal(update.problems[0]?.file, 'a.yaml');
    assert.ok((update.problems[0]?.line ?? 0) >= 1);
  });

  test('is not started on while a policy in it cannot be read, and is once that is mended', async () => {
    const policy = (action: string): string =>
      `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: deny}\nspec: {action: ${action}, rules: [{}]}\n`;
    writeFileSync(join(dir, 'a.yaml'), service('a'));
    writeFileSync(join(dir, 'b.yaml'), policy('DENNY'));
    const said = Promise.withResolvers<string>();
    source = new FileSource(dir, 'default', (_, message) => said.resolve(message));
    start();
    assert.match(await said.promise, /^not started: b\.yaml:4: /);
    assert.equal(updates.length, 0);
    writeFileSync(join(dir, 'b.yaml'), policy('DENY'));
    assert.deepEqual(names(await next()), ['a', 'deny']);
  });
});
