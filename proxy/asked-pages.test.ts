import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { AdminContext } from './admin/context.ts';
import { answerAsks } from './asked-pages.ts';
import type { AnsweredPage } from './sources/control-api.ts';

/** A proxy that is asked, and what it answers; what it is told to do is noted. */
function asked(change: Partial<AdminContext> = {}) {
  const told: string[] = [];
  const note = (what: string) => (): void => void told.push(what);
  const context = {
    state: () => 'LIVE',
    notReady: () => [],
    quit: note('quit'),
    drain: note('drain'),
    failHealth: note('fail'),
    reopenLogs: note('reopen'),
    setLogLevel: note('level'),
    ...change,
  } as Partial<AdminContext> as AdminContext;
  const answers = new Map<string, AnsweredPage>();
  const control = {
    onAsk: (_id: string, _path: string): void => assert.fail('nobody answers'),
    answer: (id: string, page: AnsweredPage): Promise<boolean> => {
      answers.set(id, page);
      return Promise.resolve(true);
    },
  };
  answerAsks(control, context);
  const ask = async (path: string): Promise<AnsweredPage> => {
    control.onAsk(path, path);
    await new Promise((resolve) => setImmediate(resolve));
    return answers.get(path) ?? assert.fail(`no answer for ${path}`);
  };
  return { control, answers, told, ask };
}

/** An exposition of one page after the other. */
const pages = (page: string, count: number): Pick<AdminContext, 'exposition'> => ({
  exposition: {
    async *pages() {
      for (let i = 0; i < count; i++) yield await Promise.resolve(page);
    },
  } as unknown as AdminContext['exposition'],
});

const sizeOf = async ({ body }: AnsweredPage): Promise<number> => {
  let size = 0;
  for await (const bytes of body as AsyncIterable<Uint8Array>) size += bytes.length;
  return size;
};

describe('pages that the control API asks for', () => {
  test('are those of the admin port', async () => {
    const { ask } = asked(pages('metric 1 µ\n', 3));
    assert.deepEqual(await ask('/ready'), { status: 200, type: 'text/plain; charset=UTF-8', body: 'LIVE\n' });
    assert.equal(await sizeOf(await ask('/stats/prometheus')), 36);
    assert.equal((await ask('/stats?format=x')).status, 400);
  });

  test.each([
    '/quitquitquit',
    '/drain_listeners',
    '/healthcheck/fail',
    '/reopen_logs',
    '/logging?level=debug',
    '/',
    '',
  ])('change nothing: %s is refused, whoever asks', async (path) => {
    const { ask, told } = asked();
    const { status, body } = await ask(path);
    assert.equal(status, 400);
    assert.match(body as string, /^path: expected one of \/help, /);
    assert.deepEqual(told, []);
  });

  test('that fail say so', async () => {
    const { ask } = asked({ egress: () => Promise.reject(new Error('a worker is gone')) });
    const { status, body } = await ask('/egress');
    assert.deepEqual([status, body], [500, 'a worker is gone\n']);
  });

  test('have a most in size, by parts or in one', async () => {
    const { ask } = asked({
      ...pages('x'.repeat(1024 * 1024), 65),
      notReady: () => ['x'.repeat(64 * 1024 * 1024)],
    });
    await assert.rejects(async () => sizeOf(await ask('/stats/prometheus')), /larger than 67108864 bytes/);
    const { status, body } = await ask('/ready');
    assert.equal(status, 500);
    assert.match(body as string, /^the page is larger than 67108864 bytes/);
  });

  test('have a most in number at a time', async () => {
    const { promise, resolve } = Promise.withResolvers<[]>();
    const { control, answers, ask } = asked({ egress: () => promise });
    for (let i = 0; i < 33; i++) control.onAsk(`egress-${i}`, '/egress');
    resolve([]);
    await new Promise((again) => setImmediate(again));
    await ask('/ready');
    assert.deepEqual([answers.size, answers.has('egress-31'), answers.has('egress-32')], [33, true, false]);
  });
});
