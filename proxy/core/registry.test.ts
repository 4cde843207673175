import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { MAX_LABEL, SeriesWriter, type Announcement, type Family } from './registry.ts';
import { SeriesReader } from './series-reader.ts';

const requests: Family = {
  name: 'requests_total',
  help: 'Requests.',
  type: 'counter',
  labels: ['reporter', 'code'],
  bounds: [],
  kept: 1,
};
const duration: Family = {
  name: 'duration',
  help: 'ms.',
  type: 'histogram',
  labels: ['reporter'],
  bounds: [1, 5],
  kept: 1,
};

/** A reader and as many writers as asked for, joined as worker threads would be: through structured clones. */
function joined(limit = 100): { reader: SeriesReader; writer: (source: number) => SeriesWriter; overflows: string[] } {
  const reader = new SeriesReader();
  const overflows: string[] = [];
  const writer = (source: number): SeriesWriter => {
    const announce = (a: Announcement): void => {
      const clone = a.kind === 'page' ? a : structuredClone(a);
      reader.accept(source, clone);
    };
    return new SeriesWriter(announce, { limit, onOverflow: (family) => overflows.push(family.name) });
  };
  return { reader, writer, overflows };
}

const read = (reader: SeriesReader, name: string): Record<string, number[]> => {
  for (const { family, series } of reader.families()) {
    if (family.name !== name) continue;
    const width = family.type === 'counter' ? 1 : family.bounds.length + 2;
    return Object.fromEntries(
      [...series.values()].map((s) => [s.labels.join('/'), Array.from({ length: width }, (_, i) => s.slot(i))]),
    );
  }
  return {};
};

