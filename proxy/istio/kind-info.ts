/** What is known of one kind: names, versions, schema, checks, and the columns `kubectl get` shows. */
import type { Report } from './report.ts';
import type { Resource } from './resource.ts';
import type { ObjectSchema, Schema } from './schema.ts';

export type Column = {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  /** Where the value stands in the resource; "" when `computed`. */
  readonly jsonPath: string;
  readonly description: string;
  /** Above 0: only with `-o wide`. */
  readonly priority: number;
  /** Made of several fields, by whoever prints the table. */
  readonly computed: boolean;
};

export type KindInfo = {
  /** "" for the core group. */
  readonly group: string;
  /** Preferred first; all have the same schema. */
  readonly versions: readonly string[];
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** Of the fields beside apiVersion, kind and metadata: spec, status, data … */
  readonly schema: Schema & ObjectSchema;
  /** Besides the name, which comes first in every table. */
  readonly columns: readonly Column[];
  readonly subresources: readonly ('status' | 'scale')[];
  /** What its name has to look like: null, or what was expected. */
  readonly nameFormat: (name: string) => string | null;
  /** What the schema cannot say; called only with resources that fit the schema. */
  readonly check: (resource: Resource, report: Report) => void;
};

export const column = (name: string, jsonPath: string, description: string, priority = 0): Column => ({
  name,
  type: 'string',
  jsonPath,
  description,
  priority,
  computed: false,
});

export const computed = (name: string, description: string, priority = 0, type: Column['type'] = 'string'): Column => ({
  name,
  type,
  jsonPath: '',
  description,
  priority,
  computed: true,
});

export const AGE: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since it was created',
  priority: 0,
  computed: false,
};
