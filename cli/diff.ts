/** `lateen diff`: what apply would change, without changing it. */
import { Command } from 'commander';
import { keyOf } from '#proxy/istio/resource.ts';
import { Api, withApi, type ApiFlags } from './api.ts';
import { applyOne } from './applied.ts';
import { resourceDiff } from './resource-diff.ts';
import { readResources, refuseErrors, withFiles, type FileFlags } from './source-file.ts';

type Flags = ApiFlags & FileFlags;

export const command = (): Command =>
  withFiles(withApi(new Command('diff')))
    .description('Shows what apply would change. Exit code 0: nothing; 1: something; above: it failed.')
    .argument('[file...]', 'the same as -f')
    .action(async (words: readonly string[], flags: Flags) => {
      const { resources, problems } = await readResources(flags, words, flags.namespace);
      refuseErrors(problems);
      const api = new Api(flags.server);
      let differs = false;
      for (const resource of resources) {
        const { before, after } = await applyOne(api, resource, true);
        const text = resourceDiff(before, after, [`live/${keyOf(resource)}`, `merged/${keyOf(resource)}`]);
        if (text === '') continue;
        differs = true;
        process.stdout.write(text);
      }
      if (differs) process.exitCode = 1;
    });
