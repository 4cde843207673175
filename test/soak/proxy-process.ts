/** The proxy under the soak, started as a user starts it, and what its process and its metrics say of it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../lateen', import.meta.url));
export const PORT = 8080;
const METRICS_PORT = 15090;

export type Sample = {
  /** Seconds since the start of the soak. */
  readonly at: number;
  readonly rssMb: number;
  readonly pssMb: number;
  readonly fds: number;
  readonly threads: number;
  /** Share of one core since the sample before, per cent. */
  readonly cpu: number;
  /** Of the metrics page: sums by name, without labels. */
  readonly metrics: Readonly<Record<string, number>>;
};

export class ProxyProcess implements AsyncDisposable {
  readonly host: string;
  readonly #child: ChildProcess;
  #complaints = '';
  #cpuMs = 0;
  #cpuAt = performance.now();

  private constructor(host: string, child: ChildProcess) {
    this.host = host;
    this.#child = child;
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-8000);
    });
  }

  static async start(host: string, config: string, concurrency: number): Promise<ProxyProcess> {
    // Another soak's proxy would answer for ours, and be judged by our clients.
    if (await accepts(host, PORT)) throw new Error(`${host}:${PORT} is in use; choose another address with --ip`);
    const args = ['gateway', '--config', config, '--ip', host, '--port-map', `80=${PORT}`];
    const more = ['--concurrency', String(concurrency), '--access-log', '/dev/null', '--tracing', '1'];
    // In a group of its own: Ctrl-C is for the soak, which has a last look at the proxy.
    const child = spawn(COMMAND, [...args, ...more], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    const proxy = new ProxyProcess(host, child);
    process.once('exit', () => child.kill('SIGKILL'));
    for (let tries = 0; !(await accepts(host, PORT)); tries++) {
      if (!proxy.alive || tries > 400) {
        await proxy[Symbol.asyncDispose]();
        throw new Error(`the proxy did not come up: ${proxy.complaints}`);
      }
      await new Promise((done) => setTimeout(done, 50));
    }
    return proxy;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The last 8 kB of its stderr. */
  get complaints(): string {
    return this.#complaints;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async sample(at: number): Promise<Sample> {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const kb = (text: string, name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    // utime and stime, in ticks of 10 ms.
    const cpuMs = (Number(stat[11]) + Number(stat[12])) * 10;
    const now = performance.now();
    const cpu = ((cpuMs - this.#cpuMs) / (now - this.#cpuAt)) * 100;
    this.#cpuMs = cpuMs;
    this.#cpuAt = now;
    return {
      at,
      rssMb: kb(status, 'VmRSS') / 1024,
      pssMb: kb(readFileSync(`/proc/${this.pid}/smaps_rollup`, 'utf8'), 'Pss') / 1024,
      fds: this.fds(),
      threads: kb(status, 'Threads'),
      cpu,
      metrics: await this.#metrics(),
    };
  }

  fds(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  async #metrics(): Promise<Record<string, number>> {
    const page = await fetch(`http://${this.host}:${METRICS_PORT}/stats/prometheus`).then(
      (answer) => answer.text(),
      () => '',
    );
    const sums: Record<string, number> = {};
    for (const [, name, value] of page.matchAll(/^(\w+?)(?:\{.*\})? ([-+.\deE]+)$/gm)) {
      if (!name!.endsWith('_bucket')) sums[name!] = (sums[name!] ?? 0) + Number(value);
    }
    return sums;
  }

  /** SIGTERM, and SIGKILL after ten seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.alive) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(timer);
  }
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
