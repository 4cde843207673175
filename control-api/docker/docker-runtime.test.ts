import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setImmediate as immediate } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import type { ExecProcess, LogOptions, PodRuntime } from '../pod-runtime.ts';
import { dockerRuntime } from './docker-runtime.ts';
import { composed, fakeEngine, frame, type FakeEngine, type FakeOptions } from './fake-engine.ts';

const REVIEWS = [composed('app1', 'reviews-v1'), composed('side1', 'reviews-v1-sidecar'), composed('gw1', 'gateway')];
const ALL: LogOptions = { follow: false, tailLines: null, previous: false, timestamps: false };

/** 16 MB of output. */
const MUCH = Array.from({ length: 256 }, () => frame(1, 'x'.repeat(65_536)));
const MUCH_BYTES = 256 * 65_536;

/** More turns of the event loop than it would take to read all of that. */
async function turns(): Promise<void> {
  for (let i = 0; i < 1000; i++) await immediate();
}

const engines: FakeEngine[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const engine of engines.splice(0)) await engine[Symbol.asyncDispose]();
});

type Started = { readonly runtime: PodRuntime; readonly engine: FakeEngine };

async function start(options: Partial<FakeOptions> = {}, project: string | null = null): Promise<Started> {
  const engine = await fakeEngine({ containers: REVIEWS, ...options });
  engines.push(engine);
  return { engine, runtime: dockerRuntime(engine.socketPath, project) };
}

const log = async ({ runtime }: Started, pod: string, container: string, options: Partial<LogOptions> = {}) =>
  text((await runtime.logs('default', pod, container, { ...ALL, ...options }))!);

/** Says whose log it is. */
const whose = (response: ServerResponse, _query: URLSearchParams, id: string): void => void response.end(frame(1, id));

describe('the container of a pod', () => {
  test.for([
    ['reviews-v1', 'reviews', 'app1'],
    ['reviews-v1', 'istio-proxy', 'side1'],
    ['gateway', 'istio-proxy', 'gw1'],
  ] as const)('of %s, %s', async ([pod, container, id]) => {
    expect(await log(await start({ logs: whose }), pod, container)).toBe(id);
  });

  test('is the first of several, and none that was only run once', async () => {
    const number = (n: number): Record<string, string> => ({ 'com.docker.compose.container-number': String(n) });
    const containers = [
      composed('run', 'a', { ...number(1), 'com.docker.compose.oneoff': 'True' }),
      composed('ten', 'a', number(10)),
      composed('two', 'a', number(2)),
    ];
    expect(await log(await start({ containers, logs: whose }), 'a', 'app')).toBe('two');
  });

  test('is of the project that was named, of the own one, or of the one the environment says', async () => {
    const other = { 'com.docker.compose.project': 'other' };
    const options = { containers: [...REVIEWS, composed('else', 'reviews-v1', other)], logs: whose };
    expect(await log(await start(options, 'other'), 'reviews-v1', 'reviews')).toBe('else');
    vi.stubEnv('COMPOSE_PROJECT_NAME', 'other');
    expect(await log(await start(options), 'reviews-v1', 'reviews')).toBe('app1');
    expect(await log(await start({ ...options, ownProject: null }), 'reviews-v1', 'reviews')).toBe('else');
    vi.stubEnv('COMPOSE_PROJECT_NAME', undefined);
    await expect(log(await start({ ...options, ownProject: null }), 'reviews-v1', 'reviews')).rejects.toThrow(
      /is not known.*--docker-project/,
    );
  });

  test('is never the one that has the socket', async () => {
    await expect(log(await start({ logs: whose }), 'control', 'control')).rejects.toThrow(
      'container "control" of pod "control": docker compose project mesh has no container of a service control; ' +
        'it has gateway, reviews-v1, reviews-v1-sidecar',
    );
  });
});

