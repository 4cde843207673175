import { describe, expect, test } from 'vitest';
import { Exchange } from '../live/exchange.ts';
import { CONTINUE } from '../live/verdict.ts';
import type { Cors } from '../snapshot/route.ts';
import { makeCors } from './cors.ts';

const cors: Cors = {
  allowOrigins: [
    { kind: 'exact', value: 'https://example.com' },
    { kind: 'regex', value: 'https://.*\\.trusted\\.io' },
  ],
  allowMethods: 'POST,GET',
  allowHeaders: 'X-Foo-Bar',
  exposeHeaders: 'X-Total',
  maxAge: '86400',
  allowCredentials: true,
  forwardUnmatchedPreflights: true,
};
const preflight = ['origin', 'https://example.com', 'Access-Control-Request-Method', 'POST'];

describe('a preflight', () => {
  test('of an origin that is allowed is answered, with everything it may do', () => {
    expect(makeCors(cors).preflight(asked('OPTIONS', preflight))).toEqual({
      kind: 'local',
      status: 200,
      details: 'cors_response',
      headers: [
        ['access-control-allow-origin', 'https://example.com'],
        ['access-control-allow-credentials', 'true'],
        ['access-control-allow-methods', 'POST,GET'],
        ['access-control-allow-headers', 'X-Foo-Bar'],
        ['access-control-max-age', '86400'],
      ].flat(),
      body: '',
    });
  });

  test('with nothing but an origin allowed says no more than that', () => {
    const bare: Cors = { ...cors, allowMethods: null, allowHeaders: null, maxAge: null, allowCredentials: false };
    expect(makeCors(bare).preflight(asked('OPTIONS', preflight))).toMatchObject({
      headers: ['access-control-allow-origin', 'https://example.com'],
    });
  });

  for (const [name, method, headers] of [
    ['no OPTIONS', 'GET', preflight],
    ['no origin', 'OPTIONS', ['access-control-request-method', 'POST']],
    ['no method asked for', 'OPTIONS', ['origin', 'https://example.com']],
    [
      'an origin that is not allowed',
      'OPTIONS',
      ['origin', 'https://evil.com', 'access-control-request-method', 'POST'],
    ],
  ] as const) {
    test(`${name}: it goes on`, () => expect(makeCors(cors).preflight(asked(method, [...headers]))).toBe(CONTINUE));
  }

  test('of an unknown origin is answered without permission when it is not to be forwarded', () => {
    const verdict = makeCors({ ...cors, forwardUnmatchedPreflights: false }).preflight(
      asked('OPTIONS', ['origin', 'https://evil.com', 'access-control-request-method', 'PUT']),
    );
    expect(verdict).toMatchObject({ kind: 'local', status: 200, headers: [] });
  });
});

describe('the response to an actual request', () => {
  for (const [origin, allowed] of [
    ['https://example.com', true],
    ['https://a.trusted.io', true],
    ['https://a.trusted.io.evil.com', false],
    ['https://example.com.evil.com', false],
    ['null', false],
  ] as const) {
    test(`to ${origin} is ${allowed ? 'readable' : 'left as it is'}`, () => {
      const headers = ['content-type', 'text/html', 'Access-Control-Allow-Origin', '*'];
      const before = [...headers];
      makeCors(cors).actual(asked('GET', ['Origin', origin]), headers);
      expect(headers).toEqual(
        allowed
          ? [
              ...before.slice(0, 3),
              origin,
              'access-control-allow-credentials',
              'true',
              'access-control-expose-headers',
              'X-Total',
            ]
          : before,
      );
    });
  }

  test('without an origin is left as it is', () => {
    const headers = ['a', 'b'];
    makeCors(cors).actual(asked('GET', []), headers);
    expect(headers).toEqual(['a', 'b']);
  });

  test('an allowed `*` means any origin, and names the one that asked', () => {
    for (const any of [
      { kind: 'exact', value: '*' },
      { kind: 'regex', value: '.*' },
    ] as const) {
      const headers: string[] = [];
      makeCors({ ...cors, allowOrigins: [any], allowCredentials: false, exposeHeaders: null }).actual(
        asked('GET', ['origin', 'http://x']),
        headers,
      );
      expect(headers).toEqual(['access-control-allow-origin', 'http://x']);
    }
  });
});

function asked(method: string, headers: string[]): Exchange {
  const connection = {
    id: 1,
    remoteAddress: '10.0.0.1',
    remotePort: 1,
    localAddress: '10.0.0.2',
    localPort: 80,
    redirected: false,
    peer: null,
    serverName: '',
  };
  return Object.assign(new Exchange(connection, 'gateway'), { method, headers });
}
