import { afterEach, expect, test } from 'vitest';
import type { Resource } from '#proxy/istio/resource.ts';
import type { ProxyReport } from './proxy-report.ts';
import { call, start, stopAll } from './server.kit.ts';
import type { ControlApi } from './server.ts';

afterEach(stopAll);

const ME = { via: 'test', user: 'test' };

const report = (more: Partial<ProxyReport> = {}): ProxyReport => ({
  revision: 1,
  accepted: true,
  version: 'abc',
  problems: [],
  role: 'sidecar',
  workload: 'reviews-v2',
  ip: '127.66.0.9',
  metricsPort: 15_020,
  pid: 1,
  startedAt: '',
  ...more,
});

const pod = (name: string, phase = 'Running'): Resource => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'default',
    labels: { app: 'reviews', version: 'v2', 'app.kubernetes.io/part-of': 'bookinfo' },
  },
  spec: { serviceAccountName: 'bookinfo-reviews', nodeName: 'here', containers: [] },
  status: { phase, podIP: '127.66.0.9' },
});

const sink = () => ({ write: () => undefined, end: () => undefined });

async function targets(api: ControlApi) {
  const { status, body, headers } = await call(api, 'GET', '/lateen/v1/prometheus/targets');
  expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  return body as { targets: string[]; labels: Record<string, string> }[];
}

test('a proxy is one group, with the labels of its pod', async () => {
  const api = await start();
  expect(await targets(api)).toEqual([]);
  api.store.put(pod('reviews-0'), ME);
  api.proxies.connect('reviews-0.default', sink());
  api.proxies.report('reviews-0.default', report());
  const [group, ...others] = await targets(api);
  expect(others).toEqual([]);
  expect(group!.targets).toEqual(['127.66.0.9:15020']);
  expect(group!.labels).toMatchObject({
    __metrics_path__: '/stats/prometheus',
    __meta_lateen_pod_name: 'reviews-0',
    __meta_lateen_namespace: 'default',
    __meta_lateen_workload: 'reviews-v2',
    __meta_lateen_role: 'sidecar',
    __meta_lateen_service_account: 'bookinfo-reviews',
    __meta_lateen_pod_label_app_kubernetes_io_part_of: 'bookinfo',
    pod: 'reviews-0',
    namespace: 'default',
    app: 'reviews',
    version: 'v2',
    workload: 'reviews-v2',
  });
});

test('a proxy that lost the control API is watched while its pod runs, and no longer', async () => {
  const api = await start();
  api.store.put(pod('reviews-0'), ME);
  const disconnect = api.proxies.connect('reviews-0.default', sink());
  api.proxies.report('reviews-0.default', report());
  disconnect();
  expect(await targets(api)).toHaveLength(1);
  api.store.put(pod('reviews-0', 'Succeeded'), ME);
  expect(await targets(api)).toEqual([]);
});

test('a proxy without a pod is there while its stream is open', async () => {
  const api = await start();
  const disconnect = api.proxies.connect('vm-1.default', sink());
  expect(await targets(api)).toEqual([]); // nobody knows where it is
  api.proxies.report('vm-1.default', report({ ip: '::1', metricsPort: 15_090, workload: 'vm' }));
  expect(await targets(api)).toMatchObject([
    { targets: ['[::1]:15090'], labels: { pod: 'vm-1', app: 'vm', workload: 'vm' } },
  ]);
  disconnect();
  expect(await targets(api)).toEqual([]);
});

test('what is no address, or has no port, is not handed to Prometheus', async () => {
  const api = await start();
  for (const [name, wrong] of Object.entries({
    a: { ip: 'metadata.internal' },
    b: { ip: '127.66.0.9/x' },
    c: { metricsPort: 0 },
  })) {
    api.proxies.connect(`${name}.default`, sink());
    api.proxies.report(`${name}.default`, report(wrong));
  }
  expect(await targets(api)).toEqual([]);
});
