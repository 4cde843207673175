/** Is the mesh ready? When every Deployment is available and, with BookInfo in it, a page through the gateway works. */
import { get } from 'node:http';
import type { Store } from '#control-api/store.ts';
import type { Resource } from '#proxy/istio/resource.ts';

export type Readiness = { readonly ready: boolean; readonly reasons: readonly string[] };

export type ReadyWatch = {
  /** As it was found last. Once ready, the mesh stays ready: what fails later is for probes and metrics to tell. */
  current(): Readiness;
  /** Resolves when it is ready, or `signal` is aborted. */
  wait(signal: AbortSignal): Promise<void>;
};

type Status = { readonly replicas?: number; readonly availableReplicas?: number; readonly updatedReplicas?: number };
type ContainerStatus = {
  readonly name: string;
  readonly ready: boolean;
  readonly state: { readonly waiting?: { readonly reason: string; readonly message?: string } };
};

const POLL_MS = 50;
/** A page whose parts fail for so long fails because someone wants it to (an injected fault, say), not because it is starting. */
const PATIENCE_MS = 5000;

/** `page`: of the gateway, asked when BookInfo's product page is deployed. `patienceMs`: how long parts of it may fail. */
export function watchReady(
  store: Store,
  page: { readonly host: string; readonly port: number; readonly path: string },
  patienceMs = PATIENCE_MS,
): ReadyWatch {
  let state: Readiness = { ready: false, reasons: ['starting'] };
  let firstPage = 0;

  async function look(): Promise<Readiness> {
    const reasons = store.list('Deployment').flatMap(missing);
    if (reasons.length > 0) return { ready: false, reasons: [...reasons, ...store.list('Pod').flatMap(troubles)] };
    if (store.get('Deployment', 'default', 'productpage-v1') === undefined || store.list('Gateway').length === 0)
      return { ready: true, reasons: [] };
    const answer = await ask(page);
    if (answer.status !== 200)
      return {
        ready: false,
        reasons: [`http://${page.host}:${page.port}${page.path} ${answer.error ?? `answers ${answer.status}`}`],
      };
    firstPage ||= Date.now();
    const whole = !/Error fetching|currently unavailable/.test(answer.body);
    return whole || Date.now() - firstPage >= patienceMs
      ? { ready: true, reasons: [] }
      : { ready: false, reasons: ['the page works, but parts of it do not yet'] };
  }

  return {
    current: () => state,
    async wait(signal) {
      while (!state.ready && !signal.aborted) {
        state = await look();
        if (!state.ready) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },
  };
}

function missing({ metadata, spec, status }: Resource): string[] {
  const wanted = (spec as { replicas?: number }).replicas ?? 1;
  const { availableReplicas = 0, updatedReplicas = 0 } = (status ?? {}) as Status;
  const have = Math.min(availableReplicas, updatedReplicas);
  return have >= wanted ? [] : [`deployment ${metadata.namespace}/${metadata.name}: ${have} of ${wanted} ready`];
}

/** What keeps a Pod's containers waiting, beyond being started just now. */
function troubles({ metadata, status }: Resource): string[] {
  const containers = ((status ?? {}) as { containerStatuses?: readonly ContainerStatus[] }).containerStatuses ?? [];
  return containers.flatMap(({ name, ready, state: { waiting } }) =>
    ready || waiting === undefined || waiting.reason === 'ContainerCreating'
      ? []
      : [
          `pod ${metadata.namespace}/${metadata.name}, ${name}: ${waiting.reason}${waiting.message === undefined ? '' : `: ${waiting.message}`}`,
        ],
  );
}

type Page = { readonly status: number; readonly body: string; readonly error?: string };

function ask({
  host,
  port,
  path,
}: {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}): Promise<Page> {
  return new Promise((resolve) => {
    const request = get({ host, port, path, agent: false, timeout: 10_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', (error) => resolve({ status: 0, body: '', error: error.message }));
    });
    request.on('timeout', () => request.destroy(new Error('does not answer')));
    request.on('error', (error) => resolve({ status: 0, body: '', error: `cannot be reached (${error.message})` }));
  });
}
