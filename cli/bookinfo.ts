/** `lateen bookinfo <service>`: one service of the sample, as the runner and containers start it. */
import { Command, InvalidArgumentError } from 'commander';
import { suggest } from '#proxy/core/suggest.ts';
import { CliError } from './cli-error.ts';

type Main = { readonly main: (env: NodeJS.ProcessEnv, argv: readonly string[]) => Promise<number> };

type Flags = { readonly listen?: { readonly host: string; readonly port: string }; readonly data?: string };

const SERVICES: Readonly<Record<string, () => Promise<Main>>> = {
  productpage: () => import('#bookinfo/productpage/main.ts'),
  details: () => import('#bookinfo/details/main.ts'),
  reviews: () => import('#bookinfo/reviews/main.ts'),
  ratings: () => import('#bookinfo/ratings/main.ts'),
  mysql: () => import('#bookinfo/mysql/server/main.ts'),
  'mysql-setup': () => import('#bookinfo/mysql/setup.ts'),
};

export const command = (): Command =>
  new Command('bookinfo')
    .description(
      "Runs one service of BookInfo. Its settings come from the environment, as in Istio's sample (PORT, ENABLE_RATINGS, STAR_COLOR …).",
    )
    .argument('<service>', Object.keys(SERVICES).join(', '))
    .argument('[port]', 'port to listen on; when it is not given, the environment variable PORT, else 9080')
    .option('--listen <host:port>', 'of mysql: where it listens, instead of LISTEN_HOST and PORT', hostPort)
    .option('--data <path>', 'of mysql: a directory for its databases, or :memory: (MYSQL_DATA)')
    .action(async (service: string, port: string | undefined, flags: Flags) => {
      const load = SERVICES[service];
      if (load === undefined) {
        const guess = suggest(service, Object.keys(SERVICES));
        const hint = guess === null ? `It has ${Object.keys(SERVICES).join(', ')}.` : `Did you mean ${guess}?`;
        throw new CliError(`BookInfo has no service "${service}".`, { hint, exitCode: 2 });
      }
      if (service !== 'mysql' && (flags.listen !== undefined || flags.data !== undefined))
        throw new CliError(`--listen and --data are options of mysql, not of ${service}.`, { exitCode: 2 });
      const { main } = await load();
      const env = {
        ...process.env,
        ...(flags.listen === undefined ? {} : { LISTEN_HOST: flags.listen.host, PORT: flags.listen.port }),
        ...(flags.data === undefined ? {} : { MYSQL_DATA: flags.data }),
      };
      process.exitCode = await main(env, port === undefined ? [] : [port]);
    });

function hostPort(text: string): { host: string; port: string } {
  const [, host, port] = /^(?:\[?([^\]]+?)\]?:)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError(`Expected HOST:PORT such as 127.0.0.1:3306, got "${text}".`);
  return { host: host ?? '127.0.0.1', port };
}
