/** Gateways as processes, on the same address and with the same flags: what hands over to what, and what a client sees of it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = new URL('../..', import.meta.url).pathname;
const READY_MS = 20_000;

export type GatewayProcess = {
  readonly child: ChildProcess;
  /** What it has logged so far. */
  log(): string;
  /** Resolves with its exit code. */
  readonly over: Promise<number | null>;
};

export type GatewayPlace = AsyncDisposable & {
  readonly ip: string;
  /** Where clients come in; `/slow` takes 300 ms, everything under `/nowhere` has no route. */
  readonly port: number;
  /** Starts one more, with more flags of Node and of the gateway. */
  start(flags?: readonly string[], node?: readonly string[]): GatewayProcess;
  /** Resolves when somebody at this address says it is ready. */
  ready(): Promise<void>;
};

/** An origin, a directory of resources that leads to it, and an address for gateways. */
export async function gatewayPlace(ip: string): Promise<GatewayPlace> {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-gateway-'));
  const origin = createServer((request, response) => {
    setTimeout(() => response.end('ok\n'), request.url === '/slow' ? 300 : 0);
  }).listen(0, ip);
  await once(origin, 'listening');
  const port = await freePort(ip);
  const ready = await freePort(ip);
  writeFileSync(join(dir, 'resources.yaml'), resources(ip, (origin.address() as AddressInfo).port));
  const running = new Set<GatewayProcess>();
  return {
    ip,
    port,
    start(flags = [], node = []) {
      const argv = ['gateway', `--config=${dir}`, `--ip=${ip}`, `--port-map=80=${port}`, '--access-log=off'];
      const ports = [`--ready-port=${ready}`, '--admin-port=0', '--metrics-port=0', '--merged-port=0'];
      const handover = [`--handover=${join(dir, 'handover')}`, '--drain=3s'];
      const child = spawn(process.execPath, [...node, 'cli/main.ts', ...argv, ...ports, ...handover, ...flags], {
        cwd: ROOT,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let logged = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (logged += text));
      const over = once(child, 'exit').then(([code]) => (running.delete(process_), code as number | null));
      const process_: GatewayProcess = { child, log: () => logged, over };
      running.add(process_);
      return process_;
    },
    async ready() {
      const deadline = performance.now() + READY_MS;
      while ((await status(ip, ready)) !== 200) {
        if (performance.now() < deadline) await new Promise((again) => setTimeout(again, 20));
        else throw new Error(`no gateway became ready:\n${[...running].map((p) => p.log()).join('\n')}`);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const { child } of running) child.kill('SIGKILL');
      await Promise.all([...running].map((p) => p.over));
      origin.closeAllConnections();
      origin.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** One request on a connection of its own: its status, or why there is none. */
export function fresh(ip: string, port: number, head = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, ip, () => socket.write(head));
    const end = (why: string): void => {
      resolve(why);
      socket.destroy();
    };
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      if (/\r\n\r\n(?:ok\n)?$/.test(text)) end(text.slice(9, 12));
    });
    socket.setTimeout(5000, () => end('nothing came'));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on('close', () => end(`closed after ${text.length} bytes`));
  });
}

/** New connections without pause until it is stopped. Resolves with how many there were and how those ended that were not a 200. */
export function freshLoad(
  { ip, port, head }: { readonly ip: string; readonly port: number; readonly head?: string },
  clients: number,
): { stop(): Promise<{ readonly requests: number; readonly failed: readonly string[] }> } {
  const stopping = new AbortController();
  let requests = 0;
  const failed: string[] = [];
  const one = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      requests++;
      const how = await fresh(ip, port, head);
      if (how !== '200') failed.push(how);
    }
  };
  const all = Array.from({ length: clients }, one);
  return {
    async stop() {
      stopping.abort();
      await Promise.all(all);
      return { requests, failed };
    },
  };
}

const status = (ip: string, port: number): Promise<number> =>
  new Promise((resolve) => {
    get({ host: ip, port, path: '/healthz/ready', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', () => resolve(0));
  });

async function freePort(ip: string): Promise<number> {
  const server = createTcpServer().listen(0, ip);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const resources = (ip: string, port: number): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: gw, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*'] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: all, namespace: istio-system }
spec:
  hosts: ['a.test']
  gateways: [gw]
  http: [{ route: [{ destination: { host: origin.test, port: { number: 80 } } }] }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: origin, namespace: istio-system }
spec:
  hosts: [origin.test]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: ${ip}, ports: { http: ${port} } }]
`;
