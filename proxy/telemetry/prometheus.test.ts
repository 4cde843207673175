import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import { SeriesWriter, type Family } from '../core/registry.ts';
import { SeriesReader } from '../core/series-reader.ts';
import { PAGE } from './exposition-writer.ts';
import { parseExposition } from './exposition-parser.ts';
import { createExposition, wholeText } from './prometheus.ts';

const hits: Family = {
  name: 'hits_total',
  help: 'Hits \\ of\nall.',
  type: 'counter',
  labels: ['host'],
  bounds: [],
  kept: 0,
};
const time: Family = { name: 'time_ms', help: 'Time.', type: 'histogram', labels: ['host'], bounds: [0.5, 5], kept: 0 };
const bare: Family = { name: 'bare_total', help: 'No labels.', type: 'counter', labels: [], bounds: [], kept: 0 };

function setUp() {
  const reader = new SeriesReader();
  const writer = new SeriesWriter((a) => reader.accept(1, a));
  return { writer, exposition: createExposition(reader, '1.2.3', false) };
}

describe('Prometheus text', () => {
  test('counters have their value, histograms cumulative buckets, sum and count', () => {
    const { writer, exposition } = setUp();
    writer.counter(hits, ['a']).add(2);
    writer.counter(bare, []).add(1);
    const histogram = writer.histogram(time, ['a']);
    for (const v of [0.25, 3, 4, 9]) histogram.record(v);
    assert.equal(
      [...exposition.mesh()].join(''),
      `# HELP hits_total Hits \\\\ of\\nall.
# TYPE hits_total counter
hits_total{host="a"} 2
# HELP bare_total No labels.
# TYPE bare_total counter
bare_total 1
# HELP time_ms Time.
# TYPE time_ms histogram
time_ms_bucket{host="a",le="0.5"} 1
time_ms_bucket{host="a",le="5"} 3
time_ms_bucket{host="a",le="+Inf"} 4
time_ms_sum{host="a"} 16.25
time_ms_count{host="a"} 4
`,
    );
  });

  test('whatever a label holds can be read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (host) => {
        const { writer, exposition } = setUp();
        writer.counter(hits, [host]).add(1);
        const [sample] = parseExposition(Buffer.from([...exposition.mesh()].join('')).toString()).get(
          'hits_total',
        )!.samples;
        assert.equal(sample!.labels['host'], host.toWellFormed());
      }),
    );
  });

  test('all of it parses: mesh, build and process, each family in one place', async () => {
    const { writer } = setUp();
    writer.counter(hits, ['a']).add(1);
    const exposition = createExposition(new SeriesReader(), '1.2.3', true);
    const families = parseExposition(await wholeText(exposition));
    exposition.registry.clear();
    assert.deepEqual(families.get('istio_build')!.samples, [
      { name: 'istio_build', labels: { component: 'proxy', tag: '1.2.3' }, value: 1 },
    ]);
    assert.ok(families.get('process_resident_memory_bytes')!.samples[0]!.value > 0);
    for (const [name, { type, help }] of families) {
      assert.notEqual(type, '', name);
      assert.notEqual(help, '', name);
    }
  });

  test('OpenMetrics has its own names of counters, exemplars, and an end', async () => {
    const { writer, exposition } = setUp();
    const counter = writer.counter(hits, ['a"b']);
    counter.add(2);
    const histogram = writer.histogram(time, ['a']);
    histogram.record(3);
    writer.note(counter.slot, 1, 'abc', 1_700_000_000.1234);
    writer.note(histogram.slotOf(3), 3, 'abc', 1_700_000_000);
    writer.tellExemplars();
    const text = await wholeText(exposition, 'openmetrics');
    assert.equal(
      text.slice(0, text.indexOf('# HELP istio_build')),
      `# HELP hits Hits \\\\ of\\nall.
# TYPE hits counter
hits_total{host="a\\"b"} 2 # {trace_id="abc"} 1 1700000000.123
# HELP time_ms Time.
# TYPE time_ms histogram
time_ms_bucket{host="a",le="0.5"} 0
time_ms_bucket{host="a",le="5"} 1 # {trace_id="abc"} 3 1700000000.000
time_ms_bucket{host="a",le="+Inf"} 1
time_ms_sum{host="a"} 3
time_ms_count{host="a"} 1
`,
    );
    assert.ok(text.endsWith('} 1\n# EOF\n'));
    assert.doesNotMatch(await wholeText(exposition), /trace_id|EOF/);
  });

  test('ten thousand series are written in pages, none of them longer than its last series makes it', () => {
    const { writer, exposition } = setUp();
    for (let i = 0; i < 2400; i++) writer.histogram(time, [`host-${i}`]).record(i);
    const pages = [...exposition.mesh()];
    assert.ok(pages.length > 5 && pages.every((page) => page.length < PAGE + 1000));
    assert.equal(parseExposition(pages.join('')).get('time_ms')!.samples.length, 12_000);
  });
});
