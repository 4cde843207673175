/** Ours, started as a user starts it: one sidecar on files that say in Istio's words what the scenarios say in Envoy's. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serviceEntry } from './istio-text.ts';
import type { Proxy } from './proxy.ts';
import { fill, type Places, type Scenario } from './scenario.ts';

const command = fileURLToPath(new URL('../../lateen', import.meta.url));
/** The address is the test's own, so the standard ports are free on it. */
const PORTS = { outbound: 15001, inbound: 9080 };

/** Starts `lateen sidecar` on `address`; fails with its own words when it does not come up in 20 s. */
export async function startLateen(address: string, scenarios: readonly Scenario[], places: Places): Promise<Proxy> {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-oracle-ours-'));
  const log = join(dir, 'access.log');
  mkdirSync(join(dir, 'config'));
  writeFileSync(join(dir, 'config', 'oracle.yaml'), documents(scenarios, places));
  const child = spawn(
    command,
    [
      'sidecar',
      '--config',
      join(dir, 'config'),
      '--workload',
      'oracle-v1',
      '--labels',
      'app=oracle,version=v1',
      '--ip',
      address,
      '--app',
      `9080=${places.origin.host}:${places.origin.port}`,
      '--access-log',
      log,
      '--tracing',
      '0',
      '--outbound-policy',
      'REGISTRY_ONLY',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-4000);
  });
  try {
    await ready(child, address, () => complaints);
  } catch (cause) {
    await stop(child, dir);
    throw cause;
  }
  return {
    name: 'lateen',
    address,
    port: (side) => PORTS[side],
    log: () => (existsSync(log) ? linesOf(readFileSync(log, 'utf8')) : []),
    [Symbol.asyncDispose]: () => stop(child, dir),
  };
}

function documents(scenarios: readonly Scenario[], places: Places): string {
  const upstreams = (['origin', 'other', 'refused', 'blackhole'] as const).map((name) =>
    serviceEntry(`${name}.oracle`, places[name]),
  );
  const hosts = scenarios.filter((s) => s.side === 'outbound').map((s) => serviceEntry(s.host, places.origin));
  return [
    ...upstreams,
    serviceEntry('empty.oracle', null),
    ...hosts,
    IMPATIENT,
    OWN_SERVICE,
    ...scenarios.map((s) => fill(s.istio, places)),
  ].join('\n---\n');
}

/** The connect timeout that envoy.ts gives the cluster `blackhole`. */
const IMPATIENT = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: blackhole }
spec: { host: blackhole.oracle, trafficPolicy: { connectionPool: { tcp: { connectTimeout: 0.3s } } } }
`;

/** What makes port 9080 of the sidecar's address an inbound listener. */
const OWN_SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: app, namespace: default }
spec: { selector: { app: oracle }, ports: [{ name: http, port: 9080 }] }
`;

function linesOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Ready when both listeners accept. */
async function ready(child: ChildProcess, address: string, complaints: () => string): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (child.exitCode !== null) throw new Error(`lateen left with code ${child.exitCode}: ${complaints()}`);
    if ((await accepts(address, PORTS.outbound)) && (await accepts(address, PORTS.inbound))) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`lateen was not ready in 20 s: ${complaints()}`);
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

async function stop(child: ChildProcess, dir: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  rmSync(dir, { recursive: true, force: true });
}
