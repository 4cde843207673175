/** The series of one metric that the configuration defines, found by the values of its labels. */
import type { Family, SeriesWriter } from '../core/registry.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Evaluate, Value } from './evaluate.ts';
import { readable } from './hostile-text.ts';
import type { WallClock } from './wall-clock.ts';

/** A label's value: the same for every request, or worked out. */
export type LabelValue = string | number | boolean | Evaluate;

type Add = (value: number, x: Exchange) => void;
type Level = Map<Value, Level | Add>;

/** What an expression cannot tell (Istio: istio_stats.cc). */
const UNKNOWN = 'unknown';
/** Label sets whose series is remembered; the writer's own limit bounds the series. */
const MAX_REMEMBERED = 2500;
/** Longer values are not remembered as they are: the registry cuts them to MAX_LABEL, and callers may choose them. */
const MAX_TEXT = 300;

export class LabelledSeries {
  readonly #writer: SeriesWriter;
  readonly #family: Family;
  readonly #labels: readonly LabelValue[];
  readonly #clock: WallClock;
  /** Those that differ from request to request. */
  readonly #asked: readonly Evaluate[];
  #root: Level = new Map<Value, Level | Add>();
  #only: Add | null = null;
  #remembered = 0;

  constructor(writer: SeriesWriter, family: Family, labels: readonly LabelValue[], clock: WallClock) {
    this.#writer = writer;
    this.#family = family;
    this.#labels = labels;
    this.#clock = clock;
    this.#asked = labels.filter((label) => typeof label === 'function');
  }

  /** One map lookup a label: values are compared as they are, and become text only when a set of them is new. */
  add(x: Exchange, value: number): void {
    const asked = this.#asked;
    if (asked.length === 0) return (this.#only ??= this.#make(x))(value, x);
    let level = this.#root;
    const last = asked.length - 1;
    for (let i = 0; i < last; i++) {
      const next = level.get(keyOf(asked[i]!(x)));
      if (next === undefined) return this.#remember(x)(value, x);
      level = next as Level;
    }
    const found = level.get(keyOf(asked[last]!(x)));
    if (found === undefined) this.#remember(x)(value, x);
    else (found as Add)(value, x);
  }

  #remember(x: Exchange): Add {
    const add = this.#make(x);
    // A full writer finds its overflow series again, at some cost.
    if (this.#remembered >= MAX_REMEMBERED) return add;
    this.#remembered += 1;
    let level = this.#root;
    const keys = this.#asked.map((evaluate) => keyOf(evaluate(x)));
    for (const key of keys.slice(0, -1)) {
      let next = level.get(key) as Level | undefined;
      if (next === undefined) level.set(key, (next = new Map<Value, Level | Add>()));
      level = next;
    }
    level.set(keys.at(-1), add);
    return add;
  }

  #make(x: Exchange): Add {
    const labels = this.#labels.map((label) => textOf(typeof label === 'function' ? label(x) : label));
    switch (this.#family.type) {
      case 'counter': {
        const counter = this.#writer.counter(this.#family, labels);
        // A counter never goes back.
        return (value) => {
          if (value > 0) counter.add(value);
        };
      }
      case 'histogram': {
        const histogram = this.#writer.histogram(this.#family, labels);
        return (value) => histogram.record(value);
      }
      case 'gauge': {
        const gauge = this.#writer.gauge(this.#family, labels);
        return (value, { endMs }) => gauge.set(value, this.#clock.epochMs(endMs));
      }
    }
  }
}

const keyOf = (value: Value): Value =>
  typeof value === 'string' && value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value;

function textOf(value: Value): string {
  if (value === undefined) return UNKNOWN;
  return typeof value === 'string' ? readable(value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value) : `${value}`;
}
