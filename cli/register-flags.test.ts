import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import type { ProxyNode } from '#proxy/snapshot/node.ts';
import { addRegisterFlags, registrationOf, type RegisterFlags } from './register-flags.ts';

const NODE = { role: 'sidecar', workload: 'reviews-v1', labels: { app: 'reviews' } } as unknown as ProxyNode;
const CONTROL = '--control=http://control:8001';

function register(role: ProxyNode['role'], argv: readonly string[], node: Partial<ProxyNode> = {}) {
  const command = new Command()
    .option('--control <url>')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  addRegisterFlags(command, role).parse(argv, { from: 'user' });
  return registrationOf(command.opts<RegisterFlags>(), { ...NODE, role, ...node });
}

describe('the flags of registration', () => {
  test('ask for nothing when they are not there', () => {
    expect(register('sidecar', [])).toEqual({});
    expect(register('gateway', [CONTROL])).toEqual({});
  });

  test('describe the application beside a sidecar', () => {
    expect(register('sidecar', [CONTROL, '--register'])).toEqual({
      register: { app: { name: 'reviews', image: 'reviews', ports: [], probe: null } },
    });
    const all = '--app-name=app --app-image=lateen --app-port=9080 --app-port=9081 --app-probe=tcp://127.0.0.1:9080';
    expect(register('sidecar', [CONTROL, '--register', ...all.split(' ')])).toEqual({
      register: {
        app: {
          name: 'app',
          image: 'lateen',
          ports: [9080, 9081],
          probe: { host: '127.0.0.1', port: 9080, path: null },
        },
      },
    });
    expect(register('sidecar', [CONTROL, '--register'], { labels: {} }).register?.app?.name).toBe('reviews-v1');
  });

  test('know no application beside a gateway', () => {
    expect(register('gateway', [CONTROL, '--register'])).toEqual({ register: { app: null } });
    expect(() => register('gateway', [CONTROL, '--register', '--app-name=x'])).toThrow("unknown option '--app-name=x'");
  });

  for (const [url, probe] of [
    ['http://127.0.0.1:9080/health', { host: '127.0.0.1', port: 9080, path: '/health' }],
    ['http://localhost/?deep=1', { host: 'localhost', port: 80, path: '/?deep=1' }],
    ['http://[::1]:9080', { host: '::1', port: 9080, path: '/' }],
    ['tcp://127.0.0.1:80', { host: '127.0.0.1', port: 80, path: null }],
    ['tcp://[::1]:6379/', { host: '::1', port: 6379, path: null }],
  ] as const) {
    test(`probe ${url}`, () => {
      expect(register('sidecar', [CONTROL, '--register', `--app-probe=${url}`]).register?.app?.probe).toEqual(probe);
    });
  }

  for (const [argv, says] of [
    ['--register', '--register needs --control URL'],
    ['--control=http://x --app-port=80', '--app-port needs --register'],
    ['--register --app-probe=9080', 'Expected http://HOST:PORT/PATH or tcp://HOST:PORT'],
    ['--register --app-probe=https://127.0.0.1:9080/', 'Expected http://HOST:PORT/PATH'],
    ['--register --app-probe=tcp://127.0.0.1', 'Expected http://HOST:PORT/PATH'],
    ['--register --app-probe=tcp://127.0.0.1:1/path', 'Expected http://HOST:PORT/PATH'],
    ['--register --app-probe=http://user:word@127.0.0.1:1/', 'Expected http://HOST:PORT/PATH'],
    ['--register --app-probe=http://127.0.0.1:0/', 'Expected http://HOST:PORT/PATH'],
    ['--register --app-probe=http://127.0.0.1:99999/', 'Expected http://HOST:PORT/PATH'],
    ['--register --app-port=0', 'Expected a port between 1 and 65535, got "0"'],
    ['--register --app-name=istio-proxy', 'Expected the name of a container'],
    ['--register --app-name=../x', 'Expected the name of a container'],
  ] as const) {
    test(`refuse ${argv}`, () => {
      expect(() => register('sidecar', argv.split(' '))).toThrow(says);
    });
  }

  test('ask for a name when the label is none', () => {
    const odd = { labels: { app: 'My_App' } };
    expect(() => register('sidecar', [CONTROL, '--register'], odd)).toThrow('give it one with --app-name');
  });
});
