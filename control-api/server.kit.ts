/** What tests of the control API stand on: a server on a free port, calls, watches, and resources to send. */
import { Readable } from 'node:stream';
import { openStore } from './open-store.ts';
import { createControlApi, type ControlApi, type ControlApiOptions } from './server.ts';

const running: ControlApi[] = [];

/** For `afterEach`: stops every server that a test started. */
export async function stopAll(): Promise<void> {
  for (const api of running.splice(0)) {
    await api.close();
    api.store.close();
  }
}

export async function start(options: Partial<ControlApiOptions> = {}): Promise<ControlApi> {
  const api = await createControlApi({
    host: '127.0.0.1',
    port: 0,
    store: openStore({ dir: null }),
    runtime: null,
    ready: () => ({ ready: true, reasons: [] }),
    analyze: () => [],
    version: '0.0.0',
    ...options,
  });
  running.push(api);
  return api;
}

export const VS = '/apis/networking.istio.io/v1/namespaces/default/virtualservices';
export const PODS = '/api/v1/namespaces/default/pods';

// oxlint-disable-next-line typescript/no-explicit-any -- answers of an API, looked at by expect
export type Answer = { status: number; body: any; headers: Headers };

export async function call(
  api: ControlApi,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(api.url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: text }),
  });
  const answer = await response.text();
  const json = response.headers.get('content-type')?.includes('json') === true && !answer.includes('\n{');
  return { status: response.status, body: json ? JSON.parse(answer) : answer, headers: response.headers };
}

export const vs = (name: string, subset = 'v1', metadata: object = {}): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name, ...metadata },
  spec: { hosts: [name], http: [{ route: [{ destination: { host: name, subset } }] }] },
});
export const apply = (
  api: ControlApi,
  object: { metadata?: { name?: string } } & object,
  query: string,
  path = VS,
): Promise<Answer> =>
  call(api, 'PATCH', `${path}/${object.metadata?.name}?${query}`, object, {
    'content-type': 'application/apply-patch+yaml',
  });

/** Lines of a watch as they come; `stop` ends it. */
export async function watch(api: ControlApi, path: string, headers: Record<string, string> = {}) {
  const abort = new AbortController();
  const response = await fetch(api.url + path, { signal: abort.signal, headers });
  const lines = Readable.fromWeb(response.body as never).setEncoding('utf8');
  let rest = '';
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  const next = async (): Promise<any> => {
    while (!rest.includes('\n')) {
      const chunk = (lines.read() as string | null) ?? '';
      if (chunk === '') await new Promise<void>((resolve) => void lines.once('readable', resolve));
      rest += chunk;
    }
    const line = rest.slice(0, rest.indexOf('\n'));
    rest = rest.slice(rest.indexOf('\n') + 1);
    return JSON.parse(line);
  };
  lines.on('error', () => {});
  return {
    next,
    stop: () => abort.abort(),
    ended: () => new Promise<void>((resolve) => void lines.once('end', resolve).resume()),
  };
}
