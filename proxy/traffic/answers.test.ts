import { describe, expect, test } from 'vitest';
import { Exchange } from '../live/exchange.ts';
import type { Reply } from '../live/verdict.ts';
import { directResponseFilter } from './direct-response.ts';
import { locationOf, redirectFilter, type Redirect } from './redirect.ts';

const keep: Redirect = {
  kind: 'redirect',
  status: 301,
  scheme: null,
  authority: null,
  port: null,
  path: null,
  prefix: null,
};

describe('a redirect keeps what it does not name', () => {
  for (const [name, redirect, asked, location] of [
    ['the path', { path: '/v1/bookRatings' }, {}, 'http://ratings:9080/v1/bookRatings?x=1'],
    ['a path with a query of its own', { path: '/b?y=2' }, {}, 'http://ratings:9080/b?y=2'],
    ['the authority', { authority: 'newratings.default' }, {}, 'http://newratings.default/a/b?x=1'],
    ['the scheme', { scheme: 'https' }, { authority: 'example.com' }, 'https://example.com/a/b?x=1'],
    [
      'the scheme; the port it implied goes',
      { scheme: 'https' },
      { authority: 'example.com:80' },
      'https://example.com/a/b?x=1',
    ],
    [
      'the scheme; any other port stays',
      { scheme: 'https' },
      { authority: 'example.com:8080' },
      'https://example.com:8080/a/b?x=1',
    ],
    ['the port', { port: 8443, scheme: 'https' }, {}, 'https://ratings:8443/a/b?x=1'],
    ['a port that its scheme implies', { port: 443, scheme: 'https' }, {}, 'https://ratings/a/b?x=1'],
    ['a port for http', { port: 80 }, {}, 'http://ratings/a/b?x=1'],
    [
      'nothing: the port of Host stays, even one that is implied',
      { path: '/' },
      { authority: 'a:80', path: '/' },
      'http://a:80/',
    ],
    ['a prefix', { prefix: { matched: '/a', by: '/new' } }, {}, 'http://ratings:9080/new/b?x=1'],
    ['an IPv6 authority', { port: 81 }, { authority: '[::1]:80' }, 'http://[::1]:81/a/b?x=1'],
    [
      'line ends are encoded (B8)',
      { path: '/a\r\nset-cookie: x' },
      { path: '/' },
      'http://ratings:9080/a%0D%0Aset-cookie:%20x',
    ],
  ] satisfies [string, Partial<Redirect>, Partial<Exchange>, string][]) {
    test(name, () =>
      expect(locationOf({ ...keep, ...redirect }, exchange({ path: '/a/b?x=1', ...asked }))).toBe(location),
    );
  }

  test('the answer is local, with the status of the route', () => {
    const x = exchange({});
    const reply = redirectFilter({ ...keep, status: 308, path: '/x' })(x);
    expect(reply).toEqual({
      kind: 'local',
      status: 308,
      details: 'direct_response',
      headers: ['location', 'http://ratings:9080/x'],
      body: '',
    } satisfies Reply);
    expect(x.reason).toContain('http://ratings:9080/x');
  });
});

describe('a direct response', () => {
  for (const [name, body, bodyIsBase64, bytes, headers] of [
    ['text', 'grün', false, 'grün', ['content-type', 'text/plain']],
    ['bytes', 'AAEC', true, '\0\x01\x02', ['content-type', 'text/plain']],
    ['nothing', '', false, '', []],
  ] as const) {
    test(`has a body of ${name}`, () => {
      const reply = directResponseFilter({ kind: 'direct', status: 418, body, bodyIsBase64 })(exchange({})) as Reply & {
        kind: 'local';
      };
      expect(reply).toMatchObject({ kind: 'local', status: 418, details: 'direct_response', headers });
      expect(Buffer.from(reply.body).toString()).toBe(bytes);
    });
  }
});

function exchange(given: Partial<Exchange>): Exchange {
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
  return Object.assign(new Exchange(connection, 'outbound'), { method: 'GET', authority: 'ratings:9080' }, given);
}
