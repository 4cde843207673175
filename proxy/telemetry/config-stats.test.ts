import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { exposeConfigFacts, type ConfigFacts } from './config-stats.ts';

async function shown(facts: ConfigFacts): Promise<string[]> {
  const registry = new Registry();
  exposeConfigFacts(registry, () => facts);
  return (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

test('a proxy says whether it is connected, and what is wrong with its configuration', async () => {
  const facts = { connected: false, errors: 2, unbound: 1, revision: 41, since: 1_500 };
  expect(await shown(facts)).toEqual([
    'envoy_control_plane_connected_state 0',
    'lateen_config_errors 2',
    'lateen_config_revision 41',
    'lateen_config_applied_timestamp_seconds 1.5',
    'lateen_listeners_unbound 1',
  ]);
});

test('what does not apply is left out: no alert can take it for trouble', async () => {
  const lines = await shown({ connected: null, errors: 0, unbound: 0, revision: 0, since: null });
  expect(lines).toEqual(['lateen_config_errors 0', 'lateen_config_revision 0', 'lateen_listeners_unbound 0']);
});
