/** `/config_dump`: what a proxy runs, as plain JSON. */
import type { AdminContext } from './context.ts';
import { json, text, type Answer, type Ask } from './http-service.ts';

/** Names of fields whose values must not leave the proxy. Paths of files (`keyFile`) are no secrets. */
const SECRET = /(?:password|passwd|secret|token|private[-_]?key|inline[-_]?key|credential)s?$/i;

/** `?resource=listeners` gives that part alone; `?name_regex=` is left to jq. */
export function configDump(context: AdminContext, { query }: Ask): Answer {
  const snapshot = context.snapshot();
  const discovery = context.discovery();
  const dump: Readonly<Record<string, unknown>> = {
    version: snapshot?.version ?? null,
    node: snapshot?.node ?? null,
    listeners: snapshot?.listeners ?? [],
    tables: snapshot?.tables ?? {},
    clusters: snapshot?.clusters ?? {},
    telemetry: snapshot?.telemetry ?? null,
    endpoints: discovery?.endpoints ?? {},
    workloads: discovery?.workloads ?? {},
    limits: context.limits,
    problems: context.problems(),
  };
  const part = query.get('resource');
  if (part === null) return json(redacted(dump));
  if (!Object.hasOwn(dump, part)) {
    return text(`resource: expected one of ${Object.keys(dump).join(', ')}, got ${JSON.stringify(part)}\n`, 400);
  }
  return json(redacted({ version: dump['version'], [part]: dump[part] }));
}

/** A copy without the values of secret fields. */
export function redacted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redacted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, v]) => [
      key,
      typeof v === 'string' && SECRET.test(key) ? '[redacted]' : redacted(v),
    ]),
  );
}
