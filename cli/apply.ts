/** `lateen apply`: creates or changes resources, and says which. */
import { Command, Option } from 'commander';
import { keyOf } from '#proxy/istio/resource.ts';
import { Api, shownKind, withApi, type ApiFlags } from './api.ts';
import { applyOne } from './applied.ts';
import { CliError, report } from './cli-error.ts';
import { readResources, refuseErrors, withFiles, type FileFlags } from './source-file.ts';

type Flags = ApiFlags & FileFlags & { readonly dryRun: 'none' | 'server' };

export const command = (): Command =>
  withFiles(withApi(new Command('apply')))
    .description('Creates or changes resources from files. Everything is checked before anything is sent.')
    .argument('[file...]', 'the same as -f')
    .addOption(
      new Option('--dry-run <how>', 'server: check, and say what would happen')
        .choices(['none', 'server'])
        .preset('server')
        .default('none'),
    )
    .action(async (words: readonly string[], flags: Flags) => {
      const { resources, problems } = await readResources(flags, words, flags.namespace);
      refuseErrors(problems);
      if (resources.length === 0) throw new CliError('there is no resource in what was given.');
      const api = new Api(flags.server);
      const dryRun = flags.dryRun === 'server';
      let failed = 0;
      for (const resource of resources) {
        try {
          const { info, outcome } = await applyOne(api, resource, dryRun);
          process.stdout.write(
            `${shownKind(info)}/${resource.metadata.name} ${outcome}${dryRun ? ' (server dry run)' : ''}\n`,
          );
        } catch (error) {
          if (!(error instanceof CliError)) throw error;
          failed++;
          report(new CliError(`${keyOf(resource)}: ${error.message}`, { hint: error.hint }));
        }
      }
      if (failed > 0) process.exitCode = 1;
    });
