import { once } from 'node:events';
import { get } from 'node:http';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import type { PodRuntime } from '../pod-runtime.ts';
import { REGISTERED } from '../registered-pod.ts';
import { call, PODS, start, stopAll } from '../server.kit.ts';

afterEach(stopAll);

const pod = (name: string, annotations: object = {}): object => ({
  metadata: { name, annotations },
  spec: { containers: [{ name: 'app', image: 'i' }] },
});

const writing = (...chunks: readonly (string | Buffer)[]): PodRuntime => ({
  logs: async () => Readable.from(chunks),
  exec: async () => null,
});

async function logOf(runtime: PodRuntime | null, query: string, annotations: object = {}): Promise<unknown> {
  const api = await start({ runtime });
  await call(api, 'POST', PODS, pod('p', annotations));
  const { body } = await call(api, 'GET', `${PODS}/p/log?${query}`);
  return typeof body === 'string' ? body : body.message;
}

describe('whose log it is', () => {
  const registered = { [REGISTERED]: '1' };
  const runner = writing('hello\n');
  const docker = { ...runner, registered: true };

  test('pods that registered themselves are asked of a runtime for those, all others of the runner', async () => {
    expect(await logOf(runner, '')).toBe('hello\n');
    expect(await logOf(docker, '', registered)).toBe('hello\n');
  });

  test('and not the other way round', async () => {
    expect(await logOf(docker, '')).toMatch(/no pods run here/);
    for (const runtime of [runner, null]) expect(await logOf(runtime, '', registered)).toMatch(/docker compose logs p/);
  });
});

describe('lines since a time', () => {
  const since = 'sinceTime=2026-01-01T00:00:01Z';
  const log = Buffer.from(
    '2026-01-01T00:00:00Z a\n2026-01-01T00:00:01Z é\n2026-01-01T00:00:02Z \n2026-01-01T00:00:03Z end',
  );

  test('are told apart wherever the bytes are cut', async () => {
    for (const at of [1, 22, 23, 45, 46, 47]) {
      const runtime = writing(log.subarray(0, at), log.subarray(at));
      expect(await logOf(runtime, since), `cut at ${at}`).toBe('é\n\nend');
    }
  });

  test('keep their times when asked for', async () => {
    expect(await logOf(writing(log), `${since}&timestamps=true`)).toMatch(/^2026-01-01T00:00:01Z é\n.*Z \n.*Z end$/);
  });

  test('of a line without end only its beginning is kept', async () => {
    const line = `2026-01-01T00:00:02Z ${'x'.repeat(3 * 1024 * 1024)}`;
    const said = (await logOf(writing(line, '\n2026-01-01T00:00:03Z next\n'), since)) as string;
    expect(said.length).toBeLessThan(4 * 1024 * 1024);
    expect(said).toMatch(/^x+\nnext\n$/);
  });
});

for (const query of ['', 'sinceSeconds=60', 'limitBytes=100', 'sinceSeconds=60&limitBytes=100']) {
  test(`a reader who goes away ends it, also while nothing comes (${query})`, async () => {
    const source = new Readable({ read() {} });
    source.push(`${new Date().toISOString()} one\n`);
    const api = await start({ runtime: { logs: () => source, exec: () => null } });
    await call(api, 'POST', PODS, pod('p'));
    const request = get(`${api.url}${PODS}/p/log?follow=true&${query}`).on('error', () => {});
    const [answer] = (await once(request, 'response')) as [Readable];
    await once(
      answer.on('error', () => {}),
      'data',
    );
    const closed = once(source, 'close');
    request.destroy();
    await closed;
  });
}

test('a HEAD follows nothing', async () => {
  const asked: boolean[] = [];
  const runtime: PodRuntime = {
    logs: (_namespace, _pod, _container, { follow }) => {
      asked.push(follow);
      return Readable.from([]);
    },
    exec: () => null,
  };
  const api = await start({ runtime });
  await call(api, 'POST', PODS, pod('p'));
  await call(api, 'HEAD', `${PODS}/p/log?follow=true`);
  expect(asked).toEqual([false]);
});