describe('metric registry', () => {
  test('a reader sees what a writer has added, at once and without being told', () => {
    const { reader, writer } = joined();
    const counter = writer(1).counter(requests, ['source', '200']);
    counter.add(1);
    counter.add(2);
    assert.deepEqual(read(reader, 'requests_total'), { 'source/200': [3] });
    counter.add(4);
    assert.deepEqual(read(reader, 'requests_total'), { 'source/200': [7] });
  });

  test('the same labels are the same series, and workers are summed', () => {
    const { reader, writer } = joined();
    const one = writer(1);
    const two = writer(2);
    one.counter(requests, ['source', '200']).add(1);
    one.counter(requests, ['source', '200']).add(1);
    two.counter(requests, ['source', '200']).add(5);
    two.counter(requests, ['source', '503']).add(1);
    assert.deepEqual(read(reader, 'requests_total'), { 'source/200': [7], 'source/503': [1] });
  });

  test('a histogram counts a value in the first bucket whose bound it does not exceed, and sums it', () => {
    const { reader, writer } = joined();
    const histogram = writer(1).histogram(duration, ['source']);
    for (const v of [0, 1, 1.5, 5, 6, Number.NaN, -3]) histogram.record(v);
    assert.deepEqual(read(reader, 'duration'), { source: [4, 2, 1, 13.5] });
  });

  test('over the limit, label sets share one series that keeps only the leading labels', () => {
    const { reader, writer, overflows } = joined(2);
    const w = writer(1);
    for (const code of ['200', '201', '202', '203', '200']) w.counter(requests, ['source', code]).add(1);
    w.counter(requests, ['destination', '500']).add(1);
    assert.deepEqual(read(reader, 'requests_total'), {
      'source/200': [2],
      'source/201': [1],
      'source/other': [2],
      'destination/other': [1],
    });
    assert.deepEqual(overflows, ['requests_total']);
    assert.deepEqual(read(reader, 'lateen_metric_overflow_total'), { requests_total: [3] });
  });

  test('what a retired writer has counted stays', () => {
    const { reader, writer } = joined();
    const gone = writer(1);
    gone.counter(requests, ['source', '200']).add(3);
    gone.histogram(duration, ['source']).record(4);
    reader.retire(1);
    writer(2).counter(requests, ['source', '200']).add(1);
    assert.deepEqual(read(reader, 'requests_total'), { 'source/200': [4] });
    assert.deepEqual(read(reader, 'duration'), { source: [0, 1, 0, 4] });
  });

  test('more series than one page holds go to further pages', () => {
    const { reader, writer } = joined(10_000);
    const w = writer(1);
    for (let i = 0; i < 9000; i++) w.counter(requests, ['source', `${i}`]).add(i);
    const all = read(reader, 'requests_total');
    assert.equal(Object.keys(all).length, 9000);
    assert.deepEqual(all['source/8999'], [8999]);
    assert.deepEqual(all['source/0'], [0]);
  });

  test('a family that is over is gone, with all of its series, and its place is found again by others', () => {
    const { reader, writer } = joined();
    const [one, two] = [writer(1), writer(2)];
    const other: Family = { ...requests, labels: ['reporter', 'method'] };
    one.counter(requests, ['source', '200']).add(1);
    one.counter(other, ['source', 'GET']).add(2);
    two.counter(requests, ['source', '200']).add(4);
    one.drop(requests);
    assert.deepEqual(sums(reader), ['code 4', 'method 2']);
    two.drop(requests);
    assert.deepEqual(sums(reader), ['method 2']);
    // Nothing is left over of it, and nobody else counts in it.
    one.drop(duration);
    one.counter(requests, ['source', '503']).add(8);
    one.counter(requests, ['source', '200']).add(16);
    assert.deepEqual(sums(reader), ['method 2', 'code 8', 'code 16']);
    one.drop(requests);
    one.drop(other);
    assert.deepEqual([...reader.families()], []);
  });

  test('families that come and go need no more memory than those that are there at a time', () => {
    let pages = 0;
    const w = new SeriesWriter((a) => void (pages += a.kind === 'page' ? 1 : 0));
    for (let i = 0; i < 200; i++) {
      const family = { ...duration, part: `${i}` };
      for (let k = 0; k < 100; k++) w.histogram(family, [`${k}`]).record(1);
      w.drop(family);
    }
    assert.equal(pages, 1);
  });

  test('a label value that somebody made long is cut', () => {
    const { reader, writer } = joined();
    const w = writer(1);
    w.counter(requests, ['source', 'x'.repeat(65_536)]).add(1);
    w.counter(requests, ['source', `${'x'.repeat(65_536)}y`]).add(1);
    const [key, ...others] = Object.keys(read(reader, 'requests_total'));
    assert.deepEqual([key!.length, others], ['source/'.length + MAX_LABEL, []]);
  });

  test('a traced request is known by the bucket it counts in, the latest of those that were told', () => {
    const { reader, writer } = joined();
    const w = writer(1);
    w.counter(requests, ['source', '200']);
    const histogram = w.histogram(duration, ['source']);
    w.note(histogram.slotOf(3), 3, 'a', 1);
    w.note(histogram.slotOf(4), 4, 'b', 2);
    w.tellExemplars();
    const known = (): (string | undefined)[] => {
      for (const { family, series } of reader.families())
        if (family.name === 'duration')
          for (const sum of series.values()) return [0, 1, 2].map((i) => reader.exemplar(sum, i)?.traceId);
      return [];
    };
    assert.deepEqual(known(), [undefined, 'a', undefined]);
    w.note(histogram.slotOf(5), 5, 'c', 3);
    w.note(histogram.slotOf(6), 6, 'd', 3);
    w.tellExemplars();
    assert.deepEqual(known(), [undefined, 'c', 'd']);
    // A series that comes to be in the same place has none of them.
    w.drop(duration);
    w.drop(requests);
    w.histogram(duration, ['source']);
    assert.deepEqual(known(), [undefined, undefined, undefined]);
    reader.retire(1);
    assert.deepEqual(known(), [undefined, undefined, undefined]);
  });
});

/** The last label's name and value, of series of any shape. */
const sums = (reader: SeriesReader): string[] =>
  Array.from(reader.families(), ({ series }) =>
    Array.from(series.values(), (sum) => `${sum.family.labels.at(-1)} ${sum.slot(0)}`),
  ).flat();
