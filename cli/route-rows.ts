/** Routes of a proxy as lines for people: host, what has to match, where it goes, and which resource says so. */
import type { StringMatch } from '#proxy/snapshot/match.ts';
import type { Route, RouteAction, RouteMatch, RouteTable } from '#proxy/snapshot/route.ts';

/** With a head; for `lateen config <proxy> routes`. */
export function routeRows(tables: Readonly<Record<string, RouteTable>>): string[][] {
  const rows = Object.values(tables).flatMap((table) =>
    table.virtualHosts.flatMap((host) =>
      host.routes.map((route) => [
        table.name,
        domainOf(host.domains),
        matchText(route.match),
        actionText(route.action),
        extras(route),
        sourceText(route),
      ]),
    ),
  );
  return [['TABLE', 'HOST', 'MATCH', 'GOES TO', 'WITH', 'BECAUSE OF'], ...rows];
}

/** The shortest name says enough; the others are the same host. */
function domainOf(domains: readonly string[]): string {
  const [shortest = ''] = [...domains].sort((a, b) => a.length - b.length);
  return domains.length < 2 ? shortest : `${shortest} (+${domains.length - 1})`;
}

function matchText({ path, method, authority, scheme, headers, query }: RouteMatch): string {
  const parts = [
    ...(path === null ? [] : [`path ${text(path)}`]),
    ...(method === null ? [] : [`method ${text(method)}`]),
    ...(authority === null ? [] : [`authority ${text(authority)}`]),
    ...(scheme === null ? [] : [`scheme ${text(scheme)}`]),
    ...headers.map((h) => `header ${h.name} ${h.invert ? 'not ' : ''}${text(h.match)}`),
    ...query.map((q) => `query ${q.name} ${text(q.match)}`),
  ];
  return parts.length === 0 ? 'any' : parts.join(', ');
}

const text = (match: StringMatch): string => ('value' in match ? `${match.kind} "${match.value}"` : match.kind);

function actionText(action: RouteAction): string {
  switch (action.kind) {
    case 'forward':
      return action.split
        .map(({ cluster, weight }) => (action.split.length === 1 ? cluster : `${cluster} (${weight})`))
        .join(', ');
    case 'redirect':
      return `redirect ${action.status}`;
    case 'direct':
      return `answer ${action.status}`;
  }
}

function extras({ timeout, fault, mirrors, retry }: Route): string {
  const parts = [
    ...(timeout === null ? [] : [`timeout ${timeout} ms`]),
    ...(retry === null ? [] : [`${retry.attempts} retries`]),
    ...(fault === null ? [] : ['fault']),
    ...(mirrors.length === 0 ? [] : ['mirror']),
  ];
  return parts.join(', ');
}

const sourceText = ({ source }: Route): string =>
  source === null ? '' : `${source.kind} ${source.namespace}/${source.name} ${source.path}`;
