import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { BatchFile } from './batch-file.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'lateen-batch-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Both ends of a pipe that nobody has read yet. */
function pipe(name: string): { read: number; write: number } {
  const path = join(dir, name);
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const write = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  return { read, write };
}

function readAll(fd: number): string {
  const chunk = Buffer.alloc(1 << 16);
  let text = '';
  for (;;) {
    try {
      const n = readSync(fd, chunk);
      if (n === 0) return text;
      text += chunk.toString('utf8', 0, n);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
      return text;
    }
  }
}

/** What comes out of the pipe until the writers are done. */
async function readUntil(fd: number, written: Promise<unknown>): Promise<string> {
  const state = { done: false };
  void written.then(() => (state.done = true));
  let text = '';
  while (!state.done) {
    text += readAll(fd);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return text + readAll(fd);
}

describe('batched file', () => {
  test('while nobody reads the pipe, lines wait up to the limit, and those over it are counted', async () => {
    const { read, write } = pipe('slow');
    let dropped = 0;
    const file = new BatchFile({ to: write, limit: 300_000, onDrop: (n) => (dropped += n) });
    const line = `${'x'.repeat(999)}\n`;
    for (let i = 0; i < 500; i++) file.append(line);
    assert.equal(dropped, 200);
    const text = await readUntil(read, file.flush());
    assert.equal(text, line.repeat(300));
    closeSync(read);
    closeSync(write);
  });

  test('when the reader has gone, lines are lost and counted, and nothing else happens', async () => {
    const { read, write } = pipe('gone');
    closeSync(read);
    let dropped = 0;
    const file = new BatchFile({ to: write, onDrop: (n) => (dropped += n) });
    for (let i = 0; i < 3; i++) file.append('line\n');
    await file.flush();
    assert.equal(dropped, 3);
    closeSync(write);
  });

  test('several writers of one pipe never tear each other’s lines apart', async () => {
    const { read, write } = pipe('shared');
    const writers = ['a', 'b'].map((name) => ({ name, file: new BatchFile({ to: write, shared: true }) }));
    for (let i = 0; i < 200; i++) for (const { name, file } of writers) file.append(`${name.repeat(700)}\n`);
    const text = await readUntil(read, Promise.all(writers.map(({ file }) => file.flush())));
    const lines = text.trimEnd().split('\n');
    assert.equal(lines.length, 400);
    for (const line of lines) assert.match(line, /^(?:a{700}|b{700})$/);
    closeSync(read);
    closeSync(write);
  });

  test('a path that cannot be opened is told at once', () => {
    assert.throws(() => new BatchFile({ to: join(dir, 'no', 'such', 'file') }), /ENOENT/);
  });
});
