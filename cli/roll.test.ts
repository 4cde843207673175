/** lateen roll against a control API that is played, and a docker compose that writes down what it is asked for. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { REGISTERED } from '#control-api/registered-pod.ts';
import { command } from './roll.ts';

type Fake = { readonly name: string; readonly app: string; readonly registered?: boolean; incarnation: number };

let dir: string;
let server: Server;
let pods: Fake[];
let endpoints: readonly string[];
let rules: object[];
let routes: object[];
let said = '';

const podOf = ({ name, app, incarnation, registered = true }: Fake): object => ({
  metadata: {
    name,
    namespace: 'default',
    labels: { app, version: name.slice(-2) },
    annotations: registered ? { [REGISTERED]: `${incarnation}` } : {},
  },
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
});
const asked = (): string[] => readFileSync(join(dir, 'asked'), 'utf8').trim().split('\n');
const roll = (...args: readonly string[]): Promise<unknown> =>
  command()
    .exitOverride()
    .parseAsync([...args, '--server', `http://127.0.0.1:${(server.address() as AddressInfo).port}`], { from: 'user' });

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lateen-roll-'));
  writeFileSync(join(dir, 'asked'), '');
  const compose = join(dir, 'compose');
  writeFileSync(
    compose,
    `#!/bin/sh
case "$*" in
  version) exit 0;;
  *config*) printf '%s\\n' control reviews-v1 reviews-v1-pod reviews-v1-sidecar reviews-v2 reviews-v2-pod reviews-v2-sidecar details-v1 details-v1-pod details-v1-sidecar;;
  *broken*) echo 'no such image' >&2; exit 1;;
  *) echo "$*" >>${dir}/asked;;
esac
`,
  );
  chmodSync(compose, 0o755);
  vi.stubEnv('LATEEN_COMPOSE', compose);
  pods = [
    { name: 'reviews-v1', app: 'reviews', incarnation: 1 },
    { name: 'reviews-v2', app: 'reviews', incarnation: 1 },
    { name: 'details-v1', app: 'details', incarnation: 1 },
    { name: 'stray', app: 'stray', incarnation: 1 },
    { name: 'runner-made', app: 'runner', incarnation: 1, registered: false },
  ];
  endpoints = ['reviews-v1', 'reviews-v2'];
  rules = [];
  routes = [];
  said = '';
  server = createServer((request, response) => {
    const name = /\/pods\/([^/]+)$/.exec(request.url ?? '')?.[1];
    const pod = pods.find((p) => p.name === name);
    // Containers that were made anew register anew.
    if (
      pod !== undefined &&
      readFileSync(join(dir, 'asked'), 'utf8').includes(`up --detach --force-recreate ${pod.name}-pod`)
    )
      pod.incarnation = 2;
    const slices = [
      {
        metadata: { labels: { 'kubernetes.io/service-name': 'reviews' } },
        endpoints: endpoints.map((target) => ({ conditions: { ready: true }, targetRef: { name: target } })),
      },
    ];
    const plural = /[^/]+$/.exec(request.url ?? '')?.[0];
    const items = { endpointslices: slices, destinationrules: rules, virtualservices: routes }[plural ?? ''];
    const body = pod !== undefined ? podOf(pod) : { items: items ?? pods.map(podOf) };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(dir, { recursive: true });
});

describe('lateen roll', () => {
  test('replaces all pods of an application, each sidecar first, one pod after the other', async () => {
    await roll('reviews', '-f', 'a.yml', '-f', 'b.yml', '--build');
    const files = '-f a.yml -f b.yml';
    expect(asked()).toEqual([
      `${files} build`,
      ...['reviews-v1', 'reviews-v2'].flatMap((pod) => [
        `${files} stop ${pod}-sidecar`,
        `${files} stop ${pod}`,
        `${files} up --detach --force-recreate ${pod}-pod ${pod}-sidecar ${pod}`,
      ]),
    ]);
    expect(said).toMatch(/^reviews-v1 replaced in \d\.\d s\nreviews-v2 replaced in \d\.\d s\n$/);
  });

  test('says which service has nobody else meanwhile', async () => {
    endpoints = ['reviews-v2'];
    await roll('reviews-v2');
    expect(said).toContain('reviews-v2 is the only pod of service reviews that is ready');
    expect(asked()).toHaveLength(3);
  });

  test('says which subset that rules send to has nobody else meanwhile', async () => {
    const subset = (version: string): object => ({ name: version, labels: { version } });
    rules = [{ spec: { host: 'reviews.default.svc.cluster.local', subsets: [subset('v1'), subset('v2')] } }];
    routes = [{ spec: { http: [{ route: [{ destination: { host: 'reviews', subset: 'v2' } }] }] } }];
    await roll('reviews');
    expect(said.split('\n').filter((line) => line.includes('only pod'))).toEqual([
      'reviews-v2 is the only pod of subset v2 of reviews that is ready: its callers get 503 until it is back',
    ]);
  });

  test.each([
    ['nobody', /no pod "nobody" in namespace default/],
    ['review', /no pod "review"/],
    ['runner', /runner-made is no container of docker compose: the control API runs it itself/],
    ['stray', /the compose file has no service stray/],
  ])('%s cannot be replaced, and nothing is stopped', async (what, message) => {
    await expect(roll(what)).rejects.toThrow(message);
    expect(asked()).toEqual(['']);
  });

  test('what compose says goes on to whoever asked', async () => {
    await expect(roll('details', '-f', 'broken')).rejects.toThrow(/no such image/);
  });
});
