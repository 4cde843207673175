/** The lateen command: finds the verb and loads only that verb's file, so that a sidecar starts fast. */
import { CliError, report } from './cli-error.ts';
import { suggest } from '#proxy/core/suggest.ts';
import { joinPod } from './pod-network.ts';
import { endOnSignals } from './init-signals.ts';
import { VERBS, type VerbName } from './verbs.ts';

endOnSignals();
const exitCode = await main(process.argv.slice(2));
// A verb that failed is over, whatever it had begun; one that serves goes on until a signal ends it.
if (exitCode !== 0) process.exit(exitCode);

async function main(argv: readonly string[]): Promise<number> {
  // A reader that goes away (`lateen get … | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') return help(rest[0]);
  if (name === '--version' || name === '-V') return run('version', ['--client']);
  if (!isVerb(name)) {
    const guess = suggest(name, Object.keys(VERBS));
    const hint = guess === null ? 'lateen --help lists the verbs.' : `Did you mean: lateen ${guess}?`;
    report(new CliError(`"${name}" is not a verb of lateen.`, { hint, exitCode: 2 }));
    return 2;
  }
  return run(name, rest);
}

async function run(name: VerbName, args: readonly string[]): Promise<number> {
  try {
    await joinPod(name, process.env['LATEEN_POD_FILE']);
    const { command } = await VERBS[name].load();
    await command()
      .name(`lateen ${name}`)
      .showHelpAfterError('(--help shows what it takes)')
      .parseAsync(args, { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : 0;
  } catch (error) {
    return report(error);
  }
}

function help(about: string | undefined): number | Promise<number> {
  if (about !== undefined && isVerb(about)) return run(about, ['--help']);
  const width = Math.max(...Object.keys(VERBS).map((v) => v.length));
  const lines = Object.entries(VERBS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  process.stdout.write(
    `Usage: lateen <verb> [options]\n\nA service mesh in TypeScript: Istio's own resources, no cluster needed.\n\nVerbs:\n${lines.join('\n')}\n\n` +
      'lateen <verb> --help tells more. The mesh of "lateen up" also speaks kubectl: kubectl --server http://localhost:8001 get pods\n',
  );
  return 0;
}

function isVerb(name: string): name is VerbName {
  return Object.hasOwn(VERBS, name);
}
