import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { endOnSignals, type InitProcess } from './init-signals.ts';

/** A process that notes what it ends with. */
function fake(pid: number) {
  const ended: number[] = [];
  const self = Object.assign(new EventEmitter(), { pid, exit: (code: number) => void ended.push(code) });
  endOnSignals(self as EventEmitter & InitProcess);
  return { self, ended };
}

describe('process 1 of a container', () => {
  test('ends by SIGTERM and SIGINT as any other process', () => {
    const { self, ended } = fake(1);
    self.emit('SIGTERM');
    self.emit('SIGINT');
    expect(ended).toEqual([143, 130]);
  });

  test('leaves them to a verb that has a handler of its own, for as long as it has it', () => {
    const { self, ended } = fake(1);
    let told = 0;
    self.once('SIGTERM', () => told++);
    self.emit('SIGTERM');
    expect([told, ended]).toEqual([1, []]);
    self.emit('SIGTERM');
    expect([told, ended]).toEqual([1, [143]]);
  });

  test('alone is looked after', () => {
    const { self } = fake(2);
    expect(self.eventNames()).toEqual([]);
  });

  test('really ends, with the code of the signal', async () => {
    const file = new URL('init-signals.ts', import.meta.url).href;
    const code = `const { endOnSignals } = await import(process.argv[1]);
      endOnSignals(Object.create(process, { pid: { value: 1 } })); setInterval(() => {}, 1000); console.log('ready');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const over = once(child, 'exit');
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    expect(await over).toEqual([143, null]);
  });
});
