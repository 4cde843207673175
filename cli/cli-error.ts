/** How a verb fails: a sentence for people, perhaps a hint what to do, and an exit code. */
import { CommanderError } from 'commander';
import { paint } from './paint.ts';

export class CliError extends Error {
  readonly hint: string | null;
  readonly exitCode: number;

  /** `exitCode`: 1 failed, 2 asked wrongly. */
  constructor(message: string, { hint = null, exitCode = 1 }: { hint?: string | null; exitCode?: number } = {}) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** Prints an error on stderr; returns the exit code for it. A stack is shown only for what is a bug of ours. */
export function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof CliError) {
    process.stderr.write(`${paint('red', 'error:', process.stderr)} ${error.message}\n`);
    if (error.hint !== null) process.stderr.write(`${error.hint}\n`);
    return error.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${paint('red', 'error:', process.stderr)} ${text}\n`);
  return 1;
}
