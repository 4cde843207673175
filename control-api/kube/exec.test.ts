import { PassThrough, Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { PodRuntime } from '../pod-runtime.ts';
import type { ControlApi } from '../server.ts';
import { call, PODS, start, stopAll } from '../server.kit.ts';
import { unavailable } from './status-error.ts';

afterEach(stopAll);

describe('logs and exec', () => {
  /** A command `cat`: answers what it is sent; `fail` ends with code 3. */
  const runtime: PodRuntime = {
    logs: (_ns, pod, container, { tailLines }) =>
      container === 'none' ? null : Readable.from([`${pod}/${container} tail ${tailLines}\n`]),
    exec(_ns, _pod, _container, [command]) {
      const [stdin, stderr] = [new PassThrough(), new PassThrough()];
      stderr.end(command === 'fail' ? 'no\n' : '');
      if (command === 'fail') stdin.end();
      const done = new Promise<number>((resolve) => void stdin.once('end', () => resolve(command === 'fail' ? 3 : 0)));
      return { stdin, stdout: stdin, stderr, done, kill: () => stdin.end() };
    },
  };
  const pod = {
    metadata: { name: 'p' },
    spec: {
      containers: [
        { name: 'app', image: 'i' },
        { name: 'none', image: 'i' },
      ],
    },
  };

  async function exec(api: ControlApi, query: string, protocol: string, sends: Buffer[]): Promise<Map<number, string>> {
    const socket = new WebSocket(`${api.url.replace('http', 'ws')}${PODS}/p/exec?${query}`, [protocol]);
    const channels = new Map<number, string>();
    socket.on('message', (data: Buffer) =>
      channels.set(data[0]!, (channels.get(data[0]!) ?? '') + data.subarray(1).toString()),
    );
    socket.on('open', () => sends.forEach((bytes) => socket.send(bytes)));
    await new Promise<void>((resolve, reject) => void socket.once('close', resolve).once('error', reject));
    return channels;
  }

  test('logs are text, of the container that is asked for', async () => {
    const api = await start({ runtime });
    await call(api, 'POST', PODS, pod);
    expect((await call(api, 'GET', `${PODS}/p/log?container=app&tailLines=5`)).body).toBe('p/app tail 5\n');
    expect((await call(api, 'GET', `${PODS}/p/log`)).body.message).toMatch(/choose one of: \[app none\]/);
    expect((await call(api, 'GET', `${PODS}/p/log?container=none`)).body.message).toMatch(/has not run yet/);
    expect((await call(api, 'GET', `${PODS}/q/log`)).body.message).toBe('pods "q" not found');
  });

  for (const protocol of ['v5.channel.k8s.io', 'v4.channel.k8s.io']) {
    test(`exec carries input, output and the exit code (${protocol})`, async () => {
      const api = await start({ runtime });
      await call(api, 'POST', PODS, pod);
      const failed = await exec(api, 'container=app&command=fail&stdout=true&stderr=true', protocol, []);
      expect(failed.get(2)).toBe('no\n');
      expect(JSON.parse(failed.get(3)!)).toMatchObject({
        status: 'Failure',
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: '3' }] },
      });
    });
  }

  test('a command that cannot be started: why is told on the connection, as kubectl shows it', async () => {
    for (const [exec_, says] of [
      [async () => null, /container "app" of pod "p" is not running/],
      [async () => Promise.reject(unavailable('Docker says: no')), /^Docker says: no$/],
      [async () => Promise.reject(new Error('secret')), /^an internal error occurred/],
    ] as const) {
      const api = await start({ runtime: { ...runtime, exec: exec_ } });
      await call(api, 'POST', PODS, pod);
      const channels = await exec(api, 'container=app&command=ls&stdout=true', 'v5.channel.k8s.io', []);
      const { status, message } = JSON.parse(channels.get(3)!) as { status: string; message: string };
      expect([status, message]).toEqual(['Failure', expect.stringMatching(says)]);
    }
  });

  test('a command that starts after its client has gone is ended', async () => {
    const [asked, started, killed] = [
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
    ];
    const api = await start({
      runtime: {
        ...runtime,
        async exec(...about) {
          asked.resolve();
          await started.promise;
          return { ...(await runtime.exec(...about))!, kill: killed.resolve };
        },
      },
    });
    await call(api, 'POST', PODS, pod);
    const socket = new WebSocket(`${api.url.replace('http', 'ws')}${PODS}/p/exec?container=app&command=cat`, [
      'v5.channel.k8s.io',
    ]);
    socket.on('error', () => {});
    await asked.promise;
    const gone = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
    socket.terminate();
    await gone;
    started.resolve();
    await killed.promise;
  });

  test('the end of the server waits for no command to start', async () => {
    const asked = Promise.withResolvers<void>();
    const never = (): Promise<null> => (asked.resolve(), new Promise(() => {}));
    const api = await start({ runtime: { ...runtime, exec: never } });
    await call(api, 'POST', PODS, pod);
    const ended = exec(api, 'container=app&command=ls', 'v5.channel.k8s.io', []).catch(String);
    await asked.promise;
    await api.close();
    expect(await ended).toMatch(/socket hang up|ECONNRESET/);
  });

  test('the client can end the input of a command (v5)', async () => {
    const api = await start({ runtime });
    await call(api, 'POST', PODS, pod);
    const sends = [Buffer.from('\0hello '), Buffer.from('\0world'), Buffer.of(255, 0)];
    const channels = await exec(api, 'container=app&command=cat&stdin=true&stdout=true', 'v5.channel.k8s.io', sends);
    expect(channels.get(1)).toBe('hello world');
    expect(JSON.parse(channels.get(3)!)).toEqual({ metadata: {}, status: 'Success' });
  });

  for (const { it, query, headers, says } of [
    {
      it: 'a container that is not there',
      query: 'container=x&command=ls',
      headers: {},
      says: /container x is not valid for pod p: it has app, none/,
    },
    { it: 'no command', query: 'container=app', headers: {}, says: /at least one command/ },
    { it: 'a terminal', query: 'container=app&command=sh&tty=true', headers: {}, says: /Leave out -t/ },
    { it: 'SPDY', query: 'container=app&command=ls', headers: { upgrade: 'SPDY/3.1' }, says: /works over WebSocket/ },
    {
      it: 'a web page',
      query: 'container=app&command=ls',
      headers: { origin: 'http://evil.example' },
      says: /another origin/,
    },
  ]) {
    test(`exec refuses ${it} with a Status that says so`, async () => {
      const api = await start({ runtime });
      await call(api, 'POST', PODS, pod);
      const { connect } = await import('node:net');
      const { hostname, port, host } = new URL(api.url);
      const socket = connect(Number(port), hostname);
      const lines = {
        host,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-protocol': 'v5.channel.k8s.io',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        ...headers,
      };
      const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`GET ${PODS}/p/exec?${query} HTTP/1.1\r\n${head.join('')}\r\n`);
      const answer = String(Buffer.concat(await socket.toArray()));
      expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect((JSON.parse(answer.slice(answer.indexOf('{'))) as { message: string }).message).toMatch(says);
    });
  }
});
