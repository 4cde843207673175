/** kubectl logs and exec of pods that are containers, against a real Docker: what is written of its API in fake-engine.ts holds. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { dockerRuntime } from '#control-api/docker/docker-runtime.ts';
import type { LogOptions } from '#control-api/pod-runtime.ts';
import { REGISTERED } from '#control-api/registered-pod.ts';
import { call, PODS, start, stopAll } from '#control-api/server.kit.ts';
import type { ControlApi } from '#control-api/server.ts';
import { docker, hasImage } from '../kit/docker.ts';

/** What the image is made from: it is there where the mesh is. */
const IMAGE = /^FROM (\S+)/m.exec(readFileSync('Dockerfile', 'utf8'))![1]!;
const why = hasImage(IMAGE) ? null : `no Docker with image ${IMAGE}`;
const SOCKET = (process.env['DOCKER_HOST'] ?? '').replace(/^unix:\/\//, '') || '/var/run/docker.sock';
const PROJECT = `lateen-logs-${process.pid}`;
const ALL: LogOptions = { follow: false, tailLines: null, previous: false, timestamps: false };

/** Resolves when a stream has brought that, and reads on. */
const seen = (stream: Readable, what: string): Promise<void> =>
  new Promise((resolve, reject) => {
    let all = '';
    stream.on('data', (chunk) => (all += String(chunk)).includes(what) && resolve());
    stream.on('error', reject).on('end', () => reject(new Error(`it ended with ${JSON.stringify(all)}`)));
  });

test.runIf(process.env['LATEEN_REQUIRE_TOOLS'] === '1')('there is a Docker where it is required', () =>
  expect(why).toBeNull(),
);

describe.skipIf(why !== null)(`pods in Docker${why === null ? '' : ` (left out: ${why})`}`, () => {
  const runtime = dockerRuntime(SOCKET, PROJECT);
  let api: ControlApi;

  const container = (service: string, script: string, ...flags: readonly string[]): Promise<string> => {
    const labels = { project: PROJECT, service, 'container-number': '1', oneoff: 'False' };
    const given = Object.entries(labels).flatMap(([key, value]) => ['--label', `com.docker.compose.${key}=${value}`]);
    const name = `${PROJECT}-${service}`;
    return docker([
      'run',
      '--detach',
      '--network=none',
      `--name=${name}`,
      ...given,
      ...flags,
      IMAGE,
      'sh',
      '-c',
      script,
    ]);
  };
  const of = (service: string): string => `${PROJECT}-${service}`;

  beforeAll(async () => {
    await Promise.all([
      container('app', 'echo out; sleep 0.1; echo err >&2; exec sleep 600', '--env=WHO=app'),
      container('app-sidecar', 'echo terminal; exec sleep 600', '--tty'),
      container('ended', 'echo last words; exit 1'),
    ]);
    await docker(['wait', of('ended')]);
    api = await start({ runtime });
    for (const name of ['app', 'ended']) {
      const containers = [
        { name, image: 'i' },
        { name: 'istio-proxy', image: 'i' },
      ];
      await call(api, 'POST', PODS, { metadata: { name, annotations: { [REGISTERED]: '1' } }, spec: { containers } });
    }
    // What a container writes at its start is in its log by the time its lines can be followed.
    const lines = (await runtime.logs('default', 'app', 'app', { ...ALL, follow: true }))!;
    await seen(lines, 'err\n');
    lines.destroy();
  });
  afterAll(async () => {
    await stopAll();
    await docker(['rm', '--force', ...['app', 'app-sidecar', 'ended'].map(of)]);
  });

  type Said = { readonly out: string; readonly err: string; readonly end: { readonly details?: unknown } };

  async function exec(pod: string, command: readonly string[], input: string): Promise<Said> {
    const query = new URLSearchParams({ container: pod, stdin: 'true', stdout: 'true', stderr: 'true' });
    for (const word of command) query.append('command', word);
    const url = `${api.url.replace('http', 'ws')}${PODS}/${pod}/exec?${query.toString()}`;
    const socket = new WebSocket(url, ['v5.channel.k8s.io']);
    const channels = ['', '', '', ''];
    socket.on('message', (data: Buffer) => (channels[data[0]!] += data.subarray(1).toString()));
    await once(socket, 'open');
    socket.send(Buffer.from(`\0${input}`));
    socket.send(Buffer.of(255, 0));
    await once(socket, 'close');
    return { out: channels[1]!, err: channels[2]!, end: JSON.parse(channels[3]!) as Said['end'] };
  }

  test('logs are those of the container, also of one with a terminal, and of one that has ended', async () => {
    expect((await call(api, 'GET', `${PODS}/app/log?container=app`)).body).toBe('out\nerr\n');
    expect((await call(api, 'GET', `${PODS}/app/log?container=app&tailLines=1`)).body).toBe('err\n');
    expect((await call(api, 'GET', `${PODS}/app/log?container=app&tailLines=0`)).body).toBe('');
    expect((await call(api, 'GET', `${PODS}/app/log?container=istio-proxy`)).body).toBe('terminal\r\n');
    expect((await call(api, 'GET', `${PODS}/ended/log?container=ended&follow=true`)).body).toBe('last words\n');
  });

  test('logs have times as RFC 3339 with nanoseconds, by which they are chosen', async () => {
    const stamped = (await call(api, 'GET', `${PODS}/app/log?container=app&timestamps=true`)).body as string;
    expect(stamped).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z out\n\S+Z err\n$/);
    const second = stamped.split('\n')[1]!.split(' ')[0]!.slice(0, 23) + 'Z';
    expect((await call(api, 'GET', `${PODS}/app/log?container=app&sinceTime=${second}`)).body).toBe('err\n');
    expect((await call(api, 'GET', `${PODS}/app/log?container=app&limitBytes=2`)).body).toBe('ou');
  });

  test('exec carries input, both outputs and the exit code', async () => {
    const said = await exec('app', ['sh', '-c', 'cat; echo "$WHO" >&2; exit 3'], 'hello\n');
    expect(said).toMatchObject({
      out: 'hello\n',
      err: 'app\n',
      end: { details: { causes: [{ reason: 'ExitCode', message: '3' }] } },
    });
    expect((await exec('app', ['true'], '')).end).toMatchObject({ status: 'Success' });
  });

  test('much input comes back whole', async () => {
    const { stdin, stdout, stderr, done } = (await runtime.exec('default', 'app', 'app', ['cat']))!;
    const chunk = 'x'.repeat(65_535) + '\n';
    stderr.resume();
    const size = text(stdout).then((all) => all.length);
    for (let i = 0; i < 64; i++) if (!stdin.write(chunk)) await once(stdin, 'drain');
    stdin.end();
    expect([await size, await done]).toEqual([64 * 65_536, 0]);
  });

  test('a command that is not there, or whose container is not running, is told', async () => {
    const missing = await exec('app', ['no-such-command'], '');
    expect(missing.out + missing.err).toContain('no-such-command');
    expect(missing.end).toMatchObject({ status: 'Failure' });
    await expect(Promise.resolve(runtime.exec('default', 'ended', 'ended', ['ls']))).rejects.toThrow(/is not running/);
  });

  test('a killed command ends for its caller; when it reads its input, also in the container', async () => {
    const command = (await runtime.exec('default', 'app', 'app', [
      'sh',
      '-c',
      'echo up; cat; echo over >/proc/1/fd/1',
    ]))!;
    await seen(command.stdout, 'up\n');
    command.stderr.resume();
    const lines = (await runtime.logs('default', 'app', 'app', { ...ALL, follow: true }))!;
    command.kill();
    expect(await command.done).toBe(137);
    await seen(lines, 'over\n');
    lines.destroy();
  });
});
