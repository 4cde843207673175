/** What Telemetry resources say of tracing and access logs: the mesh's settings, over them the namespace's, over them the workload's. */
import type { Resource } from '../istio/resource.ts';
import type { TelemetrySpec } from '../istio/telemetry.ts';
import type { LogSettings, TelemetrySettings, TracingSettings } from '../snapshot/telemetry.ts';
import type { Context } from './context.ts';
import { hasLabels } from './matches.ts';

type Written = Resource<TelemetrySpec>;

type Plain = { readonly tracingPercent: number; readonly accessLog: boolean };

export function compileTelemetry(c: Context): TelemetrySettings {
  let settings: Plain = { tracingPercent: c.mesh.tracingPercent, accessLog: c.mesh.accessLog };
  for (const level of levels(c)) {
    const before = settings;
    settings = c.problems.guard(level, before, () => over(before, level.spec ?? {}));
  }
  return plainTelemetry(settings.tracingPercent, settings.accessLog);
}

/** Nothing but the mesh's two settings: how many are traced, and whether there is an access log. */
export function plainTelemetry(tracingPercent: number, accessLog: boolean): TelemetrySettings {
  const tracing: TracingSettings = {
    percent: tracingPercent,
    reported: true,
    propagated: true,
    byRequestId: true,
    istioTags: true,
    tags: [],
    keepErrors: false,
    keepSlowerThan: null,
  };
  const log: LogSettings = { format: { kind: 'default' }, filter: null, percent: 100, path: null, source: null };
  const logs = accessLog ? [log] : [];
  return {
    tracing: { client: tracing, server: tracing },
    logs: { client: logs, server: logs },
    metrics: { client: {}, server: {} },
    custom: [],
  };
}

/** One resource a level, the oldest (pilot/pkg/model/telemetry.go). */
function levels(c: Context): readonly Written[] {
  const all = c.resources.list<TelemetrySpec>('Telemetry').filter(({ spec }) => !attaches(spec));
  const { namespace, rootNamespace, labels } = c.node;
  const general = (ns: string): Written | undefined => all.find((t) => t.metadata.namespace === ns && !selects(t));
  const own = all.find(
    (t) => t.metadata.namespace === namespace && selects(t) && hasLabels(labels, t.spec?.selector?.matchLabels),
  );
  const namespaced = namespace === rootNamespace ? undefined : general(namespace);
  return [general(rootNamespace), namespaced, own].filter((t) => t !== undefined);
}

const attaches = (spec: TelemetrySpec | undefined): boolean =>
  spec?.targetRef !== undefined || (spec?.targetRefs?.length ?? 0) > 0;
const selects = ({ spec }: Written): boolean => Object.keys(spec?.selector?.matchLabels ?? {}).length > 0;

/** Each field for itself; the last entry that gives one counts. */
function over(settings: Plain, spec: TelemetrySpec): Plain {
  let { tracingPercent, accessLog } = settings;
  for (const tracing of spec.tracing ?? []) {
    tracingPercent = tracing.randomSamplingPercentage ?? tracingPercent;
    if (tracing.disableSpanReporting === true) tracingPercent = 0;
  }
  for (const logging of spec.accessLogging ?? []) accessLog = !(logging.disabled ?? false);
  return { tracingPercent, accessLog };
}
