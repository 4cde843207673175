/** Each command operator of access logs, in text and in JSON, for the same requests: what ours shows is what a real Envoy shows. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { findEnvoy } from '../../bench/targets/binary.ts';
import { BETWEEN, COMPARED, envoyLogs, OPERATORS, ourLogs, type Comparison, type Logs } from './access-log.ts';
import { exchange } from './raw-client.ts';

const network = `127.65.${process.pid % 250}`;

const REQUESTS: Readonly<Record<string, string>> = {
  'a rewritten path':
    'GET /rw/a?a=bcd&b HTTP/1.1\r\nHost: h:80\r\nUser-Agent: curl/8\r\nX-Multi: 1\r\nX-Multi: 2\r\nX-Empty:\r\n\r\n',
  'a body': 'POST /b?x=%41%20&a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc',
  'nobody listening': 'POST /refused HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc',
  'no such cluster': 'GET /none HTTP/1.1\r\nHost: h\r\n\r\n',
  'a direct response': 'GET /direct?q HTTP/1.1\r\nHost: h\r\n\r\n',
  'a gRPC status in trailers':
    'POST /trailers HTTP/1.1\r\nHost: h\r\nte: trailers\r\ncontent-type: application/grpc\r\nContent-Length: 0\r\n\r\n',
  'a gRPC call without a status':
    'POST /rw/grpc HTTP/1.1\r\nHost: h\r\ncontent-type: application/grpc\r\nContent-Length: 0\r\n\r\n',
};

describe.skipIf(findEnvoy() === null)('access log operators, ours and Envoy', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-oracle-log-'));
  let origin: Server;
  const proxies: Logs[] = [];
  const text: string[][] = [];
  const json: Record<string, unknown>[][] = [];

  beforeAll(async () => {
    origin = createServer((request, response) => {
      request.resume().on('end', () => {
        if (request.url === '/trailers') {
          response.writeHead(200, { trailer: 'x-t, grpc-status', 'content-type': 'application/grpc' });
          response.write('abc');
          response.addTrailers({ 'x-t': 'told', 'grpc-status': '5' });
          response.end();
        } else response.writeHead(200, { 'x-a': ['1', '2'], 'content-length': '5' }).end('hello');
      });
    });
    origin.listen(0, `${network}.1`);
    await once(origin, 'listening');
    const to = { host: `${network}.1`, origin: (origin.address() as AddressInfo).port, refused: 1 };
    const envoy = await envoyLogs(`${network}.2`, to);
    assert.ok(envoy !== null);
    proxies.push(envoy, await ourLogs(dir, to));
    for (const proxy of proxies) {
      // One after the other: lines come in the order of the requests.
      for (const [i, bytes] of Object.values(REQUESTS).entries()) {
        await exchange(proxy.host, proxy.port, { bytes: [bytes], methods: ['GET'], expect: 1, linger: 0, limit: 5000 });
        await until(() => proxy.json().length > i && proxy.text().length > i);
      }
      json.push(proxy.json());
      text.push(proxy.text());
    }
  });
  afterAll(async () => {
    for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
    origin.closeAllConnections();
    origin.close();
    rmSync(dir, { recursive: true, force: true });
  });

  for (const [i, name] of Object.keys(REQUESTS).entries()) {
    test(`JSON of ${name}`, () => {
      const [theirs, ours] = [json[0]![i]!, json[1]![i]!];
      assert.deepEqual(
        differences((operator) => [theirs[operator], ours[operator]]),
        [],
      );
    });
    test(`text of ${name}`, () => {
      const [theirs, ours] = [text[0]![i]!.split(BETWEEN), text[1]![i]!.split(BETWEEN)];
      assert.deepEqual(
        differences((_, nth) => [theirs[nth], ours[nth]]),
        [],
      );
    });
  }
});

function differences(values: (operator: string, nth: number) => readonly [unknown, unknown]): string[] {
  return OPERATORS.flatMap((operator, i) => {
    const [theirs, ours] = values(operator, i);
    if (alike(COMPARED[operator]!, theirs, ours)) return [];
    return [`${operator}: Envoy has ${JSON.stringify(theirs)}, ours ${JSON.stringify(ours)}`];
  });
}

/** Of the same type, and equal or of the same shape. */
function alike(how: Comparison, theirs: unknown, ours: unknown): boolean {
  if (theirs === ours) return theirs !== undefined;
  if (how === 'equal' || typeof theirs !== typeof ours) return false;
  return how.test(String(theirs)) && how.test(String(ours));
}

/** Both write what they have after some milliseconds. */
async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail('the line did not come within 5 s');
}
