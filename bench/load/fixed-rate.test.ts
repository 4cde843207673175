import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';
import { freePort, listening, start } from '../process.ts';
import { fixedRate } from './fixed-rate.ts';

const origin = fileURLToPath(new URL('../targets/raw-origin.ts', import.meta.url));
const HOST = '127.0.0.1';
const headers = { Host: 'bench.local' };

describe('the fixed-rate load', () => {
  test('sends as many requests as were asked for, and times them below the millisecond', async () => {
    const port = await freePort(HOST);
    await using child = start('load', [process.execPath, origin, HOST, String(port)]);
    await listening(child, HOST, port);
    const { requests, errors, latencyMs } = await fixedRate({ host: HOST, port, path: '/', headers }, 4, 200, 1);
    assert.deepEqual({ requests, errors }, { requests: 200, errors: 0 });
    assert.ok(latencyMs.p50 > 0 && latencyMs.p50 <= latencyMs.p99 && latencyMs.p99 <= latencyMs.max);
  });

  test('counts what nobody answers as errors, and ends all the same', async () => {
    const port = await freePort(HOST);
    const { requests, errors } = await fixedRate({ host: HOST, port, path: '/', headers }, 2, 50, 1);
    assert.deepEqual({ requests, errors }, { requests: 0, errors: 50 });
  });
});
