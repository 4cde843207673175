import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { parseOptions, usage } from './options.ts';
import { SUITES, suitesNamed } from './suites/all.ts';

describe('the options', () => {
  test('measure everything three times and keep the record by default', () => {
    const { only, rounds, seconds, save } = parseOptions([]);
    assert.deepEqual({ only, rounds, seconds, save }, { only: [], rounds: 3, seconds: 2, save: true });
  });

  test('a quick run is one short round that leaves no record', () => {
    const { rounds, seconds, save } = parseOptions(['--quick']);
    assert.deepEqual({ rounds, seconds, save }, { rounds: 1, seconds: 1, save: false });
  });

  test('a quick run can be told to last longer and to be kept', () => {
    const { seconds, save } = parseOptions(['--quick', '--duration', '4', '--save']);
    assert.deepEqual({ seconds, save }, { seconds: 4, save: true });
  });

  test('candidates come as a list, several times if need be', () =>
    assert.deepEqual(parseOptions(['--only', 'nginx,envoy', '--only', 'lateen']).only, ['nginx', 'envoy', 'lateen']));

  test('suites are chosen by name or group, and run in the order of the page', () => {
    const chosen = suitesNamed(parseOptions(['--suite', 'curves,latency', '--suite', 'bodies']).suites);
    assert.deepEqual(
      chosen.map(({ id }) => id),
      ['latency', 'routes', 'connections', 'bodies'],
    );
    assert.deepEqual(suitesNamed([]), SUITES);
  });

  test('a suite that is none is refused with the names there are', () =>
    assert.throws(() => suitesNamed(['speed']), /no suite "speed"; there are compare, latency/));

  test('the help names every suite and every option', () => {
    const text = usage();
    for (const { id } of SUITES) assert.ok(text.includes(` ${id} `), id);
    for (const name of [
      'suite',
      'only',
      'rounds',
      'duration',
      'connections',
      'rate',
      'quick',
      'save',
      'no-save',
      'docs',
      'from',
      'json',
    ])
      assert.ok(text.includes(`--${name}`), name);
  });

  for (const args of [
    ['--rounds', '0'],
    ['--duration', 'soon'],
    ['--rate', '1e9'],
    ['--connections', '1.5'],
  ]) {
    test(`refuses ${args.join(' ')} and says what it expects`, () =>
      assert.throws(() => parseOptions(args), /expected a whole number from/));
  }
  test('refuses what it does not know', () => assert.throws(() => parseOptions(['--fast'])));
});
