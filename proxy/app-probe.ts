/** Is the application beside this proxy ready? Asked directly, past the proxy, as Istio's agent asks for a WorkloadGroup's `probe`. */
import type * as Http from 'node:http';
import { connect } from 'node:net';

/** Not by `import`, for what that would load: see proxy/admin/http-service.ts. */
const { get }: typeof Http = process.getBuiltinModule('node:http');

/** Where to ask. `path` null: a TCP connection is enough. */
export type ProbeTarget = { readonly host: string; readonly port: number; readonly path: string | null };

/** In milliseconds; `failures`: so many in a row. */
export type ProbeTiming = { readonly period: number; readonly timeout: number; readonly failures: number };

const TIMING: ProbeTiming = { period: 1000, timeout: 1000, failures: 2 };

/**
 * Ready at the first success, not ready after some failures in a row: readinessProbe of Kubernetes with successThreshold 1.
 * https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
 */
export class AppProbe {
  readonly #target: ProbeTarget;
  readonly #onChange: () => void;
  readonly #timing: ProbeTiming;
  readonly #end = new AbortController();
  #why: string | null = 'it has not answered its probe yet';
  #failures = 0;
  #timer: NodeJS.Timeout | null = null;

  /** `onChange`: told after `why` has become another. */
  constructor(target: ProbeTarget, onChange: () => void, timing: Partial<ProbeTiming> = {}) {
    this.#target = target;
    this.#onChange = onChange;
    this.#timing = { ...TIMING, ...timing };
  }

  /** Null: it is ready. Otherwise why it is not. */
  get why(): string | null {
    return this.#why;
  }

  start(): void {
    void this.#ask();
  }

  close(): void {
    this.#end.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #ask(): Promise<void> {
    const asked = performance.now();
    const { signal } = this.#end;
    const found = await probe(this.#target, this.#timing.timeout, signal);
    if (signal.aborted) return;
    this.#take(found);
    const { period } = this.#timing;
    this.#timer = setTimeout(() => void this.#ask(), Math.max(0, period - (performance.now() - asked)));
  }

  #take(found: string | null): void {
    this.#failures = found === null ? 0 : this.#failures + 1;
    // One failure of an application that was ready says nothing yet.
    if (found !== null && this.#why === null && this.#failures < this.#timing.failures) return;
    if (found === this.#why) return;
    this.#why = found;
    this.#onChange();
  }
}

/** Null: it answered well, which for HTTP is a status from 200 to 399, as for the kubelet. Never rejects. */
export async function probe(target: ProbeTarget, timeoutMs: number, signal?: AbortSignal): Promise<string | null> {
  const limit = AbortSignal.timeout(timeoutMs);
  const until = signal === undefined ? limit : AbortSignal.any([limit, signal]);
  const { host, port, path } = target;
  const what = path === null ? `dial tcp ${host}:${port}` : `Get "http://${host}:${port}${path}"`;
  try {
    const status = await (path === null ? dial(target, until) : request(target, path, until));
    return status === null || (status >= 200 && status < 400) ? null : `HTTP probe failed with statuscode: ${status}`;
  } catch (error) {
    return `${what}: ${limit.aborted ? `no answer within ${timeoutMs} ms` : (error as Error).message}`;
  }
}

function request({ host, port }: ProbeTarget, path: string, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'user-agent': 'kube-probe/lateen' };
    const asked = get({ host, port, path, headers, agent: false, signal }, (response) => {
      response.on('error', () => undefined);
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    asked.on('error', reject);
  });
}

function dial({ host, port }: ProbeTarget, signal: AbortSignal): Promise<null> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const end = (): void => {
      socket.destroy();
      reject(new Error('it took too long'));
    };
    signal.addEventListener('abort', end, { once: true });
    socket.once('connect', () => (socket.destroy(), resolve(null)));
    socket.once('error', reject);
    socket.once('close', () => signal.removeEventListener('abort', end));
  });
}
