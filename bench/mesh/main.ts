/** `npm run load`: the running mesh under load, through its gateway, and on request while its pods are replaced. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseOptions, USAGE, type Options } from './options.ts';
import { usageOfProxies } from './proxies.ts';
import { costs, failures, text } from './report.ts';
import { startLoad } from './load.ts';

const LATEEN = fileURLToPath(new URL('../../lateen', import.meta.url));

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === null) process.stdout.write(USAGE);
  else await run(options);
} catch (cause) {
  process.stderr.write(`load: ${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exitCode = 1;
}

async function run(options: Options): Promise<void> {
  const before = await usageOfProxies(options.control);
  const load = startLoad(options);
  const stop = (): void => load.stop();
  process.once('SIGINT', stop);
  if (options.roll !== null) await roll(options.roll, options).finally(stop);
  const result = await load.ended;
  process.off('SIGINT', stop);
  const proxies = costs(before, await usageOfProxies(options.control), result.seconds);
  process.stdout.write(options.json ? `${JSON.stringify({ ...result, proxies }, null, 2)}\n` : text(result, proxies));
  if (failures(result) > 0 || result.requests === 0) process.exitCode = 1;
}

/** Throws when it fails; what it says goes to stderr, so that stdout is the report alone. */
async function roll(what: string, { control }: Options): Promise<void> {
  const child = spawn(LATEEN, ['roll', what, '--server', control], { stdio: ['ignore', process.stderr, 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`lateen roll ${what} failed`);
}
