/** What a schema is: plain data that validation, `kubectl explain` and the field matrix all read, and types are inferred from. */
import type { Report } from './report.ts';
import type { Meta } from './resource.ts';

/**
 * What Lateen does with a field. `full`: acts on it. `ignored`: accepts it, does nothing, and says so in a warning.
 * `refused`: answers an error, because dropping it silently would be unsafe.
 */
export type Support = 'full' | 'ignored' | 'refused';

export type About = {
  readonly description: string;
  readonly required: boolean;
  /** What holds when the field is absent, in the words of a reader. */
  readonly default?: string | number | boolean;
  readonly support: Support;
  /** Why it is ignored or refused. */
  readonly reason?: string;
};

/** Null: fine. Otherwise what was expected, to be followed by ", got …". */
export type Format = (value: string) => string | null;

export type StringSchema = About & {
  readonly kind: 'string';
  readonly format: Format | null;
  /** Name of the format, for OpenAPI: `byte`, `date-time`. */
  readonly formatName?: string;
  readonly minLength: number;
  readonly maxLength: number;
};
/** Go's form, `1.5s`; milliseconds. */
export type DurationSchema = About & { readonly kind: 'duration'; readonly min: number };
export type BoolSchema = About & { readonly kind: 'bool' };
export type NumberSchema = About & {
  readonly kind: 'number';
  readonly integer: boolean;
  readonly min: number;
  readonly max: number;
};
export type EnumSchema = About & {
  readonly kind: 'enum';
  readonly values: readonly string[];
  /** Values that Lateen knows but does not act on. */
  readonly unsupported: Readonly<Record<string, { readonly support: Support; readonly reason: string }>>;
};
export type ListSchema = About & {
  readonly kind: 'list';
  readonly item: Schema;
  readonly min: number;
  readonly max: number;
};
export type MapSchema = About & {
  readonly kind: 'map';
  readonly value: Schema;
  /** What a key has to look like. */
  readonly key: Format | null;
  readonly min: number;
  readonly max: number;
};
export type ObjectSchema = About & {
  readonly kind: 'object';
  readonly fields: Readonly<Record<string, Schema>>;
  /** Unknown fields are kept without an error (Kubernetes' own kinds); one that looks like a slip still gets a warning. */
  readonly open: boolean;
  /** At most one field of each group. */
  readonly oneOf: readonly (readonly string[])[];
};
/** A string or a whole number: target ports, quantities. */
export type IntOrStringSchema = About & { readonly kind: 'int-or-string'; readonly format: Format | null };
/** Any value, kept as it is. */
export type AnythingSchema = About & { readonly kind: 'anything' };

export type Schema =
  | StringSchema
  | DurationSchema
  | BoolSchema
  | NumberSchema
  | EnumSchema
  | ListSchema
  | MapSchema
  | ObjectSchema
  | IntOrStringSchema
  | AnythingSchema;

declare const type: unique symbol;
/** A schema that knows, by type alone, what a valid value looks like, and whether it must be there. */
export type Typed<T, Required extends boolean = false> = Schema & {
  readonly [type]: T;
  readonly required: Required;
};
export type Infer<S> = S extends { readonly [type]: infer T } ? T : never;

export type Fields = Readonly<Record<string, Typed<unknown, boolean>>>;
type Flat<T> = { [K in keyof T]: T[K] };
export type ObjectOf<F extends Fields> = Flat<
  { readonly [K in keyof F as F[K]['required'] extends true ? K : never]: Infer<F[K]> } & {
    readonly [K in keyof F as F[K]['required'] extends true ? never : K]?: Infer<F[K]>;
  }
>;

/** A check of what a schema cannot say: one field against another. Runs only on values that fit their schema. */
export type Check<T> = (value: T, report: Report, meta: Meta) => void;
