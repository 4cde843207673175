/** `lateen analyze`: what is valid alone but wrong together, in the live mesh. Says it as istioctl analyze does. */
import { Command } from 'commander';
import type { Problem } from '#proxy/istio/problem.ts';
import { Api, withApi, type ApiFlags } from './api.ts';
import { CliError } from './cli-error.ts';
import { structured, withOutput, type OutputFlags } from './output.ts';
import { paint } from './paint.ts';

type Flags = ApiFlags & OutputFlags & { readonly allNamespaces?: true };

export const command = (): Command =>
  withOutput(withApi(new Command('analyze')), ['json', 'yaml'])
    .description('Finds what is valid alone but wrong together: missing subsets and hosts, conflicts, shadowed rules.')
    .option('-A, --all-namespaces', 'of every namespace')
    .action(async (flags: Flags) => {
      const query = flags.allNamespaces === true ? '' : `?namespace=${encodeURIComponent(flags.namespace)}`;
      const answer = await new Api(flags.server).find<{ problems: readonly Problem[] }>(`/lateen/v1/analyze${query}`);
      if (answer === null)
        throw new CliError(`${flags.server} is no control API of lateen: it knows no /lateen/v1/analyze.`);
      const { problems } = answer;
      if (flags.output === 'json' || flags.output === 'yaml') process.stdout.write(structured(problems, flags.output));
      else show(problems, flags.allNamespaces === true ? 'all namespaces' : `namespace: ${flags.namespace}`);
      if (problems.some((p) => p.severity === 'error')) process.exitCode = 1;
    });

function show(problems: readonly Problem[], what: string): void {
  if (problems.length === 0)
    process.stdout.write(`${paint('green', '✔')} No validation issues found when analyzing ${what}.\n`);
  for (const { severity, code, resource, path, message } of problems) {
    const word = severity === 'error' ? paint('red', 'Error') : paint('yellow', 'Warning');
    const about = resource === undefined ? '' : ` (${resource.kind} ${resource.namespace}/${resource.name})`;
    process.stdout.write(`${word} [${code ?? 'LATEEN'}]${about} ${path === '' ? '' : `${path}: `}${message}\n`);
  }
}
