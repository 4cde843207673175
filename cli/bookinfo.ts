/** `lateen bookinfo <service>`: one service of the sample, as the runner and containers start it. */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { CliError } from './cli-error.ts';
import { suggest } from '#proxy/core/suggest.ts';

const SERVICES = ['productpage', 'details', 'reviews', 'ratings'];

export const command = (): Command =>
  new Command('bookinfo')
    .description(
      "Runs one service of BookInfo. Its settings come from the environment, as in Istio's sample (PORT, ENABLE_RATINGS, STAR_COLOR …).",
    )
    .argument('<service>', SERVICES.join(', '))
    .argument('[port]', 'port to listen on; the environment variable PORT, else 9080, when it is not given')
    .action(async (service: string, port: string | undefined) => {
      if (!SERVICES.includes(service)) {
        const guess = suggest(service, SERVICES);
        throw new CliError(`BookInfo has no service "${service}".`, {
          hint: guess === null ? `It has ${SERVICES.join(', ')}.` : `Did you mean ${guess}?`,
          exitCode: 2,
        });
      }
      if (port !== undefined) process.env['PORT'] = port;
      const main = new URL(`../bookinfo/${service}/main.ts`, import.meta.url);
      if (!existsSync(main)) throw new CliError(`${main.pathname} is missing.`);
      await import(main.href);
    });
