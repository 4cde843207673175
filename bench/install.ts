/** Brings the rivals that are npm packages into bench/node_modules, once per lockfile. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));

/** Without the network the npm rivals are left out, and the others measured all the same. */
export function installRivals(): void {
  const lock = createHash('sha256')
    .update(readFileSync(join(here, 'package-lock.json')))
    .digest('hex')
    .slice(0, 16);
  const stamp = join(here, 'node_modules', `.lateen-bench-${lock}`);
  if (existsSync(stamp)) return;
  console.error('bench: installing the rivals (npm ci in bench/) ...');
  try {
    execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: here,
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: 120_000,
    });
    writeFileSync(stamp, '');
  } catch {
    console.error('bench: npm ci failed; the rivals from npm are left out');
  }
}
