/** Checks what reviews would otherwise repeat: sizes, head sentences, names, marks of unfinished work, and docs that point at files. */
import { globSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Files that may be longer than LONGEST, each with its reason. */
const LONG: Readonly<Record<string, string>> = {};

const LONGEST = 400;
/** Rooms that tend to become drawers. */
const MOST_FILES: Readonly<Record<string, number>> = { 'proxy/live': 10 };
const BANNED_NAMES = /^(?:utils?|common|helpers?|misc|types|index)\.ts$/;
const UNFINISHED = /\b(?:TODO|FIXME|XXX|HACK)\b/;
const SKIPPED = /\b(?:describe|test|it)\.(?:only|todo)\(/;

const faults: string[] = [];
const sources = globSync('{proxy,control-api,cli,bookinfo,bench,test,scripts}/**/*.ts').filter(
  (file) => !file.includes('node_modules'),
);

for (const file of sources) {
  const text = readFileSync(file, 'utf8');
  const lines = text.split('\n').length - 1;
  if (lines > LONGEST && !(file in LONG)) faults.push(`${file}: ${lines} lines, more than ${LONGEST}`);
  if (BANNED_NAMES.test(basename(file))) faults.push(`${file}: a name that says nothing`);
  if (!file.endsWith('.test.ts') && !/^(?:#!.*\n)?\/\*\*/.test(text)) {
    faults.push(`${file}: does not begin by saying what it is`);
  }
  if (file !== 'scripts/tidy.ts') {
    text.split('\n').forEach((line, i) => {
      if (UNFINISHED.test(line)) faults.push(`${file}:${i + 1}: an unfinished mark`);
      if (SKIPPED.test(line)) faults.push(`${file}:${i + 1}: a test singled out or put off`);
    });
  }
}

for (const [room, most] of Object.entries(MOST_FILES)) {
  const files = globSync(`${room}/*.ts`).filter((file) => !file.endsWith('.test.ts'));
  if (files.length > most) faults.push(`${room}: ${files.length} files, more than ${most}`);
}

// Percentiles of the house: p50 ≤ 130 lines, p90 ≤ 300, tests left out.
const sizes = sources
  .filter((file) => !file.endsWith('.test.ts') && !file.startsWith('test/'))
  .map((file) => readFileSync(file, 'utf8').split('\n').length - 1)
  .sort((a, b) => a - b);
const percentile = (p: number): number => sizes[Math.floor((sizes.length - 1) * p)] ?? 0;
if (percentile(0.5) > 130) faults.push(`half of the files have more than ${percentile(0.5)} lines (130 allowed)`);
if (percentile(0.9) > 300) faults.push(`a tenth of the files have more than ${percentile(0.9)} lines (300 allowed)`);

// Docs name files; files move.
for (const doc of globSync('{README,ARCHITECTURE,CONTRIBUTING,CHANGELOG}.md').concat(globSync('docs/**/*.md'))) {
  const text = readFileSync(doc, 'utf8');
  for (const [, target] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g)) {
    if (!exists(join(dirname(doc), target!))) faults.push(`${doc}: links to ${target}, which does not exist`);
  }
  for (const [, file] of text.matchAll(
    /`((?:proxy|control-api|cli|bookinfo|bench|test|scripts|config)\/[\w./-]+\.\w+)`/g,
  )) {
    if (!exists(file!)) faults.push(`${doc}: names ${file}, which does not exist`);
  }
}

// npm drops optional packages of other platforms from a lockfile when it cannot see them, and `npm ci` fails then, everywhere.
type Locked = {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
};
const locked = (JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> }).packages;
const known = new Set(Object.keys(locked).map((path) => path.replace(/^.*node_modules\//, '')));
for (const [path, entry] of Object.entries(locked)) {
  for (const name of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })) {
    if (!known.has(name))
      faults.push(`package-lock.json: ${path === '' ? 'lateen' : path} needs ${name}, which is not in it`);
  }
}

for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
