/** The reading end of the registry, on the main thread: takes what the writers announce, and sums them. */
import { GAUGE_WIDTH } from './gauge.ts';
import { keyOf, PAGE_SLOTS, shapeOf, widthOf, type Announcement, type Exemplar, type Family } from './registry.ts';

/** Exemplars that are kept of one writer. */
const MAX_EXEMPLARS = 4096;

/** One series as a reader sees it: the sum of what all writers have counted. The object stays the same from scrape to scrape. */
export class SeriesSum {
  readonly family: Family;
  readonly labels: readonly string[];
  readonly #places: {
    readonly source: number;
    readonly page: Float64Array;
    readonly number: number;
    readonly at: number;
  }[] = [];
  readonly #retired: Float64Array;

  constructor(family: Family, labels: readonly string[]) {
    this.family = family;
    this.labels = labels;
    this.#retired = new Float64Array(widthOf(family));
  }

  /**
   * Slot `i`: 0 of a counter; bucket counts (not cumulative), the count above all bounds, then the sum, of a histogram.
   * Of a gauge, 0 is what was set last, by whichever writer.
   */
  slot(i: number): number {
    if (this.family.type === 'gauge') return this.#latest()[0]!;
    let sum = this.#retired[i]!;
    for (const { page, at } of this.#places) sum += page[at + i]!;
    return sum;
  }

  /** The first that `find` knows of slot `i`. */
  exemplar(i: number, find: (source: number, slot: number) => Exemplar | undefined): Exemplar | undefined {
    for (const { source, number, at } of this.#places) {
      const found = find(source, number * PAGE_SLOTS + at + i);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  add(source: number, page: Float64Array, number: number, at: number): void {
    this.#places.push({ source, page, number, at });
  }

  /** What the writer has counted stays. */
  retire(source: number): void {
    if (this.family.type === 'gauge') this.#retired.set(this.#latest());
    const taken = this.#take(source);
    if (this.family.type === 'gauge') return;
    for (const { page, at } of taken) for (let i = 0; i < this.#retired.length; i++) this.#retired[i]! += page[at + i]!;
  }

  /** The writer's share is over. Returns whether nobody counts here any more. */
  drop(source: number): boolean {
    this.#take(source);
    return this.#places.length === 0;
  }

  #latest(): Float64Array {
    let latest = this.#retired;
    for (const { page, at } of this.#places)
      if (page[at + 1]! >= latest[1]!) latest = page.subarray(at, at + GAUGE_WIDTH);
    return latest;
  }

  #take(source: number): { readonly page: Float64Array; readonly at: number }[] {
    const taken = this.#places.filter((place) => place.source === source);
    if (taken.length > 0)
      this.#places.splice(0, this.#places.length, ...this.#places.filter((place) => place.source !== source));
    return taken;
  }
}

/** Series of one name. They may differ in their labels: each has its own `family`, and this is the first one's. */
export type FamilySums = { readonly family: Family; readonly series: ReadonlyMap<string, SeriesSum> };

/** The reading end, on the main thread: takes what the writers announce, and sums them. */
export class SeriesReader {
  readonly #families = new Map<string, Map<string, SeriesSum>>();
  /** Every announcement brings a copy of its family: one of each is kept. */
  readonly #shapes = new Map<string, Family>();
  readonly #pages = new Map<number, Float64Array[]>();
  readonly #exemplars = new Map<number, Map<number, Exemplar>>();

  /** `source`: a number for each writer, never used again for another one. */
  accept(source: number, announcement: Announcement): void {
    switch (announcement.kind) {
      case 'page': {
        const pages = this.#pages.get(source);
        const page = new Float64Array(announcement.buffer);
        if (pages === undefined) this.#pages.set(source, [page]);
        else pages.push(page);
        return;
      }
      case 'series':
        return this.#add(source, announcement);
      case 'drop':
        return this.#drop(source, announcement.family);
      case 'exemplars':
        return this.#note(source, announcement.exemplars);
    }
  }

  #add(source: number, { family: copy, labels, page: number, at }: Announcement & { readonly kind: 'series' }): void {
    const page = this.#pages.get(source)?.[number];
    if (page === undefined) return;
    const shape = `${copy.name} ${shapeOf(copy)}`;
    let family = this.#shapes.get(shape);
    if (family === undefined) this.#shapes.set(shape, (family = copy));
    let series = this.#families.get(family.name);
    if (series === undefined) this.#families.set(family.name, (series = new Map<string, SeriesSum>()));
    const key = keyOf(family, labels);
    let sum = series.get(key);
    if (sum === undefined) series.set(key, (sum = new SeriesSum(family, labels)));
    sum.add(source, page, number, at);
    const exemplars = this.#exemplars.get(source);
    // The place may have been another series'.
    if (exemplars !== undefined && exemplars.size > 0)
      for (let i = 0; i < widthOf(family); i++) exemplars.delete(number * PAGE_SLOTS + at + i);
  }

  #drop(source: number, family: Family): void {
    const series = this.#families.get(family.name);
    if (series === undefined) return;
    const shape = shapeOf(family);
    let others = false;
    for (const [key, sum] of series) {
      if (shapeOf(sum.family) !== shape) continue;
      if (sum.drop(source)) series.delete(key);
      else others = true;
    }
    if (series.size === 0) this.#families.delete(family.name);
    if (!others) this.#shapes.delete(`${family.name} ${shape}`);
  }

  #note(source: number, exemplars: readonly Exemplar[]): void {
    let known = this.#exemplars.get(source);
    if (known === undefined) this.#exemplars.set(source, (known = new Map<number, Exemplar>()));
    for (const exemplar of exemplars) {
      known.delete(exemplar.slot);
      known.set(exemplar.slot, exemplar);
    }
    for (const slot of known.keys()) {
      if (known.size <= MAX_EXEMPLARS) break;
      known.delete(slot);
    }
  }

  /** A worker is gone: what it has counted stays (a counter never goes back), its pages are let go. */
  retire(source: number): void {
    for (const series of this.#families.values()) for (const sum of series.values()) sum.retire(source);
    this.#pages.delete(source);
    this.#exemplars.delete(source);
  }

  /** A traced request that slot `i` of the series counts; undefined: none is known. */
  exemplar(sum: SeriesSum, i: number): Exemplar | undefined {
    if (this.#exemplars.size === 0) return undefined;
    return sum.exemplar(i, this.#find);
  }

  readonly #find = (source: number, slot: number): Exemplar | undefined => this.#exemplars.get(source)?.get(slot);

  /** Those that have series. */
  *families(): Iterable<FamilySums> {
    for (const series of this.#families.values())
      for (const { family } of series.values()) {
        yield { family, series };
        break;
      }
  }
}
