/** How answers are shown: columns for people, JSON and YAML for programs. */
import { Option, type Command } from 'commander';
import { stringify } from 'yaml';

export type Format = 'table' | 'wide' | 'json' | 'yaml' | 'name';
export type OutputFlags = { readonly output: Format };

export const withOutput = (command: Command, formats: readonly Format[] = ['json', 'yaml', 'wide']): Command =>
  command.addOption(new Option('-o, --output <format>', 'how to show it').choices(formats).default('table', 'a table'));

/** As columns, two… three spaces apart, as kubectl prints them. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** A value as JSON or YAML. */
export function structured(value: unknown, format: 'json' | 'yaml'): string {
  return format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : stringify(value, { lineWidth: 0 });
}

/** `5s`, `3m`, `4h`, `2d`: how long ago. */
export function age(since: string | number | undefined, now = Date.now()): string {
  const seconds = Math.max(0, Math.floor((now - new Date(since ?? now).getTime()) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
