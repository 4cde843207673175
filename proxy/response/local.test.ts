import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { Connection } from '../live/connection.ts';
import { Exchange } from '../live/exchange.ts';
import type { Failure } from '../live/failure.ts';
import type { Downstream } from '../live/stream.ts';
import { fail } from '../live/verdict.ts';
import { grpcMessage } from '../core/grpc-status.ts';
import { answer } from './local.ts';

const CONNECTION: Connection = {
  id: 1,
  remoteAddress: '127.0.0.1',
  remotePort: 1,
  localAddress: '127.0.0.1',
  localPort: 2,
  redirected: false,
  peer: null,
  serverName: '',
};

type Sent = { status: number; headers: readonly string[]; body: string; ended: boolean };

function answered(
  failure: Failure,
  change: (x: Exchange) => void = () => undefined,
  inside = true,
): { x: Exchange; sent: Sent } {
  const x = new Exchange(CONNECTION, 'outbound');
  x.method = 'GET';
  x.authority = 'reviews:9080';
  change(x);
  const sent: Sent = { status: 0, headers: [], body: '', ended: false };
  const down = {
    sendHead: (status: number, _: string, headers: string[]) => Object.assign(sent, { status, headers }),
    sendData: (chunk: Buffer) => (sent.body += chunk.toString()) !== '',
    sendEnd: () => void (sent.ended = true),
    flush: () => undefined,
  } as unknown as Downstream;
  answer(x, down, fail(failure), inside, () => undefined);
  return { x, sent };
}

describe('a reply of the proxy itself', () => {
  for (const [failure, status, flags, body] of [
    [{ kind: 'no-route' }, 404, 'NR', ''],
    [{ kind: 'no-cluster', cluster: 'outbound|9080|v9|reviews' }, 503, 'NC', ''],
    [{ kind: 'no-healthy-upstream' }, 503, 'UH', 'no healthy upstream'],
    [{ kind: 'denied', policy: 'none', status: 403, body: 'RBAC: access denied' }, 403, '', 'RBAC: access denied'],
    [{ kind: 'timeout' }, 504, 'UT', 'upstream request timeout'],
    [{ kind: 'fault-abort', status: 555 }, 555, 'FI', 'fault filter abort'],
  ] as const) {
    test(`for ${failure.kind} is ${status} ${flags}`, () => {
      const { x, sent } = answered(failure);
      assert.deepEqual([sent.status, x.flags, sent.body, sent.ended], [status, flags, body, true]);
      assert.equal(x.bytesSent, body.length);
    });
  }

  test('tells a meshed caller why, and a stranger only the id of the request', () => {
    const inside = answered({ kind: 'no-route' }).sent.headers;
    assert.ok(inside.includes('x-lateen-reason'));
    const outside = answered({ kind: 'no-route' }, (x) => (x.requestId = 'abc'), false).sent.headers;
    assert.ok(!outside.includes('x-lateen-reason'));
    assert.deepEqual(outside.slice(-2), ['x-request-id', 'abc']);
  });

  test('never lets a caller’s host break the head', () => {
    const { sent } = answered({ kind: 'no-route' }, (x) => (x.authority = 'a\r\nset-cookie: b\u00e9'));
    assert.ok(sent.headers.every((h) => /^[\x20-\x7e]*$/.test(h)));
  });

  test('to a gRPC client is a 200 with its status', () => {
    const { x, sent } = answered({ kind: 'no-healthy-upstream' }, (it) => (it.grpc = true));
    assert.deepEqual([sent.status, x.status, sent.body], [200, 200, '']);
    assert.equal(sent.headers[sent.headers.indexOf('grpc-status') + 1], '14');
    assert.equal(grpcMessage('50% é'), '50%25 %C3%A9');
  });
});
