import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { startControlPlane, type ControlPlane } from './control-plane.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-plane-'));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const starting = (stateDir: string, port = 0): Promise<ControlPlane> =>
  startControlPlane({
    host: '127.0.0.1',
    port,
    stateDir,
    allowHosts: [],
    watchDir: null,
    runtime: null,
    mesh: {},
    ready: () => ({ ready: true, reasons: [] }),
  });

async function freshOnce(stateDir: string, during: (plane: ControlPlane) => void = () => {}): Promise<boolean> {
  const plane = await starting(stateDir);
  during(plane);
  await plane.close();
  return plane.fresh;
}

async function takenPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('a state directory that cannot be made is named, with what to do', async () => {
  const file = join(tempDir(), 'file');
  writeFileSync(file, '');
  await expect(starting(join(file, 'state'))).rejects.toThrow(/state directory .*file\/state cannot be made .*ENOTDIR/);
});

describe('control plane', () => {
  test('is fresh until a mesh has begun with its state, however often a start failed', async () => {
    const dir = tempDir();
    await expect(starting(dir, await takenPort())).rejects.toThrow(/is taken/);
    expect(await freshOnce(dir)).toBe(true);
    expect(await freshOnce(dir, (plane) => plane.begun())).toBe(true);
    expect(await freshOnce(dir)).toBe(false);
  });

  test('two do not share a state directory', async () => {
    const dir = tempDir();
    const other = spawn('sleep', ['60']);
    undo.push(() => other.kill('SIGKILL'));
    await once(other, 'spawn');
    writeFileSync(join(dir, 'pid'), String(other.pid));
    await expect(starting(dir)).rejects.toThrow(`another lateen (process ${other.pid})`);
  });

  test.runIf(process.platform === 'linux')(
    'a process that only has the number of the one that died is not it',
    async () => {
      const dir = tempDir();
      writeFileSync(join(dir, 'pid'), `${process.ppid} 1`);
      expect(await freshOnce(dir)).toBe(true);
    },
  );
});
