import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { DEFAULT_LIMITS, parseRequestHead, type RequestHead } from '../wire/http1-head.ts';
import { targetOf } from './target.ts';

function target(line: string, host: string | null): unknown {
  const text = `${line} HTTP/1.1\r\n${host === null ? 'Host: x' : `Host: ${host}`}\r\n\r\n`;
  const bytes = Buffer.from(text);
  const head = parseRequestHead(bytes, 0, bytes.length - 4, DEFAULT_LIMITS) as RequestHead;
  if (host === null) head.host = null;
  const found = targetOf(head);
  return found.problem ? `${found.status} ${found.details}` : [found.scheme, found.authority, found.path];
}

describe('the target of a request', () => {
  for (const [what, line, host, wanted] of [
    ['origin form', 'GET /a?b', 'reviews:9080', ['http', 'reviews:9080', '/a?b']],
    ['absolute form', 'GET http://reviews:9080/a', 'reviews:9080', ['http', 'reviews:9080', '/a']],
    ['absolute form without a path', 'GET http://reviews?a=b', 'reviews', ['http', 'reviews', '/?a=b']],
    ['absolute form and the default port in Host', 'GET http://reviews/', 'Reviews:80', ['http', 'reviews', '/']],
    ['asterisk form', 'OPTIONS *', 'reviews', ['http', 'reviews', '*']],
    ['authority form', 'CONNECT db:3306', 'db:3306', ['http', 'db:3306', '']],
    ['an IPv6 host', 'GET /', '[::1]:80', ['http', '[::1]:80', '/']],
    ['another host in the target', 'GET http://evil/', 'reviews', '400 http1.host_mismatch'],
    ['userinfo in the target', 'GET http://a@reviews/', 'reviews', '400 http1.invalid_target'],
    ['userinfo in Host', 'GET /', 'a@reviews', '400 http1.invalid_host'],
    ['an empty Host', 'GET /', '', '400 http1.invalid_host'],
    ['a list in Host', 'GET /', 'a,b', '400 http1.invalid_host'],
    ['a path in Host', 'GET /', 'a/b', '400 http1.invalid_host'],
    ['a port that is none', 'GET /', 'a:0', '400 http1.invalid_host'],
    ['a port beyond 65535', 'GET /', 'a:70000', '400 http1.invalid_host'],
    ['a very long Host', 'GET /', 'a'.repeat(300), '400 http1.invalid_host'],
    ['an asterisk for GET', 'GET *', 'a', '400 http1.invalid_target'],
    ['a scheme nobody speaks', 'GET ftp://a/', 'a', '400 http1.invalid_target'],
    ['no slash', 'GET a', 'a', '400 http1.invalid_target'],
    ['no Host', 'GET /', null, '400 missing_host_header'],
  ] as const) {
    test(`in ${what}`, () => assert.deepEqual(target(line, host), wanted));
  }
});
