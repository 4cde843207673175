/** What proxies tell: the mesh's settings, over them the root namespace's Telemetry resource, the namespace's, the workload's. */
import { UNTRACED, type LogSettings, type TelemetrySettings, type TracingSettings } from '../snapshot/telemetry.ts';
import type { Context } from './context.ts';
import { meshTelemetry } from './mesh-telemetry.ts';
import { levels } from './telemetry-level.ts';
import { compileLogs } from './telemetry-logs.ts';
import { compileMetrics } from './telemetry-metrics.ts';
import { compileTracing } from './telemetry-tracing.ts';

export function compileTelemetry(c: Context): TelemetrySettings {
  const mesh = meshTelemetry(c);
  const applied = levels(c);
  return {
    tracing: compileTracing(c, mesh, applied),
    logs: compileLogs(c, mesh, applied),
    metrics: compileMetrics(c, mesh, applied),
    custom: [],
  };
}

/** Nothing but the mesh's two settings: how many are traced, and whether there is an access log. */
export function plainTelemetry(tracingPercent: number, accessLog: boolean): TelemetrySettings {
  const tracing: TracingSettings = { ...UNTRACED, percent: tracingPercent, reported: true };
  const log: LogSettings = { format: { kind: 'default' }, filter: null, percent: 100, path: null, source: null };
  const logs = accessLog ? [log] : [];
  return {
    tracing: { client: tracing, server: tracing },
    logs: { client: logs, server: logs },
    metrics: { client: {}, server: {} },
    custom: [],
  };
}
