import { describe, expect, test } from 'vitest';
import { kindFor, KINDS } from '#proxy/istio/kinds.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import { age, span } from './age.ts';
import { tableOf } from './table.ts';

type Table = {
  columnDefinitions: { name: string; priority: number }[];
  rows: { cells: unknown[]; object: { kind?: string } | null }[];
};

const table = (apiVersion: string, resource: Partial<Resource>, include: string | null = null): Table => {
  const info = kindFor(apiVersion, resource.kind!)!;
  const whole = {
    apiVersion,
    spec: {},
    ...resource,
    metadata: { name: 'x', namespace: 'default', ...resource.metadata },
  };
  return tableOf(info, [whole as Resource], { resourceVersion: '1', include }) as Table;
};
/** Column name → cell; columns of -o wide included. */
const row = (apiVersion: string, resource: Partial<Resource>): Record<string, unknown> => {
  const { columnDefinitions, rows } = table(apiVersion, resource);
  return Object.fromEntries(columnDefinitions.map((c, i) => [c.name, rows[0]!.cells[i]]));
};
const running = (name: string, ready = true): object => ({ name, ready, restartCount: 0, state: { running: {} } });

describe('tables', () => {
  test('a VirtualService shows gateways and hosts as JSON, as its CRD columns do', () => {
    const cells = row('networking.istio.io/v1', { kind: 'VirtualService', spec: { hosts: ['*'], gateways: ['gw'] } });
    expect(cells).toMatchObject({ Name: 'x', Gateways: '["gw"]', Hosts: '["*"]', Age: '<unknown>' });
  });

  test('every kind has as many cells as columns, and a name first (last of events)', () => {
    for (const { group, versions, kind } of KINDS) {
      const { columnDefinitions, rows } = table(group === '' ? versions[0]! : `${group}/${versions[0]}`, { kind });
      expect(rows[0]!.cells, kind).toHaveLength(columnDefinitions.length);
      expect(columnDefinitions.at(kind === 'Event' ? -1 : 0), kind).toMatchObject({ name: 'Name', format: 'name' });
    }
  });

  for (const { it, status, metadata, shows } of [
    {
      it: 'running',
      status: { phase: 'Running', containerStatuses: [running('a'), running('b')] },
      shows: { Ready: '2/2', Status: 'Running', Restarts: '0' },
    },
    {
      it: 'not ready',
      status: { phase: 'Running', containerStatuses: [running('a'), running('b', false)] },
      shows: { Ready: '1/2', Status: 'Running' },
    },
    {
      it: 'crash looping',
      status: {
        phase: 'Running',
        containerStatuses: [
          { name: 'a', restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } } },
          running('b'),
        ],
      },
      shows: { Ready: '1/2', Status: 'CrashLoopBackOff', Restarts: '4' },
    },
    {
      it: 'completed',
      status: {
        phase: 'Succeeded',
        containerStatuses: [{ name: 'a', state: { terminated: { reason: 'Completed', exitCode: 0 } } }],
      },
      shows: { Ready: '0/2', Status: 'Completed' },
    },
    {
      it: 'failed without a reason',
      status: { phase: 'Failed', containerStatuses: [{ name: 'a', state: { terminated: { exitCode: 3 } } }] },
      shows: { Status: 'ExitCode:3' },
    },
    { it: 'pending', status: { phase: 'Pending' }, shows: { Ready: '0/2', Status: 'Pending' } },
    {
      it: 'terminating',
      status: { phase: 'Running', containerStatuses: [running('a')] },
      metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' },
      shows: { Status: 'Terminating' },
    },
  ] as { it: string; status: object; metadata?: Resource['metadata']; shows: object }[]) {
    test(`a pod that is ${it}`, () => {
      const spec = { containers: [{ name: 'a' }, { name: 'b' }] };
      expect(row('v1', { kind: 'Pod', spec, status, ...(metadata === undefined ? {} : { metadata }) })).toMatchObject(
        shows,
      );
    });
  }

  test('a deployment shows READY, and containers with -o wide', () => {
    const spec = {
      replicas: 3,
      selector: { matchLabels: { app: 'x' } },
      template: { spec: { containers: [{ name: 'c', image: 'i' }] } },
    };
    const status = { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 };
    const cells = row('apps/v1', { kind: 'Deployment', spec, status });
    expect(cells).toMatchObject({
      Ready: '2/3',
      'Up-to-date': 3,
      Available: 2,
      Containers: 'c',
      Images: 'i',
      Selector: 'app=x',
    });
    const wide = table('apps/v1', { kind: 'Deployment', spec }).columnDefinitions.filter((c) => c.priority > 0);
    expect(wide.map((c) => c.name)).toEqual(['Containers', 'Images', 'Selector']);
  });

  test.each<[string, object, object, object]>([
    ['that runs', { completions: 3 }, { succeeded: 1 }, { Status: 'Running', Completions: '1/3', Duration: '' }],
    [
      'that is complete',
      { completions: 1 },
      {
        startTime: '2026-01-01T00:00:00Z',
        completionTime: '2026-01-01T00:00:07Z',
        succeeded: 1,
        conditions: [{ type: 'Complete', status: 'True' }],
      },
      { Status: 'Complete', Completions: '1/1', Duration: '7s' },
    ],
    ['that failed', { completions: 1 }, { conditions: [{ type: 'Failed', status: 'True' }] }, { Status: 'Failed' }],
    ['whose pods share the work', { parallelism: 4 }, {}, { Completions: '0/1 of 4' }],
    [
      'that was resumed',
      { completions: 1 },
      { conditions: [{ type: 'Suspended', status: 'False' }] },
      { Status: 'Running' },
    ],
  ])('a job %s', (_, spec, status, shows) =>
    expect(row('batch/v1', { kind: 'Job', spec, status })).toMatchObject(shows),
  );

  test('a pod with a sidecar of its own counts it, and shows where its init containers are', () => {
    const helper = { name: 'helper', started: true, ready: true, state: { running: {} } };
    const spec = {
      containers: [{ name: 'a' }],
      initContainers: [{ name: 'helper', restartPolicy: 'Always' }, { name: 'b' }],
    };
    const cells = (status: object): object => row('v1', { kind: 'Pod', spec, status: { phase: 'Running', ...status } });
    expect(cells({ initContainerStatuses: [helper, { name: 'b', state: { running: {} } }] })).toMatchObject({
      Ready: '1/2',
      Status: 'Init:1/2',
    });
    const done = { name: 'b', state: { terminated: { exitCode: 0, reason: 'Completed' } } };
    const over = { name: 'a', ready: false, state: { terminated: { exitCode: 0, reason: 'Completed' } } };
    expect(cells({ initContainerStatuses: [helper, done], containerStatuses: [running('a')] })).toMatchObject({
      Ready: '2/2',
      Status: 'Running',
    });
    expect(cells({ initContainerStatuses: [helper, done], containerStatuses: [over] })).toMatchObject({
      Ready: '1/2',
      Status: 'Completed',
    });
    expect(cells({ containerStatuses: [over, running('istio-proxy')] })).toMatchObject({ Status: 'NotReady' });
  });

  test('a service shows ports, and what its load balancer gave it', () => {
    const spec = {
      type: 'LoadBalancer',
      ports: [
        { port: 80, nodePort: 31380 },
        { port: 53, protocol: 'UDP' },
      ],
    };
    expect(row('v1', { kind: 'Service', spec })).toMatchObject({
      'External-IP': '<pending>',
      'Port(s)': '80:31380/TCP,53/UDP',
    });
    const status = { loadBalancer: { ingress: [{ ip: '127.0.0.1' }] } };
    expect(row('v1', { kind: 'Service', spec, status })).toMatchObject({ 'External-IP': '127.0.0.1' });
  });

  test('rows carry metadata, the whole object, or nothing, as asked', () => {
    const kinds = [null, 'Object', 'None'].map(
      (include) => table('v1', { kind: 'ConfigMap' }, include).rows[0]!.object?.kind,
    );
    expect(kinds).toEqual(['PartialObjectMetadata', 'ConfigMap', undefined]);
  });
});

describe('ages', () => {
  const [S, M, H, D] = [1000, 60_000, 3_600_000, 86_400_000];
  for (const [ms, text] of [
    [0, '0s'],
    [-500, '0s'],
    [-5 * S, '<invalid>'],
    [119 * S, '119s'],
    [2 * M, '2m'],
    [2 * M + 5 * S, '2m5s'],
    [10 * M + 5 * S, '10m'],
    [179 * M, '179m'],
    [3 * H, '3h'],
    [3 * H + 20 * M, '3h20m'],
    [8 * H + 20 * M, '8h'],
    [47 * H, '47h'],
    [2 * D + 3 * H, '2d3h'],
    [8 * D + 3 * H, '8d'],
    [400 * D, '400d'],
    [2 * 365 * D, '2y'],
    [2 * 365 * D + 40 * D, '2y40d'],
    [9 * 365 * D, '9y'],
  ] as const) {
    test(`${ms} ms is ${text}`, () => expect(span(ms)).toBe(text));
  }
  test('no time is unknown', () => expect(age(undefined)).toBe('<unknown>'));
});
