/** The combinators that schemas are written with. Each returns plain data; its TypeScript type is what a valid value looks like. */
import type { About, Fields, Format, ObjectOf, Schema, Support, Typed } from './schema.ts';

type Common = { readonly default?: string | number | boolean };

const about = (description: string, options: Common = {}): About => ({
  description,
  required: false,
  support: 'full',
  ...(options.default === undefined ? {} : { default: options.default }),
});

/** The one place where a plain schema is declared to describe `T`. */
const typed = <T>(schema: Schema): Typed<T> => schema as Typed<T>;

export function string(
  description: string,
  options: Common & { format?: Format; formatName?: string; minLength?: number; maxLength?: number } = {},
): Typed<string> {
  return typed({
    ...about(description, options),
    kind: 'string',
    format: options.format ?? null,
    minLength: options.minLength ?? 0,
    maxLength: options.maxLength ?? Infinity,
    ...(options.formatName === undefined ? {} : { formatName: options.formatName }),
  });
}

/** At least 1 ms, unless `zero` says that 0 has a meaning too. */
export const duration = (description: string, options: Common & { zero?: boolean } = {}): Typed<string> =>
  typed({ ...about(description, options), kind: 'duration', min: options.zero === true ? 0 : 1 });

export const bool = (description: string, options: Common = {}): Typed<boolean> =>
  typed({ ...about(description, options), kind: 'bool' });

type Range = Common & { readonly min?: number; readonly max?: number };

const number = (description: string, options: Range, integer: boolean, min: number, max: number): Typed<number> =>
  typed({
    ...about(description, options),
    kind: 'number',
    integer,
    min: options.min ?? min,
    max: options.max ?? max,
  });

export const int32 = (description: string, options: Range = {}): Typed<number> =>
  number(description, options, true, -(2 ** 31), 2 ** 31 - 1);
export const uint32 = (description: string, options: Range = {}): Typed<number> =>
  number(description, options, true, 0, 2 ** 32 - 1);
export const uint64 = (description: string, options: Range = {}): Typed<number> =>
  number(description, options, true, 0, Number.MAX_SAFE_INTEGER);
export const double = (description: string, options: Range = {}): Typed<number> =>
  number(description, options, false, -Number.MAX_VALUE, Number.MAX_VALUE);
export const port = (description: string, options: Common = {}): Typed<number> =>
  number(description, options, true, 1, 65_535);

export function enumeration<const V extends string>(
  values: readonly V[],
  description: string,
  options: Common & { ignored?: Partial<Record<V, string>>; refused?: Partial<Record<V, string>> } = {},
): Typed<V> {
  const unsupported: Record<string, { support: Support; reason: string }> = {};
  for (const support of ['ignored', 'refused'] as const) {
    for (const [value, reason] of Object.entries<string | undefined>(options[support] ?? {})) {
      if (reason !== undefined) unsupported[value] = { support, reason };
    }
  }
  return typed({ ...about(description, options), kind: 'enum', values, unsupported });
}

type Size = Common & { readonly min?: number; readonly max?: number };

export const list = <T>(item: Typed<T, boolean>, description: string, options: Size = {}): Typed<readonly T[]> =>
  typed({
    ...about(description, options),
    kind: 'list',
    item,
    min: options.min ?? 0,
    max: options.max ?? Infinity,
  });

export const map = <T>(
  value: Typed<T, boolean>,
  description: string,
  options: Size & { key?: Format } = {},
): Typed<Readonly<Record<string, T>>> =>
  typed({
    ...about(description, options),
    kind: 'map',
    value,
    key: options.key ?? null,
    min: options.min ?? 0,
    max: options.max ?? Infinity,
  });

export const object = <F extends Fields>(
  fields: F,
  description: string,
  options: { oneOf?: readonly (readonly (keyof F & string)[])[] } = {},
): Typed<ObjectOf<F>> =>
  typed({ ...about(description), kind: 'object', fields, open: false, oneOf: options.oneOf ?? [] });

/** An object of Kubernetes' own: fields that are not listed are kept as they are. */
export const openObject = <F extends Fields>(
  fields: F,
  description: string,
): Typed<ObjectOf<F> & { readonly [other: string]: unknown }> =>
  typed({ ...about(description), kind: 'object', fields, open: true, oneOf: [] });

export const intOrString = (description: string, options: Common & { format?: Format } = {}): Typed<number | string> =>
  typed({ ...about(description, options), kind: 'int-or-string', format: options.format ?? null });

export const anything = (description: string): Typed<unknown> => typed({ ...about(description), kind: 'anything' });

/** The same, and it must be there. */
export const required = <T>(schema: Typed<T, boolean>): Typed<T, true> => ({ ...schema, required: true });

/** The same under another description, where one shape serves several fields. */
export const described = <T, R extends boolean>(schema: Typed<T, R>, description: string): Typed<T, R> => ({
  ...schema,
  description,
});

/** Accepted, without effect, with a warning that gives the reason. */
export const ignored = <T, R extends boolean>(schema: Typed<T, R>, reason: string): Typed<T, R> => ({
  ...schema,
  support: 'ignored',
  reason,
});

/** An error that gives the reason. */
export const refused = <T, R extends boolean>(schema: Typed<T, R>, reason: string): Typed<T, R> => ({
  ...schema,
  support: 'refused',
  reason,
});
