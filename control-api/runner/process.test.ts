import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { realProcesses } from './process.ts';

const env = { PATH: process.env['PATH'] ?? '' };
const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function gone(pid: number): Promise<void> {
  while (alive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('a process', () => {
  test('tells its exit code, and the signal that ended it as a shell does', async () => {
    const processes = realProcesses();
    const run = (script: string): ReturnType<typeof processes.spawn> =>
      processes.spawn({ argv: ['sh', '-c', script], env, cwd: '/' });
    expect(await run('exit 7').exited).toEqual({ code: 7, signal: null, error: null });
    expect(await run('kill -TERM $$').exited).toEqual({ code: 143, signal: 'SIGTERM', error: null });
    processes.close();
  });

  test('that cannot be started says why', async () => {
    const processes = realProcesses();
    const running = processes.spawn({ argv: ['/no/such/program'], env, cwd: '/' });
    expect(running.pid).toBeUndefined();
    expect(await running.exited).toMatchObject({ code: 127, error: expect.stringContaining('ENOENT') as string });
    processes.close();
  });

  test.each([
    ['NUL byte', { SECRET: 'hidden\0' }],
    ['value that is too long', { SECRET: 'hidden'.repeat(100_000) }],
  ])('whose environment has a %s cannot be started, which is said without the value', async (_, bad) => {
    const processes = realProcesses();
    const { pid, exited } = processes.spawn({ argv: ['sh', '-c', 'exit 0'], env: { ...env, ...bad }, cwd: '/' });
    expect([pid, await exited]).toEqual([
      undefined,
      { code: 127, signal: null, error: expect.not.stringContaining('hidden') as string },
    ]);
    processes.close();
  });

  test('takes what it started in the background with it', async () => {
    const processes = realProcesses();
    const running = processes.spawn({
      argv: ['sh', '-c', 'sleep 1000 >/dev/null 2>&1 & echo $!; exec sleep 1000'],
      env,
      cwd: '/',
    });
    const [line] = (await once(running.stdout, 'data')) as [Buffer];
    running.signal('SIGTERM');
    await running.exited;
    await gone(Number(line.toString()));
    processes.close();
  });
});

test('nothing outlives a runner that is killed with kill -9', async () => {
  const module = fileURLToPath(new URL('process.ts', import.meta.url));
  const script = `const { realProcesses } = await import(${JSON.stringify(module)});
    const { spawn } = realProcesses();
    const run = (script) => spawn({ argv: ['sh', '-c', script], env: { PATH: process.env.PATH }, cwd: '/' });
    const done = run('exit 0');
    await done.exited;
    const stubborn = run("trap '' TERM; echo up; while :; do sleep 0.1; done");
    stubborn.stdout.once('data', () => console.log(stubborn.pid));`;
  const runner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const output = text(runner.stdout);
  runner.stdout.once('data', () => runner.kill('SIGKILL'));
  const pid = Number(await output);
  expect(pid).toBeGreaterThan(0);
  await gone(pid);
});
