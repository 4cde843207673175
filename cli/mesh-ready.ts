/** Is the mesh ready? When every Deployment is available and, with BookInfo in it, a page through the gateway works. */
import { get } from 'node:http';
import type { Readiness } from '#control-api/lateen-routes.ts';
import { isRegistered } from '#control-api/registered-pod.ts';
import { GATEWAY_LABELS, GATEWAY_NAMESPACE } from '#control-api/runner/mesh-object.ts';
import { isReady, type Pod } from '#control-api/runner/object.ts';
import { matchesLabels } from '#control-api/runner/selector.ts';
import type { Store } from '#control-api/store.ts';
import type { Resource } from '#proxy/istio/resource.ts';

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

type PagePlace = { readonly host: string; readonly port: number; readonly path: string };

/** An answer that is younger than this is given again: many may ask at the same time. */
const FRESH_MS = 1000;

/**
 * The same of a mesh whose pods somebody else runs, looked at when it is asked for, and each time anew. `clockMs`: milliseconds
 * that only grow.
 */
export function readyOnDemand(store: Store, clockMs: () => number = () => performance.now()): () => Promise<Readiness> {
  let last: { readonly at: number; readonly answer: Promise<Readiness> } | null = null;
  return () => {
    const now = clockMs();
    if (last === null || now - last.at >= FRESH_MS) {
      const answer = lookAtRegistered(store);
      last = { at: now, answer };
      // A page may take longer than that: it is not asked for twice at a time.
      void answer.then(() => (last = { at: clockMs(), answer }));
    }
    return last.answer;
  };
}

async function lookAtRegistered(store: Store): Promise<Readiness> {
  const reasons = store.list('Deployment').flatMap((d) => missing(d, availableOf));
  if (reasons.length > 0) return { ready: false, reasons: [...reasons, ...store.list('Pod').flatMap(whyNotReady)] };
  const gateway = gatewayOf(store);
  if (store.get('Deployment', 'default', 'productpage-v1') === undefined || gateway === undefined) return READY;
  const { podIP } = gateway.status as { readonly podIP: string };
  const place = { host: podIP, port: 8080, path: '/productpage' };
  const page = await ask(place);
  return page.status === 200 ? READY : { ready: false, reasons: [pageProblem(place, page)] };
}

const READY: Readiness = { ready: true, reasons: [] };

/** A pod of the ingress gateway: one that is ready, if there is one. */
function gatewayOf(store: Store): Resource | undefined {
  const pods = store
    .list('Pod', GATEWAY_NAMESPACE)
    .filter((pod) => isRegistered(pod) && matchesLabels(GATEWAY_LABELS, pod.metadata.labels));
  return pods.find((pod) => isReady(pod as Pod)) ?? pods[0];
}

/** In the words of its condition. */
function whyNotReady(pod: Resource): string[] {
  const ready = (pod as Pod).status?.conditions?.find((c) => c.type === 'Ready');
  if (!isRegistered(pod) || ready === undefined || ready.status === 'True') return [];
  return [`pod ${pod.metadata.namespace}/${pod.metadata.name}: ${ready.message ?? 'not ready'}`];
}

/** `page`: of the gateway, asked when BookInfo's product page is deployed. `patienceMs`: how long parts of it may fail. */
export function watchReady(store: Store, page: PagePlace, patienceMs = PATIENCE_MS): ReadyWatch {
  let state: Readiness = { ready: false, reasons: ['starting'] };
  let firstPage = 0;

  async function look(): Promise<Readiness> {
    const reasons = store.list('Deployment').flatMap((d) => missing(d, updatedOf));
    if (reasons.length > 0) return { ready: false, reasons: [...reasons, ...store.list('Pod').flatMap(troubles)] };
    if (store.get('Deployment', 'default', 'productpage-v1') === undefined || store.list('Gateway').length === 0)
      return { ready: true, reasons: [] };
    const answer = await ask(page);
    if (answer.status !== 200) return { ready: false, reasons: [pageProblem(page, answer)] };
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

function missing({ metadata, spec, status }: Resource, count: (status: Status) => number): string[] {
  const wanted = (spec as { replicas?: number }).replicas ?? 1;
  const have = count(status ?? {});
  return have >= wanted ? [] : [`deployment ${metadata.namespace}/${metadata.name}: ${have} of ${wanted} ready`];
}

const availableOf = ({ availableReplicas = 0 }: Status): number => availableReplicas;
const updatedOf = ({ availableReplicas = 0, updatedReplicas = 0 }: Status): number =>
  Math.min(availableReplicas, updatedReplicas);

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

const pageProblem = ({ host, port, path }: PagePlace, { status, error }: Page): string =>
  `http://${host}:${port}${path} ${error ?? `answers ${status}`}`;

function ask({ host, port, path }: PagePlace): Promise<Page> {
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
