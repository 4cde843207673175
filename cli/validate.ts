/** `lateen validate`: checks files by themselves, with no mesh running. */
import { Command } from 'commander';
import { analyze } from '#proxy/compile/analyze.ts';
import { DEFAULT_MESH } from '#proxy/compile/defaults.ts';
import { ResourceSet } from '#proxy/istio/resource.ts';
import { structured, withOutput, type OutputFlags } from './output.ts';
import { problemLine, readResources, withFiles, type FileFlags } from './source-file.ts';

type Flags = FileFlags & OutputFlags & { readonly namespace: string; readonly strict?: true };

export const command = (): Command =>
  withOutput(withFiles(new Command('validate')), ['json', 'yaml'])
    .description('Checks resources in files: each by itself, then all of them together. Nothing has to run for it.')
    .argument('[file...]', 'the same as -f')
    .option('-n, --namespace <name>', 'namespace of resources that name none', 'default')
    .option('--strict', 'warnings fail, too')
    .action(async (words: readonly string[], flags: Flags) => {
      const { resources, problems } = await readResources(flags, words, flags.namespace);
      const all = [...problems, ...analyze(new ResourceSet(resources), DEFAULT_MESH)];
      const errors = all.filter((p) => p.severity === 'error').length;
      if (flags.output === 'json' || flags.output === 'yaml')
        process.stdout.write(structured({ resources: resources.length, problems: all }, flags.output));
      else {
        for (const problem of all) process.stdout.write(`${problemLine(problem)}\n`);
        if (all.length === 0)
          process.stdout.write(
            `✔ ${resources.length} ${resources.length === 1 ? 'resource is' : 'resources are'} valid.\n`,
          );
        else
          process.stdout.write(
            `${errors} ${errors === 1 ? 'error' : 'errors'}, ${all.length - errors} ${all.length - errors === 1 ? 'warning' : 'warnings'}.\n`,
          );
      }
      if (errors > 0 || (flags.strict === true && all.length > 0)) process.exitCode = 1;
    });
