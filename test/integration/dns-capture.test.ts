/** A sidecar that answers DNS for its application: names of ServiceEntries without addresses lead to addresses that it takes connections for. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { compile } from '#proxy/compile/compile.ts';
import { DEFAULT_MESH } from '#proxy/compile/defaults.ts';
import { cidrPredicate } from '#proxy/core/cidr.ts';
import { parseText } from '#proxy/istio/parse.ts';
import { ResourceSet } from '#proxy/istio/resource.ts';
import { startNameServer, type NameServer } from '../kit/name-server.ts';
import { NODE } from '../kit/proxy.ts';

const IP = `127.44.${100 + (process.pid & 127)}.1`;
const PORT = 15053;
const HAS_DIG = spawnSync('dig', ['-v']).status === 0;

const entry = (name: string, port = 3306): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec:
  hosts: [${name}.example]
  location: MESH_EXTERNAL
  resolution: DNS
  ports: [{ number: ${port}, name: tcp, protocol: TCP }]
  endpoints: [{ address: 127.44.0.9 }]
---`;

describe('a sidecar with --dns-capture', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-dns-'));
  const file = join(dir, 'resources.yaml');
  const resolver = new Resolver({ timeout: 3000, tries: 1 });
  let other: NameServer;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    writeFileSync(file, entry('mysql'));
    other = await startNameServer(IP, ({ name }) => ({ answers: [{ type: 'A', name, data: '9.9.9.9' }] }));
    const argv = ['sidecar', `--config=${dir}`, '--workload=app', `--ip=${IP}`, '--access-log=off'];
    const dns = [`--dns-capture=${IP}:${PORT}`, `--dns-upstream=${IP}:${other.port}`];
    const child = spawn(process.execPath, ['cli/main.ts', ...argv, ...dns], { stdio: ['ignore', 'ignore', 'pipe'] });
    let logged = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (logged += text));
    const over = once(child, 'exit');
    stop = async () => {
      child.kill('SIGTERM');
      await over;
    };
    resolver.setServers([`${IP}:${PORT}`]);
    await vi.waitFor(
      async () => {
        const { status } = await fetch(`http://${IP}:15021/healthz/ready`).catch(() => ({ status: 0 }));
        if (status !== 200) throw new Error(`not ready:\n${logged}`);
      },
      { timeout: 20_000 },
    );
  }, 30_000);

  afterAll(async () => {
    await stop?.();
    other?.[Symbol.dispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  test('answers for a ServiceEntry without addresses what the rules of connections know', async () => {
    const [address] = await resolver.resolve4('mysql.example');
    expect(address).toMatch(/^240\.240\./);
    const { resources } = parseText(readFileSync(file, 'utf8'), { defaultNamespace: 'default' });
    const { snapshot } = compile(new ResourceSet(resources), { ...NODE, interception: 'REDIRECT' }, DEFAULT_MESH);
    const listener = snapshot.listeners.find(({ name }) => name === 'outbound_15001')!;
    const rules = listener.kind === 'http' ? (listener.captured?.ports['3306']?.rules ?? []) : [];
    const taken = rules.filter(({ destinations }) => cidrPredicate(destinations)(address!));
    expect(taken.flatMap(({ split }) => split.map((s) => s.cluster))).toEqual(['outbound|3306||mysql.example']);
  });

  test('asks others for the rest, and follows its configuration', async () => {
    expect(await resolver.resolve4('second.example')).toEqual(['9.9.9.9']);
    const [before] = await resolver.resolve4('mysql.example');
    writeFileSync(file, entry('mysql') + entry('second', 3307));
    await expect.poll(async () => (await resolver.resolve4('second.example'))[0]).toMatch(/^240\.240\./);
    expect(await resolver.resolve4('mysql.example')).toEqual([before]);
  });

  test('counts what it answers', async () => {
    await resolver.resolve4('mysql.example');
    await resolver.resolve4('outside.example');
    const page = await (await fetch(`http://${IP}:15090/stats/prometheus`)).text();
    expect(page).toMatch(/^istio_agent_dns_requests_total [1-9]/m);
    expect(page).toMatch(/^istio_agent_dns_upstream_requests_total [1-9]/m);
    expect(page).toMatch(/^istio_agent_dns_upstream_failures_total 0$/m);
    expect(page).toMatch(/^istio_agent_dns_upstream_request_duration_seconds_count [1-9]/m);
    expect(page).toMatch(/^lateen_dns_requests_total\{result="answered"\} [1-9]/m);
  });

  test.skipIf(!HAS_DIG).each([
    ['over UDP', '+notcp'],
    ['over TCP', '+tcp'],
    ['without EDNS', '+noedns'],
    ['with a cookie and DNSSEC', '+dnssec'],
  ])('is understood by dig %s', async (_, flag) => {
    const argv = [`@${IP}`, '-p', String(PORT), flag, '+tries=1', '+time=3', 'MySQL.example', 'A'];
    const { stdout } = await promisify(execFile)('dig', argv);
    expect(stdout).toMatch(/status: NOERROR/);
    expect(stdout).toMatch(/^MySQL\.example\.\s+30\s+IN\s+A\s+240\.240\./m);
    expect(stdout).not.toMatch(/WARNING|malformed|mismatch/i);
  });
});
