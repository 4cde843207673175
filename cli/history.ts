/** `lateen history`: who changed what, and when. */
import { Command } from 'commander';
import { Api, withApi, type ApiFlags } from './api.ts';
import { CliError } from './cli-error.ts';
import { count } from './flags.ts';
import { wantedOf } from './kind.ts';
import { columns, structured, withOutput, type OutputFlags } from './output.ts';

type Flags = ApiFlags & OutputFlags & { readonly limit: number; readonly allNamespaces?: true; readonly all?: true };

type Change = {
  readonly revision: number;
  readonly at: string;
  readonly author: { readonly via: string; readonly user: string; readonly message?: string };
  readonly verb: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
};

export const command = (): Command =>
  withOutput(withApi(new Command('history')), ['json', 'yaml'])
    .description('Shows changes of resources, newest first: lateen history, lateen history vs reviews')
    .argument('[kind-and-name...]', 'KIND, KIND NAME or KIND/NAME')
    .option('-A, --all-namespaces', 'of every namespace')
    .option('--all', 'also what the runner and the control plane changed by themselves')
    .option('--limit <n>', 'so many of them', count, 20)
    .action(async (words: readonly string[], flags: Flags) => {
      const wanted = words.length === 0 ? undefined : wantedOf(words)[0];
      const query = new URLSearchParams({ limit: String(flags.limit), by: flags.all === true ? 'all' : 'people' });
      if (wanted !== undefined) query.set('kind', wanted.info.kind);
      if (wanted !== undefined && wanted.name !== null) query.set('name', wanted.name);
      if (flags.allNamespaces !== true && wanted?.info.namespaced === true) query.set('namespace', flags.namespace);
      const answer = await new Api(flags.server).find<{ changes: readonly Change[] }>(
        `/lateen/v1/history?${query.toString()}`,
      );
      if (answer === null)
        throw new CliError(`${flags.server} is no control API of lateen: it knows no /lateen/v1/history.`);
      if (flags.output === 'json' || flags.output === 'yaml')
        process.stdout.write(structured(answer.changes, flags.output));
      else process.stdout.write(table(answer.changes));
    });

function table(changes: readonly Change[]): string {
  if (changes.length === 0) return 'No changes found.\n';
  // Few changes say what they were for.
  const told = changes.some(({ author }) => author.message !== undefined);
  const head = ['REVISION', 'WHEN', 'BY', 'CHANGE', 'RESOURCE', ...(told ? ['MESSAGE'] : [])];
  return columns([head, ...changes.map(rowOf)]);
}

function rowOf({ revision, at, author, verb, kind, namespace, name }: Change): string[] {
  const by = author.user === '' ? author.via : `${author.user} (${author.via})`;
  return [
    String(revision),
    at.replace('T', ' ').slice(0, 19),
    by,
    verb,
    `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`,
    author.message ?? '',
  ];
}
