/** Resources out of what `-f` names: files, directories, URLs, or standard input. */
import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { parseText } from '#proxy/istio/parse.ts';
import type { Problem } from '#proxy/istio/problem.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import { CliError } from './cli-error.ts';
import { each } from './flags.ts';

export type FileFlags = { readonly filename?: readonly string[]; readonly recursive?: true };

/** No resource is as large; the API would not take it either. */
const MAX_BYTES = 4 * 1024 * 1024;

export const withFiles = (command: Command): Command =>
  command
    .option(
      '-f, --filename <file|dir|url>',
      'where the resources are written; - is standard input; repeatable',
      each(String),
    )
    .option('-R, --recursive', 'directories with what is below them');

/** All resources, in order, and everything that is wrong with what was written. */
export async function readResources(
  flags: FileFlags,
  words: readonly string[],
  defaultNamespace: string,
): Promise<{ resources: Resource[]; problems: Problem[] }> {
  const names = [...(flags.filename ?? []), ...words];
  if (names.length === 0) throw new CliError('expected -f FILE, -f DIR or -f - .', { exitCode: 2 });
  const resources: Resource[] = [];
  const problems: Problem[] = [];
  for (const name of names) {
    for (const { file, text } of await textsOf(name, flags.recursive === true)) {
      const read = parseText(text, { file, defaultNamespace });
      resources.push(...read.resources);
      problems.push(...read.problems);
    }
  }
  return { resources, problems };
}

/** `file:line:column: error: spec.http[0]: what is wrong (IST0101)` */
export function problemLine({ file, line, column, severity, path, message, code, resource }: Problem): string {
  const about = resource === undefined ? '' : `${resource.kind} ${resource.namespace}/${resource.name}: `;
  const where = file === undefined ? '' : `${file}${line === undefined ? '' : `:${line}:${column ?? 1}`}: `;
  return `${where}${severity}: ${about}${path === '' ? '' : `${path}: `}${message}${code === undefined ? '' : ` (${code})`}`;
}

/** Throws a CliError with every error of what was written; warnings go to stderr. */
export function refuseErrors(problems: readonly Problem[]): void {
  for (const p of problems) if (p.severity === 'warning') process.stderr.write(`${problemLine(p)}\n`);
  const errors = problems.filter((p) => p.severity === 'error');
  if (errors.length > 0)
    throw new CliError(`nothing was changed, because of what is written:\n${errors.map(problemLine).join('\n')}`);
}

async function textsOf(name: string, recursive: boolean): Promise<readonly { file: string; text: string }[]> {
  if (name === '-') return [{ file: 'stdin', text: await stdin() }];
  if (/^https?:\/\//.test(name)) return [{ file: name, text: await download(name) }];
  try {
    if (!statSync(name).isDirectory()) return [{ file: name, text: readFileSync(name, 'utf8') }];
  } catch (error) {
    throw new CliError(`${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const files = globSync(recursive ? '**/*.{yaml,yml,json}' : '*.{yaml,yml,json}', { cwd: name })
    .sort()
    .map((file) => join(name, file));
  if (files.length === 0)
    throw new CliError(`${name} has no *.yaml, *.yml or *.json in it.`, {
      hint: recursive ? null : '-R looks below it, too.',
    });
  return files.map((file) => ({ file, text: readFileSync(file, 'utf8') }));
}

async function stdin(): Promise<string> {
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > MAX_BYTES) throw new CliError(`standard input is longer than ${MAX_BYTES} bytes.`);
  }
  return text;
}

async function download(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000) }).catch((error: unknown) => {
    throw new CliError(
      `${url} cannot be read: ${error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)}`,
    );
  });
  if (!response.ok) throw new CliError(`${url} cannot be read: it answers ${response.status}.`);
  const text = await response.text();
  if (text.length > MAX_BYTES) throw new CliError(`${url} is longer than ${MAX_BYTES} bytes.`);
  return text;
}
