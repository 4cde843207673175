/** `lateen egress`: what leaves the mesh or is kept from it, and ServiceEntries for it. */
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import type { EgressView } from '#control-api/egress.ts';
import type { Proposals } from '#control-api/egress-proposal.ts';
import { Api, shownKind, withApi, type ApiFlags } from './api.ts';
import { applyOne } from './applied.ts';
import { CliError } from './cli-error.ts';
import { headOf, manifest, rowOf } from './egress-rows.ts';
import { columns, structured, withOutput, type OutputFlags } from './output.ts';

type Flags = ApiFlags &
  OutputFlags & {
    readonly allNamespaces?: true;
    readonly workload?: string;
    readonly blocked?: true;
    readonly since?: string;
    readonly watch?: true;
    readonly propose?: true;
    readonly apply?: true;
    readonly dryRun?: true;
    readonly yes?: true;
    readonly reset?: true;
  };

const LOOK_EVERY_MS = 1000;

export const command = (): Command =>
  withOutput(withApi(new Command('egress')), ['json', 'yaml', 'wide'])
    .description(
      'Shows what workloads called outside of the mesh in the last hour: blocked (REGISTRY_ONLY), passed (ALLOW_ANY, nobody declared it) or\n' +
        'allowed (a ServiceEntry declares it). Proxies report once a second. --propose prints a ServiceEntry for what was blocked or passed.',
    )
    .option('-A, --all-namespaces', 'of workloads in every namespace')
    .option('--workload <name>', 'of this workload alone: details-v1')
    .option('--blocked', 'only what was blocked')
    .option('--since <when>', 'only what was seen in the last 10m, or since 2026-11-21T17:00:00Z')
    .option('-w, --watch', 'go on, and show rows as they change')
    .option('--propose', 'print ServiceEntries, ready for kubectl apply -f -')
    .option('--apply', 'create the ServiceEntries that --propose prints')
    .option('--dry-run', 'with --apply: let the control API check them, and create nothing')
    .option('-y, --yes', 'with --apply: do not ask')
    .option('--reset', 'forget what was seen so far')
    .action(async (flags: Flags) => {
      const api = new Api(flags.server);
      if (flags.reset === true) {
        await api.send('DELETE', '/lateen/v1/egress');
        process.stdout.write('What was seen so far is forgotten.\n');
      } else if (flags.propose === true || flags.apply === true) await proposed(api, flags);
      else if (flags.watch === true) await follow(api, flags);
      else show(await ask(api, flags), flags);
    });

async function ask(api: Api, flags: Flags): Promise<readonly EgressView[]> {
  return (await asked<{ egress: readonly EgressView[] }>(api, 'egress', flags)).egress;
}

async function asked<T>(api: Api, path: string, flags: Flags): Promise<T> {
  const query = new URLSearchParams();
  if (flags.allNamespaces !== true) query.set('namespace', flags.namespace);
  if (flags.workload !== undefined) query.set('workload', flags.workload);
  if (flags.blocked === true) query.set('verdict', 'blocked');
  if (flags.since !== undefined) query.set('since', flags.since);
  const answer = await api.find<T>(`/lateen/v1/${path}?${query.toString()}`);
  if (answer === null) throw new CliError(`${api.server} is no control API of lateen: it knows no /lateen/v1/${path}.`);
  return answer;
}

function show(rows: readonly EgressView[], flags: Flags): void {
  if (flags.output === 'json' || flags.output === 'yaml')
    return void process.stdout.write(structured(rows, flags.output));
  if (rows.length === 0) return void process.stdout.write(`Nothing left the mesh, or tried to${placeOf(flags)}.\n`);
  process.stdout.write(tableOf(rows, flags));
}

const placeOf = ({ allNamespaces, namespace, since }: Flags): string =>
  `${allNamespaces === true ? '' : `, from namespace ${namespace}`}${since === undefined ? '' : `, since ${since}`}`;

function tableOf(rows: readonly EgressView[], { output, allNamespaces }: Flags): string {
  const how = { wide: output === 'wide', placed: allNamespaces === true, now: Date.now() };
  return columns([headOf(how.wide), ...rows.map((row) => rowOf(row, how))]);
}

/** Lines in columns as wide as the widest of all that was there so far. Until the terminal ends it. */
async function follow(api: Api, flags: Flags): Promise<never> {
  if (flags.output === 'json' || flags.output === 'yaml')
    throw new CliError(`--watch shows a table: expected -o wide or none, got -o ${flags.output}.`, { exitCode: 2 });
  const shown = new Map<string, string>();
  let first = true;
  for (;;) {
    const rows = await ask(api, flags);
    const [head, ...lines] = tableOf(rows, flags).trimEnd().split('\n');
    if (first) process.stdout.write(`${head}\n`);
    first = false;
    for (const [i, row] of rows.entries()) {
      const key = [row.namespace, row.workload, row.verdict, row.protocol, row.host || row.address, row.port].join(' ');
      const state = `${row.count} ${row.lastSeen}`;
      if (shown.get(key) !== state) process.stdout.write(`${lines[i]}\n`);
      shown.set(key, state);
    }
    await pause(LOOK_EVERY_MS);
  }
}

async function proposed(api: Api, flags: Flags): Promise<void> {
  const proposals = await asked<Proposals>(api, 'egress/proposals', flags);
  if (flags.output === 'json') process.stdout.write(structured(proposals, 'json'));
  else process.stdout.write(manifest(proposals));
  if (flags.apply !== true || proposals.proposals.length === 0) return;
  const dryRun = flags.dryRun === true;
  if (!dryRun && flags.yes !== true && !(await confirmed(proposals.proposals.length))) return;
  for (const { resource } of proposals.proposals) {
    const { info, outcome } = await applyOne(api, resource, dryRun);
    process.stderr.write(
      `${shownKind(info)}/${resource.metadata.name} ${outcome}${dryRun ? ' (server dry run)' : ''}\n`,
    );
  }
}

/** What lets traffic out is never done unasked. */
async function confirmed(count: number): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new CliError('nobody is there to be asked.', { hint: '--yes creates them without a question.', exitCode: 2 });
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const what = count === 1 ? 'this ServiceEntry' : `these ${count} ServiceEntries`;
  // Ctrl-C and Ctrl-D reject the question; a terminal that goes away only closes it.
  const closed = once(lines, 'close').then(() => '');
  const reply = await Promise.race([lines.question(`Create ${what}? [y/N] `).catch(() => ''), closed]);
  lines.close();
  if (/^y(?:es)?$/i.test(reply.trim())) return true;
  process.stdout.write('Nothing was changed.\n');
  process.exitCode = 1;
  return false;
}
