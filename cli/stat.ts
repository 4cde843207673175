/** `lateen stat`: how much comes in, how well it goes and how long it takes, without a Prometheus. */
import { Command, Option } from 'commander';
import type { Stats } from '#control-api/stats.ts';
import type { By, StatsRow } from '#control-api/stats-view.ts';
import { Api, withApi, type ApiFlags } from './api.ts';
import { CliError } from './cli-error.ts';
import { columns, structured, withOutput, type OutputFlags } from './output.ts';
import { target, type Target } from './stat-target.ts';
import { statHead, statRow } from './stat-rows.ts';

export type StatFlags = ApiFlags &
  OutputFlags & { readonly allNamespaces?: true; readonly window: string; readonly by?: By };

export const withWindow = (command: Command): Command =>
  command
    .option('-A, --all-namespaces', 'of every namespace')
    .option('-t, --window <time>', 'of the last so long: 10s … 1h', '1m');

export const command = (): Command =>
  withWindow(withOutput(withApi(new Command('stat')), ['json', 'yaml', 'wide']))
    .description(
      'Shows requests a second, how many went well and how long they took, of workloads (deploy, the default), services (svc), pods or a\n' +
        'namespace. Proxies report once a second; the control API keeps the last hour. Each request counts once.',
    )
    .argument('[what]', 'deploy/NAME, svc/NAME, pod/NAME, ns/NAME; or deploy, svc, pod, ns', target)
    .addOption(new Option('--by <what>', 'a line for each').choices(['workload', 'service', 'pod', 'route']))
    .action(async (what: Target | undefined, flags: StatFlags) => {
      const asked: Target = what ?? { kind: 'workload', name: null };
      const stats = await statsOf(new Api(flags.server), queryOf(asked, flags));
      const rows =
        asked.kind === 'pod' && asked.name !== null ? stats.rows.filter((r) => r.name === asked.name) : stats.rows;
      if (flags.output === 'json' || flags.output === 'yaml')
        process.stdout.write(structured({ ...stats, rows }, flags.output));
      else process.stdout.write(rows.length === 0 ? idle(flags) : table(stats.by, rows, flags));
    });

/** Throws CliError when the control API is none of ours. */
export async function statsOf(api: Api, query: Readonly<Record<string, string | undefined>>): Promise<Stats> {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const stats = await api.find<Stats>(`/lateen/v1/stats?${new URLSearchParams(given).toString()}`);
  if (stats === null) throw new CliError(`${api.server} is no control API of lateen: it knows no /lateen/v1/stats.`);
  return stats;
}

/** `ns/prod` means what `-n prod` does. */
function queryOf({ kind, name }: Target, flags: StatFlags): Record<string, string | undefined> {
  const everywhere = flags.allNamespaces === true || (kind === 'namespace' && name === null);
  const place = kind === 'namespace' && name !== null ? name : flags.namespace;
  const by: By = flags.by ?? (kind === 'namespace' ? 'workload' : kind);
  return {
    window: flags.window,
    by,
    namespace: everywhere ? undefined : place,
    workload: kind === 'workload' ? (name ?? undefined) : undefined,
    service: kind === 'service' ? (name ?? undefined) : undefined,
  };
}

export const idle = ({ allNamespaces, namespace, window }: Omit<StatFlags, 'output'>): string =>
  `No traffic${allNamespaces === true ? '' : ` in namespace ${namespace}`} in the last ${window}.\n`;

function table(by: By, rows: readonly StatsRow[], { output, allNamespaces }: StatFlags): string {
  const wide = output === 'wide';
  const placed = allNamespaces === true;
  return columns([statHead(by, wide, placed), ...rows.map((row) => statRow(by, row, wide, placed))]);
}
