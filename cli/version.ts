/** `lateen version`: of this program, and of the control API it would talk to. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { Api, withApi, type ApiFlags } from './api.ts';
import { structured, withOutput, type OutputFlags } from './output.ts';

type Flags = ApiFlags & OutputFlags & { readonly client?: true };

/** Of package.json. */
export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}

export const command = (): Command =>
  withOutput(withApi(new Command('version'), false), ['json', 'yaml'])
    .description('Shows the version of this program, and of the control API when one answers.')
    .option('--client', 'of this program only')
    .action(async (flags: Flags) => {
      const client = ownVersion();
      const server =
        flags.client === true
          ? null
          : await new Api(flags.server).find<{ gitVersion?: string }>('/version').catch(() => null);
      const node = process.version;
      if (flags.output === 'json' || flags.output === 'yaml')
        process.stdout.write(structured({ client, node, server: server?.gitVersion ?? null }, flags.output));
      else
        process.stdout.write(
          `lateen ${client} (Node.js ${node})\n${flags.client === true ? '' : `control API ${server?.gitVersion ?? `none at ${flags.server}`}\n`}`,
        );
    });
