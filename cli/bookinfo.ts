/** `lateen bookinfo <service>`: one service of the sample, as the runner and containers start it. */
import { Command } from 'commander';
import { suggest } from '#proxy/core/suggest.ts';
import { CliError } from './cli-error.ts';

type Main = { readonly main: (env: NodeJS.ProcessEnv, argv: readonly string[]) => Promise<number> };

const SERVICES: Readonly<Record<string, () => Promise<Main>>> = {
  productpage: () => import('#bookinfo/productpage/main.ts'),
  details: () => import('#bookinfo/details/main.ts'),
  reviews: () => import('#bookinfo/reviews/main.ts'),
  ratings: () => import('#bookinfo/ratings/main.ts'),
};

export const command = (): Command =>
  new Command('bookinfo')
    .description(
      "Runs one service of BookInfo. Its settings come from the environment, as in Istio's sample (PORT, ENABLE_RATINGS, STAR_COLOR …).",
    )
    .argument('<service>', Object.keys(SERVICES).join(', '))
    .argument('[port]', 'port to listen on; when it is not given, the environment variable PORT, else 9080')
    .action(async (service: string, port: string | undefined) => {
      const load = SERVICES[service];
      if (load === undefined) {
        const guess = suggest(service, Object.keys(SERVICES));
        const hint = guess === null ? `It has ${Object.keys(SERVICES).join(', ')}.` : `Did you mean ${guess}?`;
        throw new CliError(`BookInfo has no service "${service}".`, { hint, exitCode: 2 });
      }
      const { main } = await load();
      process.exitCode = await main(process.env, port === undefined ? [] : [port]);
    });
