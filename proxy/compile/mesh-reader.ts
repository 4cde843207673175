/** A cursor over the mesh's ConfigMap: values of the types that are wanted; others are warnings at their place, and null. */
import type { Resource } from '../istio/resource.ts';
import { gotten } from '../istio/shown.ts';
import { child, type MeshConfig } from './mesh-config.ts';
import type { Problems } from './problems.ts';

export class MeshReader {
  readonly #problems: Problems;
  readonly #map: Resource | null;
  readonly #path: string;
  readonly value: unknown;

  constructor(problems: Problems, config: MeshConfig | null, value: unknown = config?.value, path = 'data.mesh') {
    this.#problems = problems;
    this.#map = config?.map ?? null;
    this.#path = path;
    this.value = value ?? undefined;
  }

  get there(): boolean {
    return this.value !== undefined;
  }

  at(...keys: readonly string[]): MeshReader {
    const value = keys.reduce<unknown>(child, this.value);
    return this.#below(value, keys.map((key) => `.${key}`).join(''));
  }

  text(): string | null {
    return typeof this.value === 'string' ? this.value : this.#expected('a string');
  }

  bool(): boolean | null {
    return typeof this.value === 'boolean' ? this.value : this.#expected('true or false');
  }

  number(min: number, max: number): number | null {
    const { value } = this;
    return typeof value === 'number' && value >= min && value <= max
      ? value
      : this.#expected(`a number from ${min} to ${max}`);
  }

  /** Empty when there is none. */
  items(): readonly MeshReader[] {
    if (Array.isArray(this.value)) return this.value.map((item: unknown, i) => this.#below(item, `[${i}]`));
    this.#expected('a list');
    return [];
  }

  /** Fields by name; empty when there are none. */
  entries(): readonly (readonly [string, MeshReader])[] {
    const { value } = this;
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return Object.keys(value).map((key) => [key, this.at(key)] as const);
    this.#expected('a mapping of fields');
    return [];
  }

  warn(message: string): void {
    if (this.#map !== null) this.#problems.warning(this.#map, this.#path, message);
  }

  #expected(what: string): null {
    if (this.there) this.warn(`expected ${what}, got ${gotten(this.value, what)}`);
    return null;
  }

  #below(value: unknown, path: string): MeshReader {
    const config = this.#map === null ? null : { map: this.#map, value, faults: [] };
    return new MeshReader(this.#problems, config, value, this.#path + path);
  }
}
