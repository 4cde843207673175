/** The one gate: types, layers, tidiness, lint, format, then every test. Stops at the first step that fails. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);

/** Arguments after `npm test --` go to vitest. */
const STEPS: readonly (readonly [string, string, readonly string[]])[] = [
  ['types', bin('tsc'), []],
  ['layers', process.execPath, ['scripts/layers.ts']],
  ['tidy', process.execPath, ['scripts/tidy.ts']],
  ['fields', process.execPath, ['scripts/fields.ts', '--check']],
  ['lint', bin('oxlint'), ['--type-aware', '--deny-warnings', '--quiet']],
  ['format', bin('prettier'), ['--check', '--log-level', 'warn', '.']],
  ['tests', bin('vitest'), ['run', ...process.argv.slice(2)]],
];

for (const [name, command, args] of STEPS) {
  const started = performance.now();
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    console.error(`gate: ${name} failed${error === undefined ? '' : `: ${error.message}`}`);
    process.exit(status ?? 1);
  }
  console.log(`gate: ${name} ok (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}
