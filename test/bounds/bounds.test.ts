/** The experiments of this directory, scaled down: a real sidecar process stays small whatever its clients do. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { canAccount } from '../../bench/accounting.ts';
import { churn } from './churn.ts';
import { idle } from './idle.ts';
import { refused } from './refused.ts';
import { slowReaders } from './slow-readers.ts';
import { streams } from './stream.ts';

const MB = 1_048_576;
/** Loopback addresses of this run alone. */
const network = (nth: number): string => `127.46.${(process.pid * 5 + nth) % 250}`;

// Numbers of /proc, and addresses of 127/8 without asking: Linux only.
describe.skipIf(!canAccount()).concurrent('the memory of a sidecar', () => {
  test(
    'is some kilobytes for an idle connection, and who is beside them is served at once',
    { timeout: 60_000 },
    async () => {
      const { silent, served, tunnel, canaryMs } = await idle(500, network(0));
      assert.ok(silent < 40_000 && served < 60_000, `${silent} and ${served} bytes a connection`);
      assert.ok(tunnel < 100_000, `${tunnel} bytes a tunnel`);
      assert.ok(canaryMs < 1000, `${canaryMs} ms`);
    },
  );

  test('is some buffers for a slow reader, whatever the size of what it reads', { timeout: 60_000 }, async () => {
    const { grown, filesLeft } = await slowReaders(50, 20 * MB, 2, network(1));
    assert.ok(grown < 120 * MB, `${grown} bytes for 50 readers of 20 MB`);
    assert.equal(filesLeft, 0);
  });

  test('does not grow with a stream', { timeout: 60_000 }, async () => {
    for (const { kind, arrived, grown } of await streams(['download', 'upload', 'tunnel'], 300 * MB, network(2))) {
      assert.ok(arrived >= 300 * MB);
      assert.ok(grown < 120 * MB, `${grown} bytes for a ${kind} of 300 MB`);
    }
  });

  test('and its descriptors come back when connections are broken off', { timeout: 60_000 }, async () => {
    const { filesLeft, rss } = await churn(600, 2, network(3));
    assert.equal(filesLeft, 0);
    assert.ok(rss[1]! - rss[0]! < 30 * MB, rss.join());
  });

  test('is that of nobody when two thousand in a row are refused', { timeout: 60_000 }, async () => {
    const told = await refused(2000, 2, network(4));
    assert.equal(told.refused, 2000);
    assert.equal(told.filesAfter, told.filesBefore);
    assert.ok(told.rss.at(-1)! - told.rss[0]! < 40 * MB, told.rss.join());
  });
});
