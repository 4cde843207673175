import { afterEach, expect, test } from 'vitest';
import { call, start, stopAll } from './server.kit.ts';

afterEach(stopAll);

test('a history shows that a Secret changed, and nothing of what it holds', async () => {
  const api = await start();
  const hidden = Buffer.from('hunter2').toString('base64');
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': `{"data":{"password":"${hidden}"}}` };
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'demo', annotations },
    stringData: { password: 'hunter2' },
  };
  await call(api, 'POST', '/api/v1/namespaces/default/secrets', secret);
  const { body } = await call(api, 'GET', '/lateen/v1/history?kind=Secret');
  expect(body.changes[0].resource).toMatchObject({ metadata: { name: 'demo' }, data: { password: '***' } });
  expect(JSON.stringify(body)).not.toMatch(new RegExp(`hunter2|${hidden}`));
  expect(api.store.get('Secret', 'default', 'demo')!['data']).toEqual({ password: hidden });
});