describe('logs', () => {
  test('of both outputs in order, by what was asked for', async () => {
    let asked = '';
    const started = await start({
      logs: (response, query) => {
        asked = String(query);
        response.write(frame(1, 'one\n'));
        response.end(Buffer.concat([frame(2, 'two\n'), frame(1, 'drei: 3\n')]));
      },
    });
    expect(await log(started, 'reviews-v1', 'reviews', { tailLines: 3, timestamps: true })).toBe('one\ntwo\ndrei: 3\n');
    expect(asked).toBe('stdout=1&stderr=1&timestamps=1&tail=3');
  });

  test('of a container with a terminal come as they are', async () => {
    const containers = [{ ...composed('t', 'a'), tty: true }];
    expect(await log(await start({ containers, logs: (r) => void r.end('plain\r\n') }), 'a', 'app')).toBe('plain\r\n');
  });

  test('that are followed begin before there is a first line, and end when the reader goes away', async () => {
    const following = Promise.withResolvers<ServerResponse>();
    const { runtime } = await start({
      // As Docker 20.10: no head before the first line.
      logs: (response, query) => void (query.get('follow') === '1' ? following.resolve(response) : response.end()),
    });
    const lines = (await runtime.logs('default', 'reviews-v1', 'reviews', { ...ALL, follow: true }))!;
    const response = await following.promise;
    response.write(frame(1, 'late\n'));
    expect(String((await once(lines, 'data'))[0])).toBe('late\n');
    lines.destroy();
    await once(response, 'close');
  });

  test('that are followed end also when the reader goes away before the first line', async () => {
    const following = Promise.withResolvers<ServerResponse>();
    const { runtime } = await start({
      logs: (response, query) => void (query.get('follow') === '1' ? following.resolve(response) : response.end()),
    });
    const lines = (await runtime.logs('default', 'reviews-v1', 'reviews', { ...ALL, follow: true }))!;
    const response = await following.promise;
    lines.destroy();
    await once(response, 'close');
  });

  test('that nobody reads stay with Docker', async () => {
    const answered = Promise.withResolvers<ServerResponse>();
    const { runtime } = await start({
      logs(response) {
        for (const bytes of MUCH) response.write(bytes);
        answered.resolve(response);
      },
    });
    const lines = (await runtime.logs('default', 'reviews-v1', 'reviews', ALL))!;
    const response = await answered.promise;
    await turns();
    expect(response.writableLength).toBeGreaterThan(MUCH_BYTES / 2);
    response.end();
    expect((await text(lines)).length).toBe(MUCH_BYTES);
  });

  test('of an earlier run are in the one log', async () => {
    await expect(log(await start(), 'reviews-v1', 'reviews', { previous: true })).rejects.toThrow(
      /one log of service reviews-v1 over all its restarts: leave out --previous/,
    );
  });

  test('in another form break off with an error', async () => {
    const started = await start({ logs: (r) => void r.end('not frames at all') });
    await expect(log(started, 'reviews-v1', 'reviews')).rejects.toThrow(/expected the head of a frame/);
  });

  test('that Docker does not keep: its own words, also when followed', async () => {
    const logs = (r: ServerResponse): void =>
      void r.writeHead(501).end('{"message":"configured logging driver does not support reading"}');
    for (const follow of [false, true])
      await expect(log(await start({ logs }), 'gateway', 'istio-proxy', { follow })).rejects.toThrow(
        'Docker says: configured logging driver does not support reading',
      );
  });
});

describe('the version of the API', () => {
  test.for([
    ['20.10', '1.12', '1.41', '1.41'],
    ['25', '1.24', '1.44', '1.44'],
    ['29', '1.44', '1.52', '1.44'],
    ['one of the future', '1.60', '1.70', '1.60'],
  ] as const)('of Docker %s', async ([, least, most, used]) => {
    const started = await start({ versions: { least, most }, logs: whose });
    expect(await log(started, 'gateway', 'istio-proxy')).toBe('gw1');
    expect(started.engine.requests.at(-1)).toContain(` /v${used}/containers/gw1/logs?`);
  });
});

