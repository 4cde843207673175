/** A pod as in a cluster, without the cluster: `lateen iptables`, then `lateen sidecar` beside an application that knows of neither. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { startNetwork, whyNoNamespaces, type Host, type Network, type Running } from '../kit/namespace.ts';
import type { Question } from './ask.ts';

const why = whyNoNamespaces(['iptables', 'ip6tables']);
const APP = { uid: 1000 };

/** What is not listed is blocked; of the database, only its name and address are known. */
const configuration = (database: string, pod: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: database, namespace: default }
spec:
  hosts: [database.example.com]
  addresses: [${database}]
  ports: [{ number: 3306, name: tcp-mysql, protocol: TCP }]
  location: MESH_EXTERNAL
  resolution: NONE
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec:
  clusterIP: 10.203.200.1
  selector: { app: web }
  ports: [{ name: tcp, port: 9090 }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: web-by-name, namespace: default }
spec:
  hosts: [web.example.com]
  addresses: [10.203.200.2]
  ports: [{ number: 80, targetPort: 9090, name: tcp, protocol: TCP }]
  resolution: STATIC
  endpoints: [{ address: ${pod} }]
`;

describe.skipIf(why !== null)(`an intercepted pod${why === null ? '' : ` (left out: ${why})`}`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'lateen-namespaces-'));
  let network: Network;
  let pod: Host;
  let peer: Host;
  let sidecar: Running;

  beforeAll(async () => {
    network = await startNetwork();
    pod = await network.host('pod');
    peer = await network.host('peer');
    const ready = /^ready$/m;
    const server = ['test/namespaces/server.ts'];
    await Promise.all([
      pod.start(process.execPath, [...server, 'app', 'tcp:9090'], { ready, ...APP, env: { TELL_FROM: '1' } }),
      peer.start(process.execPath, [...server, 'peer', 'tcp:3306', 'tcp:3307'], { ready }),
    ]);
    assert.equal((await pod.run('./lateen', ['iptables'])).code, 0);
    writeFileSync(join(directory, 'config.yaml'), configuration(peer.ip, pod.ip));
    const flags = ['--config', directory, '--ip', pod.ip, '--labels', 'app=web', '--outbound-policy', 'REGISTRY_ONLY'];
    sidecar = await pod.start('./lateen', ['sidecar', '--interception-mode', 'REDIRECT', ...flags], {
      uid: 1337,
      ready: /configuration compiled/,
    });
    const until = `while ((await fetch('http://${pod.ip}:15021/healthz/ready').catch(() => ({}))).status !== 200);`;
    assert.equal((await pod.run(process.execPath, ['--input-type=module', '-e', until])).code, 0);
  });
  afterAll(async () => {
    await network?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const ask = async (host: Host, as: object, ...questions: readonly Question[]): Promise<string[]> => {
    const { stdout } = await host.run(process.execPath, ['test/namespaces/ask.ts', JSON.stringify(questions)], as);
    return JSON.parse(stdout) as string[];
  };

  /** Resolves once the access log has such a line. */
  const logged = (...fields: readonly string[]): Promise<void> =>
    sidecar.printed(new RegExp(fields.map((field) => `(?=.*${RegExp.escape(field)})`).join('') + '.*\\n'));

  test('reaches what is listed, by the address it always had', async () => {
    assert.deepEqual(await ask(pod, APP, { host: peer.ip, port: 3306 }), ['peer:3306']);
    await logged(
      '"upstream_cluster":"outbound|3306||database.example.com"',
      `"downstream_local_address":"${peer.ip}:3306"`,
      `"upstream_host":"${peer.ip}:3306"`,
    );
  });

  test('does not reach what is not listed, and the log says what it was', async () => {
    assert.deepEqual(await ask(pod, APP, { host: peer.ip, port: 3307 }), ['ECONNRESET']);
    await logged('"upstream_cluster":"BlackHoleCluster"', `"downstream_local_address":"${peer.ip}:3307"`);
  });

  test('is reached at its own port, through its proxy', async () => {
    assert.deepEqual(await ask(peer, {}, { host: pod.ip, port: 9090 }), ['app:9090 from 127.0.0.6']);
    await logged('"upstream_cluster":"inbound|9090||"', `"downstream_local_address":"${pod.ip}:9090"`);
  });

  test('reaches itself as a service by its proxy twice: out, and in', async () => {
    assert.deepEqual(await ask(pod, APP, { host: '10.203.200.2', port: 80 }), ['app:9090 from 127.0.0.6']);
    await logged('"upstream_cluster":"outbound|80||web.example.com"', `"upstream_host":"${pod.ip}:9090"`);
  });

  test('cannot be made to send its proxy to itself', async () => {
    assert.deepEqual(await ask(peer, {}, { host: pod.ip, port: 15_001 }), ['ECONNRESET']);
    assert.deepEqual(await ask(pod, { uid: 1337 }, { host: pod.ip, port: 15_001 }), ['ECONNRESET']);
  });
});
