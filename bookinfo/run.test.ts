import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { milliseconds, wholeNumber } from './whole-number.ts';

const MAIN = new URL('ratings/main.ts', import.meta.url).href;
const CODE = `const { main } = await import(process.argv[1]); process.exitCode = await main(process.env, process.argv.slice(2));`;

describe('a service as a process', () => {
  for (const [how, stop] of [
    ['SIGTERM', (child: Child) => child.kill('SIGTERM')],
    ['SIGINT', (child: Child) => child.kill('SIGINT')],
    ['the end of the pipe from its parent', (child: Child) => child.stdin.destroy()],
  ] as const) {
    test(`finishes the request in flight and exits with 0 on ${how}`, async () => {
      const child = start({ PORT: '0', LATEEN_PARENT_PIPE: '1', SERVICE_VERSION: 'v1' });
      const { listening } = JSON.parse(await child.line()) as { listening: string };
      const posted = post(`${listening}/ratings/7`);
      await once(posted, 'continue'); // it is in flight, and waits for its body
      stop(child.process);
      await refused(listening);
      posted.end('{"Reviewer1":1}');
      const [answer] = (await once(posted, 'response')) as [IncomingMessage];
      expect(await text(answer)).toBe('{"id":7,"ratings":{"Reviewer1":1}}');
      expect(await child.exit).toBe(0);
    });
  }

  test('with SHUTDOWN_DELAY fails its health check first, and serves on; a second signal ends it at once', async () => {
    const child = start({ PORT: '0', SHUTDOWN_DELAY: '600s' });
    const { listening } = JSON.parse(await child.line()) as { listening: string };
    const status = async (path: string): Promise<number> => (await fetch(`${listening}${path}`)).status;
    expect(await status('/health')).toBe(200);
    child.process.kill('SIGTERM');
    while ((await status('/health')) === 200);
    expect([await status('/health'), await status('/ratings/0')]).toEqual([503, 200]);
    child.process.kill('SIGTERM');
    expect(await child.exit).toBe(1);
  });

  test('goes on to its graceful end after SHUTDOWN_DELAY', async () => {
    const child = start({ PORT: '0', SHUTDOWN_DELAY: '20ms' });
    await child.line();
    child.process.kill('SIGTERM');
    expect(await child.exit).toBe(0);
  });

  test('takes its port from the first argument, as the original does', async () => {
    const child = start({ PORT: 'not looked at' }, ['0']);
    expect(JSON.parse(await child.line())).toMatchObject({ service: 'ratings' });
    child.process.kill('SIGTERM');
    expect(await child.exit).toBe(0);
  });

  for (const [env, says] of [
    [{ PORT: '99999' }, 'PORT: expected a whole number from 0 to 65535, got "99999"'],
    [
      { PORT: '0', SHUTDOWN_DELAY: 'soon' },
      'SHUTDOWN_DELAY: expected a time from 0 to 600s, such as 2s or 500ms, got "soon"',
    ],
    [{ PORT: '0', KEEP_ALIVE_MS: '-1' }, 'KEEP_ALIVE_MS: expected a whole number'],
    [
      { PORT: '0', SERVICE_VERSION: 'v2', MONGO_DB_URL: 'mysql://x' },
      'MONGO_DB_URL: expected mongodb://host:port/database',
    ],
  ] as const) {
    test(`says what is wrong: ${says}`, async () => {
      const child = start(env);
      expect(await child.exit).not.toBe(0);
      expect(child.errors()).toContain(says);
    });
  }

  test('knows whole numbers from everything else', () => {
    expect(wholeNumber('N', undefined, 5, 10)).toBe(5);
    expect(wholeNumber('N', '', 5, 10)).toBe(5);
    expect(wholeNumber('N', '10', 5, 10)).toBe(10);
    for (const text of ['11', '-1', '1.5', '0x1', ' 1', 'one', '9'.repeat(400)])
      expect(() => wholeNumber('N', text, 5, 10)).toThrow('N: expected');
  });
});

describe('times of the environment', () => {
  test('are seconds, or say what they are', () => {
    const read = (text?: string): number => milliseconds('T', text);
    expect([undefined, '', '0', '2', '2s', '0.5s', '500ms', '600s'].map(read)).toEqual([
      0, 0, 0, 2000, 2000, 500, 500, 600_000,
    ]);
    for (const text of ['-1', '1m', ' 1s', '1e3', '601s', 's', '9'.repeat(400)])
      expect(() => read(text)).toThrow('T: expected a time');
  });
});

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

function start(env: Record<string, string>, argv: string[] = []) {
  const process_ = spawn(process.execPath, ['--input-type=module', '-e', CODE, MAIN, ...argv], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exit = once(process_, 'exit').then(([code]) => code as number | null);
  let errors = '';
  process_.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const lines = createInterface({ input: process_.stdout })[Symbol.asyncIterator]();
  return {
    process: process_,
    exit,
    errors: () => errors,
    line: async () => (await lines.next()).value ?? '',
  };
}

const post = (url: string): ClientRequest => {
  const posted = request(url, { method: 'POST', headers: { expect: '100-continue' } });
  posted.flushHeaders();
  return posted;
};

/** Resolves once nobody listens there any more. */
async function refused(url: string): Promise<void> {
  const answers = (): Promise<boolean> =>
    fetch(url).then(
      () => true,
      () => false,
    );
  while (await answers());
}
