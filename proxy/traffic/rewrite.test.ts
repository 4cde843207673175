import { describe, expect, test } from 'vitest';
import { Exchange } from '../live/exchange.ts';
import type { Rewrite } from '../snapshot/route.ts';
import { makeRewrite } from './rewrite.ts';

const prefix = (matched: string, by: string, ignoreCase = false): Rewrite['path'] => ({
  kind: 'prefix',
  matched,
  by,
  ignoreCase,
});
const regex = (match: string, by: string): Rewrite['path'] => ({ kind: 'regex', match, by });

describe('a rewrite of the path', () => {
  for (const [name, path, before, after] of [
    ['replaces the matched prefix', prefix('/ratings', '/v1/bookRatings'), '/ratings/7', '/v1/bookRatings/7'],
    ['keeps the query', prefix('/ratings', '/r'), '/ratings?a=/ratings', '/r?a=/ratings'],
    ['replaces plain text, not segments', prefix('/foo', '/bar'), '/foobar', '/barbar'],
    ['knows a prefix in another case', prefix('/Foo', '/bar', true), '/fOO/x', '/bar/x'],
    ['leaves a path that has not the prefix', prefix('/foo', '/bar'), '/x', '/x'],
    ['replaces the whole path', { kind: 'whole', by: '/new' }, '/a/b?c=d', '/new?c=d'],
    ['brings a query of its own', { kind: 'whole', by: '/new?x=1' }, '/a?c=d', '/new?x=1&c=d'],
    [
      'replaces by an expression, groups included',
      regex('^/service/([^/]+)(/.*)$', '\\2/instance/\\1'),
      '/service/foo/v1/api?q=1',
      '/v1/api/instance/foo?q=1',
    ],
    ['replaces every match', regex('one', 'two'), '/xxx/one/yyy/one', '/xxx/two/yyy/two'],
    ['sets a slash in front where none is', prefix('/foo/', ''), '/foo/bar', '/bar'],
    ['makes a path of nothing', { kind: 'whole', by: '' }, '/a', '/'],
    [
      'cannot end the request line (B8)',
      { kind: 'whole', by: '/a HTTP/1.1\r\nx: y#z' },
      '/',
      '/a%20HTTP/1.1%0D%0Ax:%20y%23z',
    ],
    ['does nothing with an expression that is none', regex('(', '/x'), '/a', '/a'],
  ] satisfies [string, Rewrite['path'], string, string][]) {
    test(`${name}: ${before} → ${after}`, () => {
      const x = exchange(before);
      makeRewrite({ path, authority: null })(x);
      expect(x.path).toBe(after);
    });
  }

  test('notes the path before, and tells the upstream in x-envoy-original-path, whatever the client said there', () => {
    const x = exchange('/a?b');
    x.headers.push('X-Envoy-Original-Path', '/lie');
    makeRewrite({ path: { kind: 'whole', by: '/c' }, authority: 'details:9080' })(x);
    expect([x.originalPath, x.path, x.authority]).toEqual(['/a?b', '/c?b', 'details:9080']);
    expect(x.headers).toEqual(['X-Envoy-Original-Path', '/a?b']);
  });

  test('of the authority alone leaves the path', () => {
    const x = exchange('/a');
    makeRewrite({ path: null, authority: 'b' })(x);
    expect([x.path, x.originalPath, x.authority, x.headers]).toEqual(['/a', null, 'b', []]);
  });
});

function exchange(path: string): Exchange {
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
  return Object.assign(new Exchange(connection, 'outbound'), { authority: 'ratings', path });
}
