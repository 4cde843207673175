/** docker compose as this machine has it: the plugin, or docker-compose. */
import { execFile, spawnSync } from 'node:child_process';
import { CliError } from './cli-error.ts';

/** The command with its `-f` options. LATEEN_COMPOSE names one. Throws CliError when there is none. */
export function composeCommand(files: readonly string[]): readonly string[] {
  const asked = process.env['LATEEN_COMPOSE']?.trim() ?? '';
  const candidates = asked === '' ? [['docker', 'compose'], ['docker-compose']] : [asked.split(/\s+/)];
  const found = candidates.find(
    ([file, ...args]) => spawnSync(file!, [...args, 'version'], { stdio: 'ignore' }).status === 0,
  );
  if (found === undefined)
    throw new CliError(
      asked === ''
        ? 'neither docker compose nor docker-compose is installed.'
        : `LATEEN_COMPOSE=${asked} does not run.`,
    );
  return [...found, ...files.flatMap((file) => ['-f', file])];
}

/** Its stdout. Rejects with a CliError that has what it said on stderr. */
export function compose([file, ...words]: readonly string[], args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file!, [...words, ...args], { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new CliError(`${[file, ...words, ...args].join(' ')}: ${stderr.trim() || error.message}`));
    });
  });
}
