import assert from 'node:assert/strict';
import { realpathSync } from 'node:fs';
import { describe, test } from 'vitest';
import { findBinary, findEnvoy } from './binary.ts';

describe('finding programs', () => {
  test('a variable names one outright', () =>
    assert.equal(findBinary('nginx', { LATEEN_NGINX: process.execPath, PATH: '' }), process.execPath));

  test('a variable that names nothing finds nothing, whatever the PATH has', () => {
    assert.equal(findBinary('sh', { LATEEN_SH: '/nowhere/sh', PATH: process.env['PATH'] }), null);
    assert.equal(findEnvoy({ LATEEN_ENVOY: '/nowhere/envoy', PATH: process.env['PATH'] }), null);
  });

  test('the PATH is searched, and links are followed', () =>
    assert.equal(findBinary('sh', { PATH: '/nowhere:/bin' }), realpathSync('/bin/sh')));

  test('what is nowhere is not found', () => assert.equal(findBinary('no-such-program', { PATH: '/bin' }), null));
});
