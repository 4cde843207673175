/** `lateen edges`: who calls whom, how it is split over versions, and what is denied or blocked. */
import { Command } from 'commander';
import type { StatsRow } from '#control-api/stats-view.ts';
import { Api, withApi } from './api.ts';
import { columns, structured, withOutput } from './output.ts';
import { idle, statsOf, withWindow, type StatFlags } from './stat.ts';
import { flagsOf, nameOf, numbers, percent, short, size } from './stat-rows.ts';
import { target, type Target } from './stat-target.ts';
import { CliError } from './cli-error.ts';

const HEAD = [
  'SOURCE',
  'DESTINATION',
  'SERVICE',
  'VERSION',
  'SHARE',
  'RPS',
  'SUCCESS',
  'P50',
  'P95',
  'P99',
  'TCP',
  'NOTE',
];

export const command = (): Command =>
  withWindow(withOutput(withApi(new Command('edges')), ['json', 'yaml', 'wide']))
    .description(
      'Shows who calls whom. SHARE is what a version gets of all that its caller sends to the service. NOTE tells what was denied by an\n' +
        'AuthorizationPolicy, blocked by REGISTRY_ONLY, or flagged. Only traffic is shown: who may call whom, policies tell.',
    )
    .argument('[what]', 'deploy/NAME, svc/NAME or ns/NAME: edges that it is an end of', target)
    .action(async (what: Target | undefined, flags: StatFlags) => {
      if (what?.kind === 'pod')
        throw new CliError('edges are between workloads: expected deploy/NAME, svc/NAME or ns/NAME.', { exitCode: 2 });
      const named = what?.kind === 'namespace' && what.name !== null ? what.name : flags.namespace;
      const everywhere = flags.allNamespaces === true || (what?.kind === 'namespace' && what.name === null);
      const stats = await statsOf(new Api(flags.server), {
        window: flags.window,
        by: 'edge',
        namespace: everywhere ? undefined : named,
        workload: what?.kind === 'workload' ? (what.name ?? undefined) : undefined,
        service: what?.kind === 'service' ? (what.name ?? undefined) : undefined,
      });
      if (flags.output === 'json' || flags.output === 'yaml')
        return void process.stdout.write(structured(stats, flags.output));
      if (stats.rows.length === 0) return void process.stdout.write(idle(flags));
      const wide = flags.output === 'wide';
      const home = everywhere ? '' : named;
      const head = wide ? [...HEAD, 'REQUESTS', 'IN', 'OUT', 'TOLD BY'] : HEAD;
      process.stdout.write(columns([head, ...stats.rows.map((row) => edgeRow(row, home, wide))]));
    });

function edgeRow(row: StatsRow, home: string, wide: boolean): string[] {
  const { source, destination, service = '', share = null } = row;
  return [
    nameOf(source!, home, '(outside)'),
    nameOf(destination!, home, '(nobody of the mesh)'),
    short(service) || '-',
    destination!.version || '-',
    share === null ? '-' : percent(share).replace(/\.00%$/, '%'),
    ...numbers(row),
    note(row),
    ...(wide ? [String(row.requests), size(row.received), size(row.sent), row.reporters.join(',') || '-'] : []),
  ];
}

function note(row: StatsRow): string {
  const parts = [
    ...(row.denied > 0 ? [`denied ${row.denied}`] : []),
    ...(row.blocked > 0 ? [`blocked ${row.blocked}`] : []),
    ...(flagsOf(row) === '-' ? [] : [flagsOf(row)]),
  ];
  return parts.join(', ') || '-';
}
