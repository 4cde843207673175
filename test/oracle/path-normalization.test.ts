/** Istio's four modes of path normalization: what ours sends upstream is what a real Envoy sends that is set as Istio sets it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { findEnvoy } from '../../bench/targets/binary.ts';
import { PATH_NORMALIZATIONS, type PathNormalization } from '#proxy/core/path.ts';
import { startPlace, talk, type Place } from '../conformance/place.ts';
import { runEnvoy } from './envoy.ts';
import type { Proxy } from './proxy.ts';

const installed = findEnvoy() !== null;
const address = `127.45.${process.pid % 250}.2`;

/** pilot/pkg/networking/core/listener.go, setPathNormalization: MeshConfig's modes in Envoy's words. */
const SETTINGS: Readonly<Record<PathNormalization, object>> = {
  NONE: { normalize_path: false },
  BASE: { normalize_path: true },
  MERGE_SLASHES: { normalize_path: true, merge_slashes: true },
  DECODE_AND_MERGE_SLASHES: {
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD',
  },
};

const socket = (host: string, port: number): object => ({ socket_address: { address: host, port_value: port } });

/** One listener for each mode, all to the same origin. */
const config = (origin: number): object => ({
  admin: { address: socket(address, 0) },
  static_resources: {
    listeners: PATH_NORMALIZATIONS.map((mode) => ({
      name: mode,
      address: socket(address, 0),
      filter_chains: [
        { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager(mode) }] },
      ],
    })),
    clusters: [
      {
        name: 'origin',
        type: 'STATIC',
        load_assignment: {
          cluster_name: 'origin',
          endpoints: [{ lb_endpoints: [{ endpoint: { address: socket('127.0.0.1', origin) } }] }],
        },
      },
    ],
  },
});

const TYPE = 'type.googleapis.com/envoy.extensions.filters';
const manager = (mode: PathNormalization): object => ({
  '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
  stat_prefix: mode,
  ...SETTINGS[mode],
  http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.http.router.v3.Router` } }],
  route_config: {
    virtual_hosts: [
      { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'origin' } }] },
    ],
  },
});

const ESCAPES = Array.from({ length: 255 }, (_, i) => (i + 1).toString(16).padStart(2, '0')).flatMap((digits) => [
  `/a%${digits}`,
  `/a%${digits.toUpperCase()}b`,
]);

/** Dots that are written as escapes, with parameters: resolved by ours, passed on by Envoy 1.40. */
const HIDDEN_DOTS = /%2e[^/]*;/i;

const WRITTEN = [
  '/',
  '//',
  '///',
  '//a//',
  '/a/./b',
  '/a/../b',
  '/a//../b',
  '/a//../../b',
  '/../../b',
  '/a/..',
  '/a/.',
  '/a/...',
  '/a/%2e%2E/b',
  '/a/%2E./b',
  '/a/.%2f../b',
  '/a/%2e%2e%2fb',
  '/a%2f%2fb',
  '/a%5c..%5Cb',
  '/%2f..%2F%5c',
  '/%252e%252e%252fb',
  '/%25%32%66b',
  '/%c0%2e%c0%2e/b',
  '/%c0%afb',
  '/..;/b',
  '/a;b=c//d',
  '/a/..;b=c/d',
  '/a/.;/d',
  '/a/..;',
  '/a//b?c=//d%2Fe/../f',
  '/a?b/../c%5c',
  '/?',
  '/%zz/%4',
  '/%7e%7E/%41%5f',
];

describe.skipIf(!installed)('the path that is sent upstream', () => {
  const places = new Map<PathNormalization, Place>();
  let envoy: Proxy & { readonly port: (listener: string) => number };

  beforeAll(async () => {
    for (const mode of PATH_NORMALIZATIONS) places.set(mode, await startPlace({ pathNormalization: mode }));
    envoy = (await runEnvoy(address, () => config(places.get('BASE')!.originPort)))!;
  });
  afterAll(async () => {
    await envoy?.[Symbol.asyncDispose]();
    for (const place of places.values()) await place[Symbol.asyncDispose]();
  });

  /** The origin tells the target it saw; each path is a request of its own on one connection. */
  async function sent(host: string, port: number, paths: readonly string[]): Promise<string[]> {
    const bytes = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join('');
    const { answers, error } = await talk(port, [bytes], paths.length, [], host);
    assert.equal(error, null);
    return answers.map((answer, i) => `${paths[i]} -> ${answer.status} ${answer.body.trim()}`);
  }

  const both = (mode: PathNormalization, paths: readonly string[]): Promise<[envoy: string[], ours: string[]]> =>
    Promise.all([sent(address, envoy.port(mode), paths), sent('127.0.0.1', places.get(mode)!.proxy.port, paths)]);

  const agree = async (mode: PathNormalization, paths: readonly string[]): Promise<void> => {
    const [theirs, ours] = await both(mode, paths);
    // Where slashes are merged and nothing else is in a path, Envoy leaves two of them.
    const merged = mode.includes('MERGE') ? theirs.map((line) => line.replace(/ \/\/$/, ' /')) : theirs;
    assert.deepEqual(ours, merged);
  };

  for (const mode of PATH_NORMALIZATIONS) {
    test(`in ${mode} is Envoy’s, of every escape`, () => agree(mode, ESCAPES));
    test(`in ${mode} is Envoy’s, of dots, slashes and backslashes`, () => agree(mode, WRITTEN));
    test(`in ${mode} is Envoy’s, of anything made of these`, async () => {
      const piece = fc.constantFrom(
        '/',
        '/',
        '.',
        '..',
        '%2e',
        '%2E',
        '%2f',
        '%2F',
        '%5c',
        '%5C',
        'a',
        '%41',
        '%25',
        ';',
        '//',
      );
      const path = fc
        .array(piece, { minLength: 1, maxLength: 12 })
        .map((pieces) => `/${pieces.join('')}`)
        .filter((text) => !HIDDEN_DOTS.test(text));
      await agree(mode, fc.sample(path, { numRuns: 300, seed: 4 }));
    });
  }

  for (const mode of ['BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES'] as const) {
    test(`in ${mode} is none where %00 is in it`, () => agree(mode, ['/a%00']));
  }

  test('has no dots in it that hide behind an escape and parameters, though Envoy sends them', async () => {
    const [theirs, ours] = await both('BASE', ['/a/%2e%2e;b/c', '/a/.%2E;/c']);
    assert.deepEqual(theirs, ['/a/%2e%2e;b/c -> 200 /a/..;b/c', '/a/.%2E;/c -> 200 /a/..;/c']);
    assert.deepEqual(ours, ['/a/%2e%2e;b/c -> 200 /c', '/a/.%2E;/c -> 200 /c']);
  });

  test('in NONE is none either where %00 is in it, though Envoy sends it', async () => {
    assert.match((await sent(address, envoy.port('NONE'), ['/a%00']))[0]!, / 200 /);
    assert.match((await sent('127.0.0.1', places.get('NONE')!.proxy.port, ['/a%00']))[0]!, / 400 /);
  });
});
