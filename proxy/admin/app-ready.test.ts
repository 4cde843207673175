import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'vitest';
import { SeriesReader } from '../core/series-reader.ts';
import { createExposition } from '../telemetry/prometheus.ts';
import { startAdmin, type AdminOptions, type AdminServers } from './admin.ts';
import type { AdminContext } from './context.ts';

let servers: AdminServers | null = null;
afterEach(() => servers?.close());

/** Asks the merged port for this path. */
async function merged(app?: AdminOptions['app']): Promise<(path: string) => Promise<[number, string]>> {
  // What it tells of the application asks nothing of the proxy.
  const context = { exposition: createExposition(new SeriesReader(), '1.0.0', false) } as AdminContext;
  const bind = { host: '127.0.0.1', port: 0 };
  const options = { admin: null, metrics: null, merged: bind, ready: null, appMetrics: null };
  servers = await startAdmin({ ...options, ...(app === undefined ? {} : { app }) }, context);
  const { port } = servers.merged!;
  return async (path) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return [answer.status, await answer.text()];
  };
}

describe('the health of the application', () => {
  test('is told on the merged port, as by the agent of Istio', async () => {
    let why: string | null = 'HTTP probe failed with statuscode: 503';
    const read = await merged({ name: 'reviews', why: () => why });
    assert.deepEqual(await read('/app-health/reviews/readyz'), [500, 'HTTP probe failed with statuscode: 503\n']);
    why = null;
    assert.deepEqual(await read('/app-health/reviews/readyz'), [200, 'ready\n']);
    assert.equal((await read('/app-health/ratings/readyz'))[0], 404);
  });

  test('is told of nobody where there is no application', async () => {
    for (const app of [undefined, null]) {
      const read = await merged(app);
      assert.equal((await read('/app-health/reviews/readyz'))[0], 404);
      await servers?.close();
    }
  });
});
