import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { ContainerLog } from './container-log.ts';

const ALL = { follow: false, tailLines: null, previous: false, timestamps: false };

function logOf(file: string | null = null): {
  log: ContainerLog;
  out: PassThrough;
  say: (words: string) => Promise<void>;
} {
  const log = new ContainerLog(file, () => Date.parse('2026-01-02T03:04:05.678Z'));
  const out = new PassThrough();
  log.attach([out]);
  return { log, out, say: (words) => new Promise((resolve) => out.write(words, () => setImmediate(resolve))) };
}

describe('the log of a container', () => {
  test('is lines, however they were cut; the last one may lack its end', async () => {
    const { log, out, say } = logOf();
    await say('one\ntw');
    await say('o\nthr');
    out.end('ee');
    await new Promise((resolve) => out.once('close', resolve));
    expect(await text(log.read(ALL))).toBe('one\ntwo\nthree\n');
  });

  for (const { it, options, expected } of [
    { it: 'the last lines', options: { tailLines: 1 }, expected: 'two\n' },
    { it: 'no line', options: { tailLines: 0 }, expected: '' },
    {
      it: 'times',
      options: { timestamps: true },
      expected: '2026-01-02T03:04:05.678Z one\n2026-01-02T03:04:05.678Z two\n',
    },
    { it: 'what the process before wrote', options: { previous: true }, expected: 'old\n' },
  ]) {
    test(`shows ${it}`, async () => {
      const { log, say } = logOf();
      await say('old\n');
      const next = new PassThrough();
      log.attach([next]);
      await new Promise((resolve) => next.write('one\ntwo\n', () => setImmediate(resolve)));
      expect(await text(log.read({ ...ALL, ...options }))).toBe(expected);
    });
  }

  test('is followed until it is closed', async () => {
    const { log, say } = logOf();
    await say('one\n');
    const followed = text(log.read({ ...ALL, follow: true }));
    await say('two\n');
    log.close();
    expect(await followed).toBe('one\ntwo\n');
  });

  test('keeps the newest 5000 lines or so in memory, and cuts a line that never ends', async () => {
    const { log, say } = logOf();
    await say('x\n'.repeat(20_000));
    await say('last\n');
    const kept = (await text(log.read(ALL))).split('\n');
    expect(kept.length).toBeLessThan(6100);
    expect(kept.at(-2)).toBe('last');
    const { log: endless, say: go } = logOf();
    await go('y'.repeat(100_000));
    expect((await text(endless.read(ALL))).split('\n')[0]).toHaveLength(16 * 1024);
  });

  test('is in a file, too', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lateen-log-'));
    const file = join(dir, 'logs', 'c.log');
    const { log, say } = logOf(file);
    await say('one\n');
    log.close();
    expect(readFileSync(file, 'utf8')).toBe('2026-01-02T03:04:05.678Z one\n');
    rmSync(dir, { recursive: true });
  });
});
