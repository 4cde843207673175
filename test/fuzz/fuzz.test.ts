/** Seconds of the long fuzzing, always the same cases, so that it works when it is wanted; and proof that its lanes see what they look for. */
import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { readConnection } from './connection.ts';
import { Dice } from './dice.ts';
import { Fuzzer } from './fuzzer.ts';
import { fine, found, type Lane } from './lane.ts';
import { startLanes } from './lanes.ts';
import { cut, mutate } from './mutate.ts';
import { readOptions } from './options.ts';
import { shrink } from './shrink.ts';
import { formFault } from './strict-form.ts';

/** Cases of each lane. */
const CASES: Readonly<Record<string, number>> = {
  parsers: 800,
  requests: 250,
  responses: 250,
  tunnels: 60,
  openings: 500,
  envoy: 0,
};

describe('the first cases of', () => {
  let lanes: Lane[] = [];
  beforeAll(async () => void (lanes = await startLanes(Object.keys(CASES).filter((name) => CASES[name]! > 0))));
  afterAll(async () => {
    for (const lane of lanes) await lane[Symbol.asyncDispose]();
  });

  for (const [name, count] of Object.entries(CASES).filter(([, n]) => n > 0)) {
    test(`the lane ${name} find nothing`, async () => {
      const lane = lanes.find((l) => l.name === name)!;
      const classes = new Set<string>();
      for (let nth = 0; nth < count; nth++) {
        const input = lane.make(new Dice('gate', name, nth), nth);
        const { finding, seen } = await lane.run(input);
        assert.ok(finding === null, `${finding?.slice(0, 300)} in ${JSON.stringify(input).slice(0, 1000)}`);
        classes.add(seen);
      }
      assert.ok(classes.size > 10, `only ${[...classes].join()}`);
    });
  }
});

/** Finds fault with every case that contains `bad`. */
const picky = (bad: string): Lane => ({
  name: 'picky',
  weight: 1,
  make: (dice) => ({ segments: cut(dice, mutate(dice, 'a good text without fault', 2)) }),
  run: ({ segments }) => (segments.join('').includes(bad) ? found('bad', 'it has it', bad) : fine('good')),
  async [Symbol.asyncDispose]() {},
});

describe('the fuzzer', () => {
  test('makes a finding as small as it can', async () => {
    const input = { segments: ['some text before ', 'and BAD', ' and after'] };
    const { input: small } = await shrink(picky('BAD'), input, 'it has it: BAD');
    assert.deepEqual(small.segments, ['BAD']);
  });

  test('keeps one finding of a kind and counts the others', async () => {
    const fuzzer = new Fuzzer([picky('')], 's');
    let turns = 0;
    await fuzzer.run(() => turns++ > 50);
    assert.equal(fuzzer.tally.findings.length, 1);
    assert.ok(fuzzer.again['picky: it has it']! > 10);
  });

  test('draws the same cases from the same seed', () => {
    const draw = (seed: string): string => mutate(new Dice(seed, 'x', 1), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 3);
    assert.equal(draw('1'), draw('1'));
    assert.notEqual(draw('1'), draw('2'));
  });

  test('refuses options that make no sense', () => {
    assert.throws(() => readOptions(['--minutes', 'long']), /--minutes needs a number above 0/);
    assert.deepEqual(readOptions(['--lanes', 'parsers,requests']).lanes, ['parsers', 'requests']);
  });
});

test('a connection is read to where it ends, and it is said why', () => {
  const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
  for (const [text, requests, end] of [
    [get + get, 2, 'open'],
    [get + get.slice(0, -2), 1, 'partial'],
    [`${get}GET / HTTP/1.1\nHost: a`, 1, 'refused'],
    ['GET / HTTP/1.0\r\nHost: a\r\n\r\n' + get, 1, 'close'],
    ['POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n', 0, 'refused'],
    [`GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n${get}`, 2, 'open'],
  ] as const) {
    const read = readConnection(text);
    assert.deepEqual([read.requests.length, read.end], [requests, end]);
  }
});

test('the strict form tells what could be read twice', () => {
  const head = (fields: string, line = 'GET /a HTTP/1.1'): string => `${line}\r\n${fields}\r\n\r\n`;
  assert.equal(formFault(head('host: a\r\nX-A: b c\r\ncontent-length: 0')), null);
  for (const bad of [
    head('host: a\r\nHost: b'),
    head('host: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked'),
    head('host: a\r\ncontent-length: 01'),
    head('host: a\r\ntransfer-encoding: gzip'),
    head('host: a\r\nx : b'),
    head('host: a\r\nx: a\nb'),
    head('host: a\r\n folded'),
    head('host: a\r\nconnection: close'),
    head('host: a', 'GET  /a HTTP/1.1'),
    head('host: a', 'GET /a HTTP/1.0'),
  ])
    assert.notEqual(formFault(bad), null, bad);
});
