import { describe, expect, test } from 'vitest';
import type { Expression } from '../core/expression.ts';
import type { LogFormat } from '../snapshot/telemetry.ts';
import { entryLine } from './log-entry.ts';
import { exchange, proxyNode, workload } from './sample-exchange.ts';
import { WallClock } from './wall-clock.ts';

const NODE = proxyNode(workload('details', 'v1', '10.0.0.2'));
const PEER = workload('productpage', 'v1', '10.0.0.1');
/** 1000 ms of the exchange's clock is the time of the pattern's own line. */
const CLOCK = new WallClock(
  () => Date.parse('2017-09-21T04:33:31.249Z'),
  () => 1000,
);

type Entry = LogFormat & { readonly kind: 'entry' };
const value = (of: string | number | boolean): Expression => ({ kind: 'value', value: of });
const attribute = (name: string): Expression => ({ kind: 'attribute', name });
const call = (op: 'duration-text' | 'else', ...args: Expression[]): Expression => ({ kind: 'call', op, args });
const user: Expression = { kind: 'entry', of: 'request.headers', key: 'x-user' };

const entry = (over: Partial<Entry> = {}): Entry => ({
  kind: 'entry',
  instance: 'newlog.logentry.istio-system',
  level: value('warn'),
  json: true,
  fields: [
    ['destination', value('details')],
    ['latency', call('duration-text', attribute('request.duration'))],
    ['responseCode', attribute('response.code')],
    ['responseSize', attribute('response.size')],
    ['source', { kind: 'entry', of: 'caller.labels', key: 'app' }],
    ['user', call('else', attribute('caller.principal'), value('unknown'))],
  ],
  ...over,
});

function lineOf(format: Entry, headers: readonly string[] = []): string {
  const x = exchange('inbound', PEER);
  x.headers = [...x.headers, ...headers];
  x.endMs = x.startMs + 6.848;
  x.bytesSent = 178;
  return entryLine(format, NODE, CLOCK)(x);
}

describe('lines of logs of your own', () => {
  test("the pattern's line, to the letter", () => {
    expect(lineOf(entry())).toBe(
      '{"level":"warn","ts":"2017-09-21T04:33:31.249Z","instance":"newlog.logentry.istio-system","destination":"details",' +
        '"latency":"6.848ms","responseCode":200,"responseSize":178,"source":"productpage","user":"unknown"}\n',
    );
  });

  test('as text: time, level and name, then the fields', () => {
    const fields = entry().fields.slice(0, 2);
    expect(lineOf(entry({ json: false, fields }))).toBe(
      '2017-09-21T04:33:31.249Z\twarn\tnewlog.logentry.istio-system\t{"destination":"details","latency":"6.848ms"}\n',
    );
  });

  test.each([true, false])('without fields, and with a level that is worked out (json: %s)', (json) => {
    const line = lineOf(entry({ json, fields: [], level: user }), ['x-user', 'error']);
    expect(line).toBe(
      json
        ? '{"level":"error","ts":"2017-09-21T04:33:31.249Z","instance":"newlog.logentry.istio-system"}\n'
        : '2017-09-21T04:33:31.249Z\terror\tnewlog.logentry.istio-system\t{}\n',
    );
  });

  test('what is missing is null, numbers and truth keep their types', () => {
    const fields = [
      ['a', user],
      ['b', value(true)],
      ['c', value(1.5)],
    ] as const;
    expect(JSON.parse(lineOf(entry({ fields })))).toMatchObject({ a: null, b: true, c: 1.5 });
  });

  test.each([
    'x"}\n{"level":"error"',
    'a\r\nb\tc',
    '\\"\\',
    '\u0000\u001b[31m\u007f',
    '\u2028\u202e',
    'Ã\u0028',
    '"'.repeat(65_536),
  ])('one line whatever a caller writes (%#)', (hostile) => {
    for (const json of [true, false]) {
      const fields = [['user', user]] as const;
      const line = lineOf(entry({ json, fields, level: user }), ['x-user', hostile]);
      expect(
        ['\n', '\r', '\u0000', '\u001b', '\u007f', '\u2028', '\u202e'].filter((c) => line.slice(0, -1).includes(c)),
      ).toEqual([]);
      expect(line.length).toBeLessThan(12_000);
      if (json) expect(Object.keys(JSON.parse(line) as object)).toEqual(['level', 'ts', 'instance', 'user']);
    }
  });

  test('credentials in queries stay out of it', () => {
    const x = exchange('inbound', PEER);
    x.path = '/login?token=geheim&page=2';
    const line = entryLine(entry({ fields: [['path', attribute('request.path')]] }), NODE, CLOCK)(x);
    expect(JSON.parse(line)).toMatchObject({ path: '/login?token=***&page=2' });
  });
});
