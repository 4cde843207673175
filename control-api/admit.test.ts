import { afterEach, expect, test } from 'vitest';
import { call, start, stopAll } from './server.kit.ts';

afterEach(stopAll);

test('what a Job runs is decided with it; how many at a time is not', async () => {
  const api = await start();
  const jobs = '/apis/batch/v1/namespaces/default/jobs';
  const job = (image: string, parallelism: number): object => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'setup' },
    spec: { parallelism, template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image }] } } },
  });
  expect((await call(api, 'POST', jobs, job('one', 1))).status).toBe(201);
  expect((await call(api, 'PUT', `${jobs}/setup`, job('one', 2))).status).toBe(200);
  const refused = await call(api, 'PUT', `${jobs}/setup`, job('two', 2));
  expect([refused.status, refused.body.message]).toEqual([
    422,
    expect.stringContaining('spec.template: field is immutable') as string,
  ]);
});
