/**
 * Named metrics as slots in shared typed arrays: a worker adds to plain numbers, the main thread sums the workers when it is scraped.
 * Each page has one writer, so nothing is locked; a reader may see a histogram between two of its additions, which a scrape never notices.
 */
import { Counter } from './counter.ts';
import { Histogram, histogramWidth } from './histogram.ts';

/** One metric: its name, and the names of its labels in the order they are shown. */
export type Family = {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'histogram';
  readonly labels: readonly string[];
  /** Upper bounds of a histogram; empty for a counter. */
  readonly bounds: readonly number[];
  /** How many leading labels keep their values in the series that takes what is over the limit. */
  readonly kept: number;
};

/** What a writer tells the readers of its pages; plain data, to be posted to another thread in this order. */
export type Announcement =
  | { readonly kind: 'page'; readonly buffer: SharedArrayBuffer }
  | {
      readonly kind: 'series';
      readonly family: Family;
      readonly labels: readonly string[];
      readonly page: number;
      readonly at: number;
    };

export type WriterOptions = {
  /** Series of one family (label sets, not lines of text). */
  readonly limit?: number;
  /** Called once a family, when its limit is reached. */
  readonly onOverflow?: (family: Family, limit: number) => void;
};

/** What over-limit series are labelled with. */
export const OTHER = 'other';

/** Kept by every writer itself, from its first overflow on. */
const OVERFLOW: Family = {
  name: 'lateen_metric_overflow_total',
  help: 'Times that a new label set was counted as "other", because its metric had as many series as it may have.',
  type: 'counter',
  labels: ['metric'],
  bounds: [],
  kept: 1,
};

/** 64 KiB each. */
const PAGE_SLOTS = 8192;
const SEPARATOR = '\u0000';

type Place = { readonly page: Float64Array; readonly at: number };

/** The writing end, one a worker. */
export class SeriesWriter {
  readonly #announce: (announcement: Announcement) => void;
  readonly #limit: number;
  readonly #onOverflow: (family: Family, limit: number) => void;
  readonly #places = new Map<string, Map<string, Place>>();
  readonly #overflowing = new Set<string>();
  #page: Float64Array = new Float64Array(0);
  #pages = 0;
  #used = PAGE_SLOTS;

  constructor(
    announce: (announcement: Announcement) => void,
    { limit = 2500, onOverflow = () => {} }: WriterOptions = {},
  ) {
    this.#announce = announce;
    this.#limit = limit;
    this.#onOverflow = onOverflow;
  }

  /** Finds or makes the series. `labels`: values in the family's order. Costs a map lookup on a long key: keep what it returns. */
  counter(family: Family, labels: readonly string[]): Counter {
    const { page, at } = this.#place(family, labels);
    return new Counter(page, at);
  }

  histogram(family: Family, labels: readonly string[]): Histogram {
    const { page, at } = this.#place(family, labels);
    return new Histogram(page, at, family.bounds);
  }

  #place(family: Family, labels: readonly string[]): Place {
    const places = this.#placesOf(family);
    const key = labels.join(SEPARATOR);
    const known = places.get(key);
    if (known !== undefined) return known;
    if (places.size < this.#limit) return this.#allocate(family, labels, places, key);

    this.counter(OVERFLOW, [family.name]).add(1);
    if (!this.#overflowing.has(family.name)) {
      this.#overflowing.add(family.name);
      this.#onOverflow(family, this.#limit);
    }
    const other = family.labels.map((_, i) => (i < family.kept ? labels[i]! : OTHER));
    const otherKey = other.join(SEPARATOR);
    return places.get(otherKey) ?? this.#allocate(family, other, places, otherKey);
  }

  #placesOf(family: Family): Map<string, Place> {
    let places = this.#places.get(family.name);
    if (places === undefined) this.#places.set(family.name, (places = new Map<string, Place>()));
    return places;
  }

  #allocate(family: Family, labels: readonly string[], places: Map<string, Place>, key: string): Place {
    const width = widthOf(family);
    if (this.#used + width > PAGE_SLOTS) {
      const buffer = new SharedArrayBuffer(PAGE_SLOTS * Float64Array.BYTES_PER_ELEMENT);
      this.#page = new Float64Array(buffer);
      this.#pages += 1;
      this.#used = 0;
      this.#announce({ kind: 'page', buffer });
    }
    const place = { page: this.#page, at: this.#used };
    this.#used += width;
    places.set(key, place);
    this.#announce({ kind: 'series', family, labels: [...labels], page: this.#pages - 1, at: place.at });
    return place;
  }
}

/** One series as a reader sees it: the sum of what all writers have counted. The object stays the same from scrape to scrape. */
export class SeriesSum {
  readonly labels: readonly string[];
  readonly #places: { readonly source: number; readonly page: Float64Array; readonly at: number }[] = [];
  readonly #retired: Float64Array;

  constructor(labels: readonly string[], width: number) {
    this.labels = labels;
    this.#retired = new Float64Array(width);
  }

  /** Slot `i`: 0 of a counter; bucket counts (not cumulative), the count above all bounds, then the sum, of a histogram. */
  slot(i: number): number {
    let sum = this.#retired[i]!;
    for (const { page, at } of this.#places) sum += page[at + i]!;
    return sum;
  }

  add(source: number, page: Float64Array, at: number): void {
    this.#places.push({ source, page, at });
  }

  retire(source: number): void {
    for (let k = this.#places.length - 1; k >= 0; k--) {
      const place = this.#places[k]!;
      if (place.source !== source) continue;
      for (let i = 0; i < this.#retired.length; i++) this.#retired[i]! += place.page[place.at + i]!;
      this.#places.splice(k, 1);
    }
  }
}

export type FamilySums = { readonly family: Family; readonly series: ReadonlyMap<string, SeriesSum> };

/** The reading end, on the main thread: takes what the writers announce, and sums them. */
export class SeriesReader {
  readonly #families = new Map<string, { readonly family: Family; readonly series: Map<string, SeriesSum> }>();
  readonly #pages = new Map<number, Float64Array[]>();

  /** `source`: a number for each writer, never used again for another one. */
  accept(source: number, announcement: Announcement): void {
    if (announcement.kind === 'page') {
      const pages = this.#pages.get(source);
      const page = new Float64Array(announcement.buffer);
      if (pages === undefined) this.#pages.set(source, [page]);
      else pages.push(page);
      return;
    }
    const { family, labels, at } = announcement;
    const page = this.#pages.get(source)?.[announcement.page];
    if (page === undefined) return;
    let known = this.#families.get(family.name);
    if (known === undefined)
      this.#families.set(family.name, (known = { family, series: new Map<string, SeriesSum>() }));
    const key = labels.join(SEPARATOR);
    let sum = known.series.get(key);
    if (sum === undefined) known.series.set(key, (sum = new SeriesSum(labels, widthOf(known.family))));
    sum.add(source, page, at);
  }

  /** A worker is gone: what it has counted stays (a counter never goes back), its pages are let go. */
  retire(source: number): void {
    for (const { series } of this.#families.values()) for (const sum of series.values()) sum.retire(source);
    this.#pages.delete(source);
  }

  families(): Iterable<FamilySums> {
    return this.#families.values();
  }
}

function widthOf(family: Family): number {
  return family.type === 'counter' ? 1 : histogramWidth(family.bounds);
}
