import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, test } from 'vitest';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'lateen-iptables-'));
afterAll(() => rmSync(directory, { recursive: true }));

const dryRun = (...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [MAIN, 'iptables', '--dry-run', ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });

const annotations = (...lines: readonly string[]): string => {
  const file = join(directory, 'annotations');
  writeFileSync(file, lines.join('\n'));
  return file;
};

describe('lateen iptables --dry-run', () => {
  test('takes annotations of a pod, but what a flag says comes first', async () => {
    const file = annotations(
      'traffic.sidecar.istio.io/excludeInboundPorts="9090"',
      'traffic.sidecar.istio.io/excludeOutboundIPRanges="10.0.0.0/8"',
      'traffic.sidecar.istio.io/excludeOutboundPorts="22"',
    );
    const { stdout, stderr } = await dryRun('--annotations', file, '-o', '25');
    assert.equal(stderr, '');
    // To the ports of the proxy itself, as Istio's injector does.
    for (const port of [15_090, 15_021, 15_020, 9090])
      assert.match(stdout, new RegExp(`-A ISTIO_INBOUND -p tcp -m tcp --dport ${port} -j RETURN`));
    assert.match(stdout, /-A ISTIO_OUTPUT -d 10\.0\.0\.0\/8 -j RETURN/);
    assert.match(stdout, /-A ISTIO_OUTPUT -p tcp -m tcp --dport 25 -j RETURN/);
    assert.doesNotMatch(stdout, /--dport 22 /);
  });

  test('prints what each program would get, and nothing that is wrong', async () => {
    const right = await dryRun();
    assert.equal(right.code, 0);
    assert.match(
      right.stdout,
      /^# iptables-restore --noflush\n\*nat\n[^#]+COMMIT\n# ip6tables-restore --noflush\n\*nat\n[^#]+COMMIT\n# ip -6 address add ::6\/128 dev lo\n$/,
    );
    const wrong = await dryRun('--annotations', annotations('traffic.sidecar.istio.io/excludeInterfaces="eth0;id"'));
    assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
    assert.match(
      wrong.stderr,
      /annotations:1: traffic\.sidecar\.istio\.io\/excludeInterfaces: expected network interfaces such as eth1, got "eth0;id"/,
    );
    assert.equal((await dryRun('--annotations', join(directory, 'missing'))).code, 2);
  });
});
