/** What Mixer's rules report: which instance goes to which handler, by the names they refer to each other with. */
import type { HandlerSpec, InstanceSpec, MixerRuleSpec } from '../istio/mixer.ts';
import type { LogEntrySpec, MetricInfo, MetricSpec, PrometheusSpec, StdioSpec } from '../istio/mixer-telemetry.ts';
import type { Resource, ResourceSet } from '../istio/resource.ts';

/** An instance that a rule sends to a handler. `name`: in full, as handlers know it and lines show it. */
export type MixerReport =
  | {
      readonly kind: 'metric';
      readonly name: string;
      readonly instance: MetricSpec;
      readonly info: MetricInfo;
      /** Of the handler, and where in it the metric stands. */
      readonly handler: Resource;
      readonly path: string;
    }
  | {
      readonly kind: 'log';
      readonly name: string;
      readonly instance: LogEntrySpec;
      readonly stdio: StdioSpec;
      readonly handler: Resource;
    };

/** Adapters that report; `mixer-rules.ts` has those that check. */
export const REPORTING: ReadonlySet<string> = new Set(['prometheus', 'stdio']);

type Tell = (path: string, message: string) => void;

/** In the order they are written. `tell`: what does not fit together; the rest is reported all the same. */
export function reportsOf(resources: ResourceSet, rule: Resource<MixerRuleSpec>, tell: Tell): readonly MixerReport[] {
  return (rule.spec?.actions ?? []).flatMap(({ handler: written, instances = [] }, i) => {
    const handler = findHandler(resources, rule, written);
    if (handler === null) return [];
    if (handler.resource === undefined) {
      tell(`spec.actions[${i}].handler`, `Referenced handler not found: "${written}"`);
      return [];
    }
    const found = { adapter: handler.adapter, spec: handler.spec, resource: handler.resource };
    return instances.flatMap(
      (reference, j) =>
        report(resources, rule, reference, found, (m) => tell(`spec.actions[${i}].instances[${j}]`, m)) ?? [],
    );
  });
}

type Handler = { readonly adapter: string; readonly spec: unknown; readonly resource: Resource };

function report(
  resources: ResourceSet,
  rule: Resource,
  reference: string,
  handler: Handler,
  tell: (message: string) => void,
): MixerReport | null {
  const instance = findInstance(resources, rule, reference);
  if (instance === null) {
    tell(`Referenced instance not found: "${reference}"`);
    return null;
  }
  const { name, template, spec } = instance;
  if (template === 'metric' && handler.adapter === 'prometheus') {
    const metrics = (handler.spec as PrometheusSpec | undefined)?.metrics ?? [];
    const i = metrics.findIndex((m) => fullName(m.instance_name ?? m.instanceName ?? '', handler.resource) === name);
    if (i >= 0) {
      const path = handler.resource.kind === 'handler' ? `spec.params.metrics[${i}]` : `spec.metrics[${i}]`;
      return { kind: 'metric', name, instance: spec as MetricSpec, info: metrics[i]!, handler: handler.resource, path };
    }
    tell(`expected an instance of which ${handler.resource.metadata.name} makes a metric, got "${reference}"`);
    return null;
  }
  if (template === 'logentry' && handler.adapter === 'stdio') {
    const stdio = (handler.spec ?? {}) as StdioSpec;
    return { kind: 'log', name, instance: (spec ?? {}) as LogEntrySpec, stdio, handler: handler.resource };
  }
  tell(
    `expected ${handler.adapter === 'stdio' ? 'a logentry' : 'a metric'} for ${handler.adapter}, got "${reference}"`,
  );
  return null;
}

/** `name.kind`, of the namespace of who refers; `name.kind.namespace`. */
function fullName(reference: string, by: Resource): string {
  return reference.split('.').length === 2 ? `${reference}.${by.metadata.namespace}` : reference;
}

/** Null: not one that reports. `resource` undefined: one that would, and is not there. */
function findHandler(
  resources: ResourceSet,
  rule: Resource,
  reference: string,
): { readonly adapter: string; readonly spec: unknown; readonly resource: Resource | undefined } | null {
  const [name = '', kind = 'handler', namespace = rule.metadata.namespace] = reference.split('.');
  const resource = resources.get(kind, namespace, name);
  if (REPORTING.has(kind)) return { adapter: kind, spec: resource?.spec, resource };
  const spec = kind === 'handler' ? (resource?.spec as HandlerSpec | undefined) : undefined;
  const adapter = (spec?.compiledAdapter ?? '').toLowerCase();
  return REPORTING.has(adapter) ? { adapter, spec: spec?.params, resource } : null;
}

type Instance = { readonly name: string; readonly template: string; readonly spec: unknown };

function findInstance(resources: ResourceSet, rule: Resource, reference: string): Instance | null {
  const [name = '', kind = 'instance', namespace = rule.metadata.namespace] = reference.split('.');
  const resource = resources.get(kind, namespace, name);
  if (resource === undefined) return null;
  const full = `${name}.${kind}.${namespace}`;
  if (kind !== 'instance') return { name: full, template: kind, spec: resource.spec };
  const spec = resource.spec as InstanceSpec | undefined;
  return { name: full, template: (spec?.compiledTemplate ?? '').toLowerCase(), spec: spec?.params };
}
