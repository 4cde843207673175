/**
 * Named metrics as slots in shared typed arrays: a worker adds to plain numbers, the main thread sums the workers when it is scraped.
 * Each page has one writer, so nothing is locked; a reader may see a histogram between two of its additions, which a scrape never notices.
 */
import { Counter } from './counter.ts';
import { Gauge, GAUGE_WIDTH } from './gauge.ts';
import { Histogram, histogramWidth } from './histogram.ts';

/** One metric: its name, and the names of its labels in the order they are shown. */
export type Family = {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  /** Upper bounds of a histogram; empty for what has one number. */
  readonly bounds: readonly number[];
  /** How many leading labels keep their values in the series that takes what is over the limit. */
  readonly kept: number;
  /** Tells families apart that have all else in common, for `drop`. */
  readonly part?: string;
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
    }
  /** All series of a family with these labels are over; what others have of that name goes on. */
  | { readonly kind: 'drop'; readonly family: Family }
  | { readonly kind: 'exemplars'; readonly exemplars: readonly Exemplar[] };

/** One traced request that a number counts (OpenMetrics: exemplars). */
export type Exemplar = {
  /** Of the writer: see `Counter.slot`, `Histogram.slotOf`. */
  readonly slot: number;
  readonly value: number;
  readonly traceId: string;
  /** Seconds since 1970. */
  readonly time: number;
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
export const PAGE_SLOTS = 8192;
const SEPARATOR = '\u0000';
/** Longer label values are cut: callers choose some of them, and every scrape repeats them. */
export const MAX_LABEL = 256;
/** Exemplars that wait to be told to the readers. */
const MAX_NOTED = 512;

type Place = { readonly family: Family; readonly page: Float64Array; readonly number: number; readonly at: number };

/** The writing end, one a worker. */
export class SeriesWriter {
  readonly #announce: (announcement: Announcement) => void;
  readonly #limit: number;
  readonly #onOverflow: (family: Family, limit: number) => void;
  readonly #places = new Map<string, Map<string, Place>>();
  readonly #overflowing = new Set<string>();
  /** Places of series that are over, by their width. Those of the last drop wait: readers may still know them as what they were. */
  readonly #free = new Map<number, Place[]>();
  #freed: Place[] = [];
  #exemplars = new Map<number, Exemplar>();
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
    const { page, number, at } = this.#place(family, labels);
    return new Counter(page, at, number * PAGE_SLOTS + at);
  }

  histogram(family: Family, labels: readonly string[]): Histogram {
    const { page, number, at } = this.#place(family, labels);
    return new Histogram(page, at, family.bounds, number * PAGE_SLOTS + at);
  }

  gauge(family: Family, labels: readonly string[]): Gauge {
    const { page, at } = this.#place(family, labels);
    return new Gauge(page, at);
  }

  /** Ends all series of the family. Whoever holds one must not add to it any more: its slots are given to others. */
  drop(family: Family): void {
    for (const place of this.#freed) this.#recycle(place);
    this.#freed = [];
    const places = this.#places.get(family.name);
    if (places === undefined) return;
    const shape = shapeOf(family);
    for (const [key, place] of places) {
      if (shapeOf(place.family) !== shape) continue;
      places.delete(key);
      this.#freed.push(place);
      const first = place.number * PAGE_SLOTS + place.at;
      for (let slot = first; slot < first + widthOf(family); slot++) this.#exemplars.delete(slot);
    }
    this.#overflowing.delete(family.name);
    this.#announce({ kind: 'drop', family });
  }

  /** Notes a request for the number it was counted in. Only the first of each slot is kept until they are told. */
  note(slot: number, value: number, traceId: string, time: number): void {
    if (this.#exemplars.has(slot) || this.#exemplars.size >= MAX_NOTED) return;
    this.#exemplars.set(slot, { slot, value, traceId, time });
  }

  /** Tells the readers what was noted. */
  tellExemplars(): void {
    if (this.#exemplars.size === 0) return;
    this.#announce({ kind: 'exemplars', exemplars: [...this.#exemplars.values()] });
    this.#exemplars = new Map<number, Exemplar>();
  }

  #place(family: Family, given: readonly string[]): Place {
    const places = this.#placesOf(family);
    const labels = given.some(isLong) ? given.map(cut) : given;
    const key = keyOf(family, labels);
    const known = places.get(key);
    if (known !== undefined) return known;
    if (places.size < this.#limit) return this.#allocate(family, labels, places, key);

    this.counter(OVERFLOW, [family.name]).add(1);
    if (!this.#overflowing.has(family.name)) {
      this.#overflowing.add(family.name);
      this.#onOverflow(family, this.#limit);
    }
    const other = family.labels.map((_, i) => (i < family.kept ? labels[i]! : OTHER));
    const otherKey = keyOf(family, other);
    return places.get(otherKey) ?? this.#allocate(family, other, places, otherKey);
  }

  #placesOf(family: Family): Map<string, Place> {
    let places = this.#places.get(family.name);
    if (places === undefined) this.#places.set(family.name, (places = new Map<string, Place>()));
    return places;
  }

  #allocate(family: Family, labels: readonly string[], places: Map<string, Place>, key: string): Place {
    const width = widthOf(family);
    const place = this.#reuse(family, width) ?? this.#append(family, width);
    places.set(key, place);
    this.#announce({ kind: 'series', family, labels: [...labels], page: place.number, at: place.at });
    return place;
  }

  #append(family: Family, width: number): Place {
    if (this.#used + width > PAGE_SLOTS) {
      const buffer = new SharedArrayBuffer(PAGE_SLOTS * Float64Array.BYTES_PER_ELEMENT);
      this.#page = new Float64Array(buffer);
      this.#pages += 1;
      this.#used = 0;
      this.#announce({ kind: 'page', buffer });
    }
    const place = { family, page: this.#page, number: this.#pages - 1, at: this.#used };
    this.#used += width;
    return place;
  }

  #reuse(family: Family, width: number): Place | null {
    const place = this.#free.get(width)?.pop();
    if (place === undefined) return null;
    place.page.fill(0, place.at, place.at + width);
    return { ...place, family };
  }

  #recycle(place: Place): void {
    const width = widthOf(place.family);
    const free = this.#free.get(width);
    if (free === undefined) this.#free.set(width, [place]);
    else free.push(place);
  }
}

/** Slots that a series of it takes. */
export function widthOf(family: Family): number {
  if (family.type === 'histogram') return histogramWidth(family.bounds);
  return family.type === 'gauge' ? GAUGE_WIDTH : 1;
}

const isLong = (value: string): boolean => value.length > MAX_LABEL;
const cut = (value: string): string => (isLong(value) ? `${value.slice(0, MAX_LABEL - 1)}…` : value);

const shapes = new WeakMap<Family, string>();

/** Equal for families of one name whose series are dropped together. */
export function shapeOf(family: Family): string {
  let shape = shapes.get(family);
  if (shape === undefined)
    shapes.set(
      family,
      (shape = `${family.type} ${family.part ?? ''} ${family.bounds.join(' ')} ${family.labels.join(' ')}`),
    );
  return shape;
}

/** The same for the same labels of families of one name and shape. */
export const keyOf = (family: Family, labels: readonly string[]): string =>
  `${shapeOf(family)}${SEPARATOR}${labels.join(SEPARATOR)}`;
