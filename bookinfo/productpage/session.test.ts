import { describe, expect, test } from 'vitest';
import { sessions } from './session.ts';

const ours = sessions('a secret');
const cookie = (setCookie: string): string => setCookie.split(';')[0]!;

describe('a session', () => {
  for (const user of ['jason', 'Zoë O’Hara', '日本', '"; drop', 'a.b.c'])
    test(`keeps the name ${user}`, () => {
      expect(ours.read(cookie(ours.signIn(user)))).toBe(user);
      expect(ours.read(`a=b; ${cookie(ours.signIn(user))}; c=d`)).toBe(user);
    });

  test('is kept from scripts and other sites', () => {
    expect(ours.signIn('jason')).toMatch(/; HttpOnly; Path=\/; SameSite=Lax$/);
  });

  const signed = cookie(ours.signIn('jason'));
  for (const [name, cookies] of [
    ['no cookie', undefined],
    ['an empty one', 'session='],
    ['one signed by somebody else', cookie(sessions('another').signIn('jason'))],
    [
      'another name under the same signature',
      signed.replace(/=[^.]+/, `=${Buffer.from('admin').toString('base64url')}`),
    ],
    ['a signature cut short', signed.slice(0, -4)],
    ['no signature', signed.replace(/\..*/, '')],
    ['the plain cookie of old releases', 'user=jason'],
    ['a cookie whose name ends alike', signed.replace('session', 'xsession')],
    ['what signs out', cookie(ours.signOut())],
    ['nonsense', ';;=;session=..;session=%%%;'],
  ] as const) {
    test(`is nobody's with ${name}`, () => expect(ours.read(cookies)).toBeNull());
  }

  test('is found behind a forged one of the same name', () => {
    expect(ours.read(`session=Zm9v.YmFy; ${signed}`)).toBe('jason');
  });
});
