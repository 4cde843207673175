/** In every mode of path normalization, what is judged is what is sent on, and no spelling gets past a DENY (checklist C1 to C4). */
import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { describe, test } from 'vitest';
import { PATH_NORMALIZATIONS, pathNormalizer } from '#proxy/core/path.ts';
import type { Authz, Policy, Predicate } from '#proxy/snapshot/authz.ts';
import { startPlace, talk } from './place.ts';

const path = (value: string): Predicate => ({
  kind: 'string',
  attribute: { of: 'request.path' },
  match: { kind: 'prefix', value, ignoreCase: false },
});
const policy = (name: string, when: Predicate): Policy => ({
  namespace: 'default',
  name,
  rules: [{ when }],
  reply: { status: 403, body: 'RBAC: access denied' },
  source: { kind: 'AuthorizationPolicy', namespace: 'default', name, path: 'spec.rules[0]' },
});
const DENY: Authz = { deny: [policy('no-admin', path('/admin'))], allow: [], audit: [] };
const ALLOW: Authz = { deny: [], allow: [policy('only-open', path('/open'))], audit: [] };

const SLASHES = [
  '/',
  '//',
  '/./',
  '/x/../',
  '/%2e/',
  '/.;a/',
  '/x/..;b/',
  '/x/%2e%2E;b/',
  '/;a/',
  '%2f',
  '%2F',
  '%5c',
  '/%2f',
  '%252f',
  '/x%2f..%2f',
  '/x%5C..%5C',
];
const WORDS = ['admin', '%61dmin', 'adm%69n', '%61%64%6D%69%6e', 'admin;a=b', 'admin%3b', '%2561dmin'];
const spelled = (word: (text: string) => string): string[] =>
  SLASHES.flatMap((slash) =>
    WORDS.flatMap((text) => [
      `${slash.startsWith('/') ? '' : '/'}${slash}${word(text)}/secret`,
      `/a${slash.replace(/^\/?/, '/../')}${word(text)}/secret?q=/../x`,
    ]),
  );

/** What servers that decode, drop parameters, take backslashes for slashes, merge and resolve may open. */
function opened(target: string): string[] {
  const decode = (text: string): string =>
    text.replace(/%[0-9a-f]{2}/gi, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)));
  const bare = target.split('?')[0]!;
  const once = decode(bare);
  return [bare, once, decode(once), once.replace(/;[^/]*/g, ''), bare.replace(/;[^/]*/g, '')].flatMap((text) => [
    posix.normalize(text),
    posix.normalize(text.replaceAll('\\', '/')),
  ]);
}

describe.each(PATH_NORMALIZATIONS)('in %s', (mode) => {
  const normalize = pathNormalizer(mode);

  test('what passes a DENY is the normal form, and opens nothing that is denied', async () => {
    await using place = await startPlace({ pathNormalization: mode, listener: { authz: DENY } });
    const targets = spelled((word) => word);
    const { answers, error } = await talk(
      place.proxy.port,
      [targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).join('')],
      targets.length,
    );
    assert.equal(error, null);
    const passed = targets.filter((_, i) => answers[i]!.status === 200);
    assert.deepEqual(
      place.seen.map((r) => r.target),
      passed.map(normalize),
    );
    for (const { target } of place.seen)
      assert.ok(!opened(target).some((file) => file.startsWith('/admin/')), `${target} was let through`);
    assert.ok(passed.length < targets.length);
  });

  test('what an ALLOW lets in is allowed in every reading', async () => {
    await using place = await startPlace({ pathNormalization: mode, listener: { authz: ALLOW } });
    const targets = [
      '/open/a',
      '/open//a',
      '/open/%61',
      ...spelled((word) => `../open/../${word}`),
      ...SLASHES.map((slash) => `/open${slash}../admin`),
    ];
    const { answers } = await talk(
      place.proxy.port,
      [targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).join('')],
      targets.length,
    );
    assert.deepEqual(
      answers.slice(0, 3).map((a) => a.status),
      [200, 200, 200],
    );
    for (const { target } of place.seen)
      assert.ok(
        opened(target).every((file) => file.startsWith('/open')),
        `${target} was let in`,
      );
  });
});
