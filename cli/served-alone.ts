/** What has nobody else while one pod is away: Services, and subsets of them that rules send requests to. */
import { matchesLabels } from '#control-api/runner/selector.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import type { Api } from './api.ts';

type Slice = Resource & {
  readonly endpoints?: readonly {
    readonly conditions?: { readonly ready?: boolean };
    readonly targetRef?: { readonly name?: string };
  }[];
};

type Rule = Resource<{
  readonly host?: string;
  readonly subsets?: readonly { readonly name: string; readonly labels?: Readonly<Record<string, string>> }[];
}>;

/** Services, and subsets that rules send to, which no other pod serves: `service ratings`, `subset v3 of reviews`. */
export async function servedAlone(
  api: Api,
  { metadata: { name, namespace, labels = {} } }: Resource,
): Promise<readonly string[]> {
  const list = async <T>(group: string, plural: string): Promise<readonly T[]> =>
    (await api.send<{ items: readonly T[] }>('GET', `/${group}/namespaces/${encodeURIComponent(namespace)}/${plural}`))
      .items;
  const [slices, pods, rules, routes] = await Promise.all([
    list<Slice>('apis/discovery.k8s.io/v1', 'endpointslices'),
    list<Resource>('api/v1', 'pods'),
    list<Rule>('apis/networking.istio.io/v1', 'destinationrules'),
    list<Resource>('apis/networking.istio.io/v1', 'virtualservices'),
  ]);
  const alone: string[] = [];
  for (const { metadata, endpoints = [] } of slices) {
    const service = metadata.labels?.['kubernetes.io/service-name'] ?? '';
    const ready = endpoints
      .filter(({ conditions }) => conditions?.ready === true)
      .map(({ targetRef }) => targetRef?.name);
    if (!ready.includes(name)) continue;
    if (ready.length === 1) alone.push(`service ${service}`);
    const others = pods.filter((pod) => pod.metadata.name !== name && ready.includes(pod.metadata.name));
    const subsets = rules.filter(({ spec }) => isHost(spec.host, service)).flatMap(({ spec }) => spec.subsets ?? []);
    for (const subset of subsets) {
      const wanted = subset.labels ?? {};
      const sentTo = destinationsIn(routes).some((to) => to.subset === subset.name && isHost(to.host, service));
      if (sentTo && matchesLabels(wanted, labels) && !others.some(({ metadata: m }) => matchesLabels(wanted, m.labels)))
        alone.push(`subset ${subset.name} of ${service}`);
    }
  }
  return alone;
}

const isHost = (host: unknown, service: string): boolean =>
  typeof host === 'string' && (host === service || host.startsWith(`${service}.`));

/** Of VirtualServices: every `destination`, whatever kind of route it is of. */
function destinationsIn(value: unknown): readonly { readonly host?: unknown; readonly subset?: unknown }[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'destination' ? [inner as { readonly host?: unknown; readonly subset?: unknown }] : destinationsIn(inner),
  );
}
