/** Which Telemetry resources a proxy goes by, and which providers they name (pilot/pkg/model/telemetry.go). */
import type { Resource } from '../istio/resource.ts';
import type { TelemetrySpec } from '../istio/telemetry.ts';
import { suggest } from '../core/suggest.ts';
import type { Context } from './context.ts';
import { hasLabels } from './matches.ts';
import type { MeshTelemetry, Provider } from './mesh-telemetry.ts';

export type Level = Resource<TelemetrySpec>;
export type Side = 'client' | 'server';

/** The mesh's, the namespace's (of each the oldest), then all that select the workload, oldest first. Later ones override earlier ones. */
export function levels(c: Context): readonly Level[] {
  const all = c.resources.list<TelemetrySpec>('Telemetry').filter(({ spec }) => !attaches(spec));
  const { namespace, rootNamespace, labels } = c.node;
  const general = (ns: string): Level | undefined => all.find((t) => t.metadata.namespace === ns && !selects(t));
  const own = all.filter(
    (t) => t.metadata.namespace === namespace && selects(t) && hasLabels(labels, t.spec?.selector?.matchLabels),
  );
  const namespaced = namespace === rootNamespace ? undefined : general(namespace);
  return [general(rootNamespace), namespaced, ...own].filter((t) => t !== undefined);
}

const attaches = (spec: TelemetrySpec | undefined): boolean =>
  spec?.targetRef !== undefined || (spec?.targetRefs?.length ?? 0) > 0;
const selects = ({ spec }: Level): boolean => Object.keys(spec?.selector?.matchLabels ?? {}).length > 0;

type Match = { readonly mode?: 'CLIENT_AND_SERVER' | 'CLIENT' | 'SERVER' } | undefined;

export function sidesOf(match: Match): readonly Side[] {
  if (match?.mode === 'CLIENT') return ['client'];
  return match?.mode === 'SERVER' ? ['server'] : ['client', 'server'];
}

type Named = { readonly providers?: readonly { readonly name: string }[] };

/** Names of an entry, in lower case; null: it inherits them. */
export function providerNames({ providers = [] }: Named): readonly string[] | null {
  return providers.length === 0 ? null : providers.map(({ name }) => name.toLowerCase());
}

/** Says of names that no provider has, or one of another kind, what there is. */
export function checkProviders(
  c: Context,
  mesh: MeshTelemetry,
  level: Level,
  path: string,
  { providers = [] }: Named,
  kind: Provider['kind'],
): void {
  for (const [i, { name }] of providers.entries()) {
    const found = mesh.providers.get(name.toLowerCase());
    if (found?.kind === kind) continue;
    const fitting = [...mesh.providers.values()].filter((p) => p.kind === kind).map((p) => p.name);
    const near = suggest(name, fitting);
    const there = near === null ? `there are ${fitting.join(', ')}` : `did you mean \`${near}\`?`;
    const what = found === undefined ? 'unknown provider' : 'not a provider of these';
    c.problems.warning(
      level,
      `${path}.providers[${i}].name`,
      `${what}: nothing goes to ${JSON.stringify(name)}; ${there} (extensionProviders of the ConfigMap \`istio\`)`,
    );
  }
}
