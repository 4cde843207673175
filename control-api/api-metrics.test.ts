import { afterEach, expect, test } from 'vitest';
import { call, start, stopAll, vs, VS } from './server.kit.ts';

afterEach(stopAll);

test('the control API counts what it accepted and refused, and who follows it', async () => {
  const api = await start({
    version: '9.9.9',
    problems: () => [{ severity: 'error', path: 'a.yaml', message: 'no YAML' }],
  });
  await call(api, 'POST', VS, vs('reviews'));
  await call(api, 'POST', VS, { ...vs('ratings'), spec: { hosts: 'ratings' } });
  const disconnect = api.proxies.connect('a.default', { write: () => undefined, end: () => undefined });
  const read = async (): Promise<string[]> => {
    const { body, headers } = await call(api, 'GET', '/metrics');
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    return (body as string).split('\n');
  };
  const lines = await read();
  for (const line of [
    'galley_validation_passed 1',
    'galley_validation_failed 1',
    'istio_build{component="pilot",tag="9.9.9"} 1',
    'pilot_xds 1',
    'lateen_proxies{sync="STALE"} 1',
    'lateen_proxies{sync="SYNCED"} 0',
    `lateen_config_revision ${api.store.revision}`,
    'lateen_source_errors 1',
  ])
    expect(lines).toContain(line);
  expect(lines.some((line) => line.startsWith('process_resident_memory_bytes '))).toBe(true);
  disconnect();
  expect(await read()).toContain('pilot_xds 0');
});
