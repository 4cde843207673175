/** `lateen delete`: removes resources, by name or by the files they are written in. */
import { Command } from 'commander';
import { kindFor } from '#proxy/istio/kinds.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import { Api, pathOf, shownKind, withApi, type ApiFlags } from './api.ts';
import { CliError, report } from './cli-error.ts';
import { wantedOf, type Wanted } from './kind.ts';
import { readResources, withFiles, type FileFlags } from './source-file.ts';

type Flags = ApiFlags & FileFlags & { readonly ignoreNotFound?: true; readonly all?: true };
type Doomed = Wanted & { readonly name: string; readonly namespace: string };

export const command = (): Command =>
  withFiles(withApi(new Command('delete')))
    .description('Removes resources: lateen delete -f FILE, or lateen delete KIND NAME…')
    .argument('[kind-and-names...]')
    .option('--all', 'every resource of the kind in the namespace')
    .option('--ignore-not-found', 'what is not there is no failure')
    .action(async (words: readonly string[], flags: Flags) => {
      const api = new Api(flags.server);
      const doomed = flags.filename === undefined ? await byName(api, words, flags) : await byFile(flags);
      let failed = 0;
      for (const { info, name, namespace } of doomed) {
        try {
          await api.send('DELETE', pathOf(info, namespace, name));
          process.stdout.write(`${shownKind(info)} "${name}" deleted\n`);
        } catch (error) {
          if (!(error instanceof CliError)) throw error;
          if (flags.ignoreNotFound === true && /not found/.test(error.message)) continue;
          failed++;
          report(error);
        }
      }
      if (failed > 0) process.exitCode = 1;
    });

async function byFile(flags: Flags): Promise<Doomed[]> {
  // What does not validate can be deleted all the same, as long as it can be told what it is.
  const { resources, problems } = await readResources(flags, [], flags.namespace);
  const named = problems.flatMap(({ severity, resource }) =>
    severity === 'error' && resource !== undefined ? [resource] : [],
  );
  if (named.length > 0) process.stderr.write('Some of what is written is not valid; it is deleted by kind and name.\n');
  const written = resources.map((r) => ({
    info: kindFor(r.apiVersion, r.kind)!,
    name: r.metadata.name,
    namespace: r.metadata.namespace,
  }));
  const rest = named.map(({ kind, name, namespace }) => ({ info: wantedOf([kind])[0]!.info, name, namespace }));
  return [...written, ...rest].filter(
    (d, i, all) => all.findIndex((o) => o.info === d.info && o.name === d.name && o.namespace === d.namespace) === i,
  );
}

async function byName(api: Api, words: readonly string[], flags: Flags): Promise<Doomed[]> {
  if (words.length === 0) throw new CliError('expected -f FILE, or KIND and NAME.', { exitCode: 2 });
  const doomed: Doomed[] = [];
  for (const { info, name } of wantedOf(words)) {
    if (name !== null) doomed.push({ info, name, namespace: flags.namespace });
    else if (flags.all !== true)
      throw new CliError(`expected the name of a ${info.singular}, or --all.`, { exitCode: 2 });
    else {
      const list = await api.find<{ items: readonly Resource[] }>(pathOf(info, flags.namespace));
      doomed.push(...(list?.items ?? []).map((r) => ({ info, name: r.metadata.name, namespace: flags.namespace })));
    }
  }
  return doomed;
}
