import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { VERBS } from './verbs.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

function lateen(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, ...args],
      { env: { PATH: process.env['PATH'], ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

describe('lateen', () => {
  test('shows its verbs', async () => {
    const { code, stdout } = await lateen([]);
    expect(code).toBe(0);
    for (const verb of Object.keys(VERBS)) expect(stdout).toMatch(new RegExp(`^ {2}${verb} +\\S`, 'm'));
  });

  test('suggests the verb that was meant', async () => {
    expect(await lateen(['aply', '-f', 'x'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'error: "aply" is not a verb of lateen.\nDid you mean: lateen apply?\n',
    });
  });

  test('every verb explains itself', async () => {
    const helps = await Promise.all(Object.keys(VERBS).map((verb) => lateen([verb, '--help'])));
    for (const [i, verb] of Object.keys(VERBS).entries())
      expect(helps[i]).toMatchObject({ code: 0, stdout: expect.stringContaining(`Usage: lateen ${verb}`) as string });
  });

  test('says what is wrong with an option', async () => {
    const { code, stderr } = await lateen(['up', '--port', 'http']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('Expected a port between 0 and 65535, got "http".');
  });

  test('says that no mesh runs, and what to do', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const { code, stderr } = await lateen(['get', 'pods'], { LATEEN_SERVER: `http://127.0.0.1:${port}` });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: no control API at http:\/\/127\.0\.0\.1:\d+ \(.*ECONNREFUSED.*\)\.\nIs the mesh running/,
    );
  });

  test('names file, line and column of what does not validate, and fails', async () => {
    const good = fileURLToPath(new URL('../config/bookinfo/bookinfo.yaml', import.meta.url));
    expect(await lateen(['validate', good])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^✔ \d+ resources are valid\.\n$/) as string,
    });
    const bad = fileURLToPath(new URL('../package.json', import.meta.url));
    const { code, stdout } = await lateen(['validate', bad]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/package\.json:\d+:\d+: error: /);
  });
});
