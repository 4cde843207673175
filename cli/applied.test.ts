import { describe, expect, test } from 'vitest';
import { openStore } from '#control-api/open-store.ts';
import { createControlApi } from '#control-api/server.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import { Api } from './api.ts';
import { applyOne, goJson } from './applied.ts';
import { LAST_APPLIED } from './merge-patch.ts';

const service = (ports: readonly object[], labels: Record<string, string> = {}): Resource => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'reviews', namespace: 'default', labels },
  spec: { selector: { app: 'reviews' }, ports },
});

async function serve(): Promise<{
  api: Api;
  store: ReturnType<typeof openStore>;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const store = openStore({ dir: null });
  const server = await createControlApi({
    host: '127.0.0.1',
    port: 0,
    store,
    runtime: null,
    ready: () => ({ ready: true, reasons: [] }),
    analyze: () => [],
    version: '0',
  });
  return { api: new Api(server.url), store, [Symbol.asyncDispose]: () => server.close() };
}

describe('apply', () => {
  test('creates, leaves alone, changes and removes what is written no more, and keeps what the server filled in', async () => {
    await using it = await serve();
    const outcome = async (resource: Resource): Promise<string> => (await applyOne(it.api, resource, false)).outcome;
    expect(await outcome(service([{ port: 9080 }], { a: '1' }))).toBe('created');
    expect(await outcome(service([{ port: 9080 }], { a: '1' }))).toBe('unchanged');
    expect(await outcome(service([{ port: 9081 }]))).toBe('configured');
    const now = it.store.get('Service', 'default', 'reviews')!;
    expect(now.metadata.labels ?? {}).toEqual({});
    expect(now.spec).toMatchObject({ ports: [{ port: 9081, targetPort: 9081, protocol: 'TCP' }] });
  });

  test('with dry run changes nothing', async () => {
    await using it = await serve();
    expect((await applyOne(it.api, service([{ port: 1 }]), true)).outcome).toBe('created');
    expect(it.store.get('Service', 'default', 'reviews')).toBeUndefined();
  });

  test('notes what was applied byte for byte as kubectl does', async () => {
    await using it = await serve();
    await applyOne(it.api, service([{ port: 9080, name: 'http' }]), false);
    expect(it.store.get('Service', 'default', 'reviews')!.metadata.annotations?.[LAST_APPLIED]).toBe(
      '{"apiVersion":"v1","kind":"Service","metadata":{"annotations":{},"labels":{},"name":"reviews","namespace":"default"},"spec":{"ports":[{"name":"http","port":9080}],"selector":{"app":"reviews"}}}\n',
    );
    expect(goJson({ b: '<&>', a: undefined })).toBe('{"b":"\\u003c\\u0026\\u003e"}\n');
  });
});
