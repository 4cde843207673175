/** Tables, as `kubectl get` prints them: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables */
import type { KindInfo } from '#proxy/istio/kinds.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import { age } from './age.ts';
import { COMPUTED, type ComputedColumn } from './columns.ts';

export type TableOptions = {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
  /** `None`, `Metadata` (the default) or `Object`: how much of the object goes with its row. */
  readonly include: string | null;
};

export function tableOf(info: KindInfo, resources: readonly Resource[], options: TableOptions): object {
  const { include, ...metadata } = options;
  const columns = columnsOf(info);
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: columns.map(({ name, type, format, description, priority }) => ({
      name,
      type,
      format,
      description,
      priority,
    })),
    rows: resources.map((resource) => ({
      cells: columns.map((column) => column.cell(resource)),
      object: include === 'None' ? null : include === 'Object' ? resource : metadataOf(resource),
    })),
  };
}

type Column = Omit<ComputedColumn, 'description'> & { readonly format: string; readonly description: string };

function columnsOf(info: KindInfo): readonly Column[] {
  const name: Column = {
    name: 'Name',
    type: 'string',
    format: 'name',
    description: 'Name of the object, unique within its namespace',
    priority: 0,
    cell: ({ metadata }) => metadata.name,
  };
  const computed = COMPUTED[info.kind];
  if (computed !== undefined) {
    const columns = computed.map((c) => ({ format: '', ...c, description: c.description ?? c.name }));
    // Names of events are made up; kubectl shows them last, and only with -o wide.
    return info.kind === 'Event' ? [...columns, { ...name, priority: 1 }] : [name, ...columns];
  }
  const given = info.columns.map(({ jsonPath, ...definition }) => ({
    ...definition,
    // Ages arrive as text that is made here, so the client must not read them as dates.
    type: definition.type === 'date' ? 'string' : definition.type,
    format: '',
    cell: pathCell(jsonPath, definition.type),
  }));
  const aged = given.some((c) => c.name === 'Age') || info.columns.length > 0;
  return aged ? [name, ...given] : [name, { ...AGE, format: '', description: 'Time since it was created' }];
}

const AGE: ComputedColumn = {
  name: 'Age',
  type: 'string',
  priority: 0,
  cell: ({ metadata }) => age(metadata.creationTimestamp),
};

function pathCell(jsonPath: string, type: string): (resource: Resource) => unknown {
  const steps = stepsOf(jsonPath);
  return (resource) => {
    const value = walk(resource, steps);
    if (type === 'date') return age(typeof value === 'string' ? value : undefined);
    if (value === undefined || value === null) return '';
    return typeof value === 'object' ? JSON.stringify(value) : value;
  };
}

/** Every item of a list. */
const EACH = Symbol('[*]');
type Step = string | typeof EACH | { readonly field: string; readonly equals: string };

/** `.status.conditions[?(@.type=="Ready")].status` → steps; the part of JSONPath that printer columns use. */
function stepsOf(jsonPath: string): readonly Step[] {
  const steps: Step[] = [];
  for (const [, field, filterField, equals, index] of jsonPath.matchAll(
    /\.([\w-]+)|\[\?\(@\.(\w+)\s*==\s*["']([^"']*)["']\)\]|\[(\d+|\*)\]/g,
  )) {
    if (filterField !== undefined) steps.push({ field: filterField, equals: equals ?? '' });
    else steps.push(index === '*' ? EACH : (field ?? index ?? ''));
  }
  return steps;
}

function walk(start: unknown, steps: readonly Step[]): unknown {
  let value = start;
  for (const [i, step] of steps.entries()) {
    if (step === EACH) return Array.isArray(value) ? value.map((item) => walk(item, steps.slice(i + 1))) : undefined;
    if (typeof value !== 'object' || value === null) return undefined;
    if (typeof step === 'string')
      value = Object.hasOwn(value, step) ? (value as Record<string, unknown>)[step] : undefined;
    else value = Array.isArray(value) ? value.find((item) => walk(item, [step.field]) === step.equals) : undefined;
  }
  return value;
}

const metadataOf = ({ metadata }: Resource): object => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata,
});
