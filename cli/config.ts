/** `lateen config`: what one proxy runs with, asked of the proxy itself. */
import { Command, Option } from 'commander';
import { suggest } from '#proxy/core/suggest.ts';
import type { Cluster } from '#proxy/snapshot/cluster.ts';
import type { Endpoint } from '#proxy/snapshot/endpoints.ts';
import type { Listener } from '#proxy/snapshot/listener.ts';
import type { RouteTable } from '#proxy/snapshot/route.ts';
import { withApi, type ApiFlags } from './api.ts';
import { CliError } from './cli-error.ts';
import { port } from './flags.ts';
import { columns, structured, withOutput, type OutputFlags } from './output.ts';
import { proxiesOf } from './status.ts';
import { routeRows } from './route-rows.ts';
import { ruleRows } from './rule-rows.ts';

type Flags = ApiFlags & OutputFlags & { readonly adminPort: number; readonly admin?: string };

type Dump = {
  readonly version: string | null;
  readonly listeners: readonly Listener[];
  readonly tables: Readonly<Record<string, RouteTable>>;
  readonly clusters: Readonly<Record<string, Cluster>>;
  readonly endpoints: Readonly<Record<string, readonly Endpoint[]>>;
};

const PARTS = ['listeners', 'routes', 'clusters', 'endpoints', 'all'] as const;

export const command = (): Command =>
  withOutput(withApi(new Command('config')), ['json', 'yaml'])
    .description('Shows what one proxy runs with: lateen config productpage-v1 routes')
    .argument('<proxy>', 'pod, deployment or POD.NAMESPACE, as lateen status shows them')
    .argument('[part]', PARTS.join(', '), 'all')
    .addOption(new Option('--admin-port <port>', 'admin port of the proxy').argParser(port).default(15000))
    .option('--admin <url>', 'where its admin page is, instead of asking the control API')
    .action(async (proxy: string, part: string, flags: Flags) => {
      if (!PARTS.includes(part as (typeof PARTS)[number])) {
        const guess = suggest(part, PARTS);
        throw new CliError(`"${part}" is no part of a proxy's configuration.`, {
          hint: guess === null ? `Expected one of ${PARTS.join(', ')}.` : `Did you mean ${guess}?`,
          exitCode: 2,
        });
      }
      const dump = await dumpOf(flags.admin ?? (await adminOf(proxy, flags)));
      if (flags.output === 'json' || flags.output === 'yaml') {
        process.stdout.write(
          structured(part === 'all' ? dump : dump[part === 'routes' ? 'tables' : (part as 'listeners')], flags.output),
        );
        return;
      }
      for (const name of part === 'all' ? PARTS.slice(0, 4) : [part]) {
        const rules = name === 'listeners' ? ruleRows(dump.listeners) : [];
        process.stdout.write(
          `${part === 'all' ? `${name}\n` : ''}${columns(rowsOf(name, dump))}` +
            `${rules.length === 0 ? '' : `\n${columns(rules)}`}${part === 'all' ? '\n' : ''}`,
        );
      }
    });

async function adminOf(name: string, flags: Flags): Promise<string> {
  const proxies = await proxiesOf(flags.server);
  const found =
    proxies.find((p) => p.proxy === name || p.proxy === `${name}.${flags.namespace}`) ??
    proxies.find((p) => p.workload === name || p.proxy.startsWith(`${name}-`));
  if (found?.ip !== undefined && found.ip !== '') return `http://${found.ip}:${flags.adminPort}`;
  const guess = suggest(
    name,
    proxies.flatMap((p) => [p.proxy, p.workload ?? '']),
  );
  throw new CliError(
    found === undefined ? `no proxy "${name}" is connected.` : `proxy ${found.proxy} has not said yet where it is.`,
    { hint: guess === null ? 'lateen status lists the proxies.' : `Did you mean ${guess}?` },
  );
}

async function dumpOf(admin: string): Promise<Dump> {
  const response = await fetch(`${admin}/config_dump`, { signal: AbortSignal.timeout(10_000) }).catch(
    (error: unknown) => {
      throw new CliError(
        `the proxy's admin page at ${admin} cannot be reached (${error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)}).`,
      );
    },
  );
  if (!response.ok) throw new CliError(`the proxy's admin page at ${admin} answers ${response.status}.`);
  return (await response.json()) as Dump;
}

function rowsOf(part: string, { listeners, tables, clusters, endpoints }: Dump): string[][] {
  if (part === 'listeners')
    return [
      ['NAME', 'ADDRESS', 'PORT', 'KIND', 'DIRECTION', 'POLICY'],
      ...listeners.map((l) => [l.name, l.address, String(l.port), l.kind, l.direction, l.authz === null ? '' : 'yes']),
    ];
  if (part === 'routes') return routeRows(tables);
  if (part === 'clusters')
    return [
      ['NAME', 'ENDPOINTS'],
      ...Object.keys(clusters).map((name) => [name, String(endpoints[name]?.length ?? 0)]),
    ];
  const rows = Object.entries(endpoints).flatMap(([name, list]) =>
    list.map((e) => [name, `${e.address}:${e.port}`, String(e.weight), e.healthy ? 'healthy' : 'unhealthy']),
  );
  return [['CLUSTER', 'ENDPOINT', 'WEIGHT', 'HEALTH'], ...rows];
}