describe('exec', () => {
  const run = async ({ runtime }: Started, ...command: readonly string[]): Promise<ExecProcess> =>
    (await runtime.exec('default', 'reviews-v1', 'reviews', command))!;

  test('carries input to its end, both outputs and the exit code', async () => {
    const started = await start({
      exec(socket, command) {
        socket.write(frame(2, `${command.join(' ')}\n`));
        socket.on('data', (chunk: Buffer) => void socket.write(frame(1, chunk)));
        socket.on('end', () => socket.end(frame(1, '.')));
      },
      // Its output may be over before Docker knows that it is.
      execStates: [
        { Running: true, ExitCode: null },
        { Running: false, ExitCode: 3 },
      ],
    });
    const { stdin, stdout, stderr, done } = await run(started, 'sh', '-c', 'cat; exit 3');
    stdin.write('hello ');
    stdin.end('world');
    expect(await Promise.all([text(stdout), text(stderr), done])).toEqual(['hello world.', 'sh -c cat; exit 3\n', 3]);
    expect(started.engine.requests).toContain('POST /v1.41/containers/app1/exec');
  });

  test('output that nobody reads stays with Docker, and both are whole in the end', async () => {
    const begun = Promise.withResolvers<Socket>();
    const started = await start({
      exec(socket) {
        socket.write(frame(2, 'err'));
        for (const bytes of MUCH) socket.write(bytes);
        begun.resolve(socket);
      },
    });
    const { stdout, stderr } = await run(started, 'yes');
    const socket = await begun.promise;
    const errors = text(stderr);
    await turns();
    expect(socket.writableLength).toBeGreaterThan(MUCH_BYTES / 2);
    socket.end();
    expect((await text(stdout)).length).toBe(MUCH_BYTES);
    expect(await errors).toBe('err');
  });

  test('kill closes the connection, and tells of a killed command', async () => {
    const begun = Promise.withResolvers<Socket>();
    const started = await start({ exec: begun.resolve, execStates: [{ Running: true, ExitCode: null }] });
    const command = await run(started, 'sleep', '100');
    const socket = await begun.promise;
    command.stdout.resume();
    command.stderr.resume();
    command.kill();
    await once(socket.resume(), 'end');
    expect(await command.done).toBe(137);
  });

  test('a stream that is none breaks the command off, and says so', async () => {
    const command = await run(await start({ exec: (socket) => void socket.write('hello world') }), 'ls');
    command.stdin.on('error', () => {});
    const [, err, code] = await Promise.all([text(command.stdout), text(command.stderr), command.done]);
    expect([err, code]).toEqual([expect.stringMatching(/connection to Docker broke: expected the head/), 137]);
  });

  test.for([
    [409, 'Container app1 is not running'],
    [500, 'no space left'],
  ] as const)('that Docker refuses (%s) says why', async ([status, message]) => {
    const started = await start({ refuseExec: { status, message } });
    await expect(run(started, 'ls')).rejects.toMatchObject({
      code: status === 409 ? 400 : 503,
      message: `Docker says: ${message}`,
    });
  });
});

describe('without Docker', () => {
  const of = (path: string): Promise<unknown> =>
    Promise.resolve(dockerRuntime(path, 'mesh').logs('default', 'p', 'c', ALL));
  const dir = mkdtempSync(join(tmpdir(), 'lateen-no-docker-'));
  afterAll(() => rmSync(dir, { recursive: true }));

  test('the socket that is missing is named', async () => {
    await expect(of(join(dir, 'none.sock'))).rejects.toMatchObject({
      code: 503,
      message: expect.stringMatching(/no Docker socket at .*none\.sock: mount it.*--docker/) as string,
    });
  });

  test('one that nobody serves is told', async () => {
    const path = join(dir, 'dead.sock');
    writeFileSync(path, '');
    await expect(of(path)).rejects.toThrow(/nobody answers at .*dead\.sock: is Docker running/);
  });

  const root = process.getuid?.() === 0;
  test.skipIf(root)(
    `one that may not be opened names its group${root ? ' (left out: root may open all)' : ''}`,
    async () => {
      const { engine, runtime } = await start();
      chmodSync(engine.socketPath, 0);
      await expect(Promise.resolve(runtime.logs('default', 'p', 'c', ALL))).rejects.toThrow(
        /DOCKER_GID=\d+ into \.env/,
      );
    },
  );
});
