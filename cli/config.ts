/** `lateen config`: what one proxy runs with, asked of it through the control API, or directly. */
import { Command, Option } from 'commander';
import { suggest } from '#proxy/core/suggest.ts';
import type { ProxyState } from '#control-api/proxies.ts';
import type { Cluster } from '#proxy/snapshot/cluster.ts';
import type { Endpoint } from '#proxy/snapshot/endpoints.ts';
import type { Listener } from '#proxy/snapshot/listener.ts';
import type { RouteTable } from '#proxy/snapshot/route.ts';
import { Api, withApi, type ApiFlags } from './api.ts';
import { CliError } from './cli-error.ts';
import { port } from './flags.ts';
import { columns, structured, withOutput, type OutputFlags } from './output.ts';
import { proxiesOf } from './status.ts';
import { routeRows } from './route-rows.ts';
import { ruleRows } from './rule-rows.ts';

type Flags = ApiFlags & OutputFlags & { readonly adminPort?: number; readonly admin?: string };

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
    .addOption(
      new Option(
        '--admin-port <port>',
        'ask the proxy itself, on this port of its address (its own is 15000)',
      ).argParser(port),
    )
    .option('--admin <url>', 'ask the proxy itself, at this URL of its admin port')
    .action(async (proxy: string, part: string, flags: Flags) => {
      if (!PARTS.includes(part as (typeof PARTS)[number])) {
        const guess = suggest(part, PARTS);
        throw new CliError(`"${part}" is no part of a proxy's configuration.`, {
          hint: guess === null ? `Expected one of ${PARTS.join(', ')}.` : `Did you mean ${guess}?`,
          exitCode: 2,
        });
      }
      const dump = await dumpOf(proxy, flags);
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

async function dumpOf(name: string, flags: Flags): Promise<Dump> {
  if (flags.admin !== undefined) return directDump(flags.admin.replace(/\/+$/, ''));
  const { proxy, ip = '' } = await proxyOf(name, flags);
  if (flags.adminPort === undefined) {
    const dump = await new Api(flags.server).find<Dump>(
      `/lateen/v1/proxies/${encodeURIComponent(proxy)}/admin/config_dump`,
    );
    if (dump === null)
      throw new CliError(`proxy ${proxy} has just gone.`, { hint: 'lateen status lists the proxies.' });
    return dump;
  }
  if (ip === '') throw new CliError(`proxy ${proxy} has not said yet where it is.`);
  return directDump(`http://${ip}:${flags.adminPort}`);
}

/** Throws CliError. Of several, one that can be asked. */
async function proxyOf(name: string, flags: Flags): Promise<ProxyState> {
  const proxies = await proxiesOf(flags.server);
  const here = proxies.filter(({ sync }) => sync !== 'DISCONNECTED');
  const exact = proxies.find((p) => p.proxy === name || p.proxy === `${name}.${flags.namespace}`);
  const isOne = (p: ProxyState): boolean => p.workload === name || p.proxy.startsWith(`${name}-`);
  const found = exact ?? here.find(isOne) ?? proxies.find(isOne);
  if (found !== undefined) return found;
  const guess = suggest(
    name,
    proxies.flatMap((p) => [p.proxy, p.workload ?? '']),
  );
  throw new CliError(`no proxy "${name}" is connected.`, {
    hint: guess === null ? 'lateen status lists the proxies.' : `Did you mean ${guess}?`,
  });
}

async function directDump(admin: string): Promise<Dump> {
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
