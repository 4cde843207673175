/** DNS capture where it belongs: an application that asks its resolver, a kernel that leads the question elsewhere, a connection by the answer. */
import { mkdtempSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startNetwork, whyNoNamespaces, type Host, type Network, type Running } from '../kit/namespace.ts';

const PROXY = 1337;
const APP = 1000;
const missing = whyNoNamespaces(['iptables-restore', 'dig']);

describe.skipIf(missing !== null)(`DNS capture in a network namespace${missing === null ? '' : `: ${missing}`}`, () => {
  let network: Network;
  let app: Host;
  let outside: Host;
  const dir = mkdtempSync(join(tmpdir(), 'lateen-dns-ns-'));

  /** What `dig` says as the application, which asks its own resolver. */
  const dig = async (...args: readonly string[]): Promise<string> => digIn(app, outside.ip, '+short', ...args);
  const digIn = async (host: Host, server: string, ...args: readonly string[]): Promise<string> =>
    (await host.run('dig', [`@${server}`, '+tries=1', '+time=3', ...args], { uid: APP })).stdout.trim();

  /** `excluded`: whose connections and questions the kernel leaves alone. */
  async function startPod(name: string, excluded: number): Promise<{ readonly host: Host; readonly sidecar: Running }> {
    const host = await network.host(name);
    return { host, sidecar: await capture(host, String(excluded), outside.ip) };
  }

  async function capture(host: Host, excluded: string, upstream: string): Promise<Running> {
    const iptables = await host.run('./lateen', ['iptables', '--redirect-dns', '--proxy-uid', excluded]);
    expect(iptables.code, iptables.stderr).toBe(0);
    const argv = ['sidecar', `--config=${dir}`, '--workload=app', `--ip=${host.ip}`, '--interception-mode=REDIRECT'];
    return host.start(
      process.execPath,
      ['cli/main.ts', ...argv, '--dns-capture', '--dns-capture=[::1]:15053', `--dns-upstream=${upstream}`],
      { uid: PROXY, ready: /configuration compiled/ },
    );
  }

  beforeAll(async () => {
    network = await startNetwork();
    outside = await network.host('outside');
    chmodSync(dir, 0o755);
    writeFileSync(join(dir, 'resources.yaml'), resources(outside.ip));
    await outside.start(process.execPath, ['--input-type=module', '--eval', OUTSIDE, outside.ip], { ready: /ready/ });
    app = (await startPod('app', PROXY)).host;
  }, 60_000);

  afterAll(async () => {
    await network?.[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  test.each([['+notcp'], ['+tcp']])(
    'the question of the application is answered by its proxy (%s)',
    async (transport) => {
      expect(await dig(transport, 'mysql.example')).toMatch(/^240\.240\.\d+\.\d+$/);
    },
  );

  test.each([['+notcp'], ['+tcp']])('the questions of the proxy are not led back to it (%s)', async (transport) => {
    expect(await dig(transport, 'elsewhere.example')).toBe('9.9.9.9');
  });

  test.each([['+notcp'], ['+tcp']])('so it is over IPv6 (%s)', async (transport) => {
    expect(await digIn(app, outside.ipv6, '+short', transport, 'mysql.example')).toMatch(/^240\.240\.\d+\.\d+$/);
    expect(await digIn(app, outside.ipv6, '+short', transport, 'elsewhere.example')).toBe('9.9.9.9');
  });

  test('where nobody has excluded the proxy, questions that come back to it are refused, and it says so', async () => {
    const { host, sidecar } = await startPod('wrong', 4321);
    expect(await digIn(host, outside.ip, '+tcp', 'elsewhere.example')).toMatch(/status: REFUSED/);
    await sidecar.printed(/questions to other servers come back here/);
    expect(await digIn(host, outside.ip, '+tcp', '+short', 'mysql.example')).toMatch(/^240\.240\./);
  });

  test('in a container, where Docker leads questions to a resolver of its own', async () => {
    const host = await network.host('container');
    // As dockerd does in each container: the resolver listens on another port of 127.0.0.11.
    const rules = `*nat\n-A OUTPUT -d 127.0.0.11 -p udp --dport 53 -j DNAT --to-destination 127.0.0.11:40053
-A POSTROUTING -s 127.0.0.11 -p udp --sport 40053 -j SNAT --to-source :53\nCOMMIT\n`;
    expect((await host.run('iptables-restore', ['--noflush'], { input: rules })).code).toBe(0);
    await host.start(process.execPath, ['--input-type=module', '--eval', DOCKER], { ready: /ready/ });
    await capture(host, String(PROXY), '127.0.0.11');
    expect(await digIn(host, '127.0.0.11', '+short', 'mysql.example')).toMatch(/^240\.240\./);
    expect(await digIn(host, '127.0.0.11', '+short', 'elsewhere.example')).toBe('9.9.9.9');
  });

  test('a connection to the address that was made up reaches the service', async () => {
    const address = await dig('mysql.example');
    const code = `const s = require('node:net').connect(3306, '${address}'); s.on('data', (d) => { process.stdout.write(d); s.destroy(); }).on('error', (e) => console.log(e.message))`;
    const { stdout } = await app.run(process.execPath, ['-e', code], { uid: APP });
    expect(stdout).toBe('hello from outside');
  });
});

const resources = (address: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: mysql }
spec:
  hosts: [mysql.example]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 3306, name: mysql, protocol: MYSQL }]
  endpoints: [{ address: ${address} }]
`;

const DOCKER = `
  import { startNameServer } from './test/kit/name-server.ts';
  await startNameServer('127.0.0.11', ({ name }) => ({ answers: [{ type: 'A', name, data: '9.9.9.9' }] }), 40053);
  console.log('ready');
`;

/** The resolver of the application, and a server that speaks first. */
const OUTSIDE = `
  import { createServer } from 'node:net';
  import { startNameServer } from './test/kit/name-server.ts';
  const ip = process.argv[1];
  await startNameServer(ip, ({ name }) => ({ answers: [{ type: 'A', name, data: '9.9.9.9' }] }), 53);
  createServer((socket) => socket.on('error', () => {}).end('hello from outside')).listen(3306, ip, () => console.log('ready'));
`;
