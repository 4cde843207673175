/** Access logs that a configuration asks for, through real sockets: formats, files of their own, new snapshots and rotations under load. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { plainTelemetry } from '#proxy/compile/telemetry.ts';
import { ISTIO_TEXT_FORMAT } from '#proxy/core/log-format.ts';
import type { LogSettings, TelemetrySettings } from '#proxy/snapshot/telemetry.ts';
import { endpoint, exchange, startProxy } from '../kit/proxy.ts';

let dir = '';
const origin = createServer({ maxHeaderSize: 131_072 }, (_, response) =>
  response.setHeader('x-app', 'yes').end('hello'),
);
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lateen-log-files-'));
  origin.listen(0, '127.65.1.1');
  await new Promise((resolve) => origin.once('listening', resolve));
});
afterAll(() => {
  origin.closeAllConnections();
  origin.close();
  rmSync(dir, { recursive: true });
});

const endpoints = (): Record<string, ReturnType<typeof endpoint>[]> => ({
  origin: [endpoint((origin.address() as AddressInfo).port, '127.65.1.1')],
});
const log = (format: LogSettings['format'], path: string, over: Partial<LogSettings> = {}): LogSettings => ({
  format,
  filter: null,
  percent: 100,
  path,
  source: null,
  ...over,
});
const telemetry = (...client: LogSettings[]): { telemetry: TelemetrySettings } => ({
  telemetry: { ...plainTelemetry(0, false), logs: { client, server: [] } },
});
const linesOf = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);
const get = (target: string, more = ''): string => `GET ${target} HTTP/1.1\r\nHost: a.example\r\n${more}\r\n`;

describe('access logs of the configuration', () => {
  test('each in its format and file; hostile headers are one line of each', async () => {
    const [text, json] = [join(dir, 'a.text'), join(dir, 'a.json')];
    await using proxy = await startProxy({ endpoints: endpoints() });
    await proxy.apply(
      telemetry(
        log({ kind: 'text', format: ISTIO_TEXT_FORMAT }, text),
        log(
          { kind: 'json', fields: { agent: '%REQ(USER-AGENT)%', code: '%RESPONSE_CODE%', app: '%RESP(X-APP)%' } },
          json,
        ),
      ),
    );
    const agents = ['curl', 'a"b\\c', '\x80\xff\xfe', 'x'.repeat(40_000), '\xe2\x80\xa8'];
    for (const agent of agents) await exchange(proxy.port, get('/', `User-Agent: ${agent}\r\n`), 'hello');
    await proxy.drain(0);
    const lines = linesOf(text);
    assert.equal(lines.length, agents.length);
    assert.match(
      lines[0]!,
      /^\[\d{4}-\d\d-\d\dT[\d:.]{12}Z\] "GET \/ HTTP\/1\.1" 200 - via_upstream - "-" 0 5 \d+ \d+ "-" "curl" "[\da-f-]{36}" "a\.example" "127\.65\.1\.1:\d+" origin 127[\d.]+:\d+ 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ - default$/,
    );
    for (const line of lines) assert.equal(line.split('"').length, 15);
    const values = linesOf(json).map((line) => JSON.parse(line) as { agent: string; code: number; app: string });
    assert.deepEqual([...new Set(values.map(({ code, app }) => `${code} ${app}`))], ['200 yes']);
    assert.deepEqual(
      values.map(({ agent }) => agent),
      ['curl', 'a"b\\c', '\x80\xff\xfe', `${'x'.repeat(2048)}…`, '\u2028'],
    );
  });

  test('new snapshots and rotations under load lose no line and double none', async () => {
    const sub = mkdtempSync(join(dir, 'load-'));
    await using proxy = await startProxy({ endpoints: endpoints() });
    const to = (name: string): Promise<void> =>
      proxy.apply(telemetry(log({ kind: 'text', format: '%REQ(:PATH)%' }, join(sub, name))));
    await to('even');
    const load = startLoad(proxy.port);
    for (let round = 1; round <= 12; round++) {
      await load.more(40);
      if (round % 3 === 0) await to(round % 2 === 0 ? 'even' : 'odd');
      else {
        for (const name of readdirSync(sub).filter((name) => !name.includes('.')))
          renameSync(join(sub, name), join(sub, `${name}.${round}`));
        proxy.reopenLogs();
      }
    }
    const sent = await load.stop();
    await proxy.drain(0);
    const lines = readdirSync(sub).flatMap((name) => linesOf(join(sub, name)));
    assert.deepEqual(lines.toSorted(), sent.toSorted());
  });
});

type Load = { more(n: number): Promise<void>; stop(): Promise<string[]> };

/** One request after the other on four connections; tells which were answered. */
function startLoad(port: number): Load {
  const sent: string[] = [];
  let stopped = false;
  let next = 0;
  let wanted = { left: Number.POSITIVE_INFINITY, reached: (): void => undefined };
  const client = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port });
      let path = '';
      let received = '';
      const ask = (): void => {
        path = `/${next++}`;
        received = '';
        socket.write(get(path));
      };
      socket.on('connect', ask).on('error', reject);
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        received += chunk;
        if (!received.endsWith('hello')) return;
        sent.push(path);
        if (--wanted.left === 0) wanted.reached();
        if (!stopped) return ask();
        socket.end();
        resolve();
      });
    });
  const clients = Promise.all([client(), client(), client(), client()]);
  return {
    more: (n) => new Promise((reached) => (wanted = { left: n, reached })),
    async stop() {
      stopped = true;
      await clients;
      return sent;
    },
  };
}
