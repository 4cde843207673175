/** The record of a run: facts of the machine and the data of each suite, as JSON in bench/results/. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { machineId, type Machine } from './machine.ts';

export const FORMAT = 2;

/** One suite of one run. */
export type Entry = {
  /** The command that made it. */
  readonly command: string;
  /** One-minute load average before that command. */
  readonly loadBefore: number;
  readonly tookSeconds: number;
  /** Why there is no data, when there is none. */
  readonly failed: string | null;
  readonly data: unknown;
};

export type Record = {
  readonly format: typeof FORMAT;
  /** Day, UTC. */
  readonly date: string;
  readonly machine: Machine;
  readonly pinned: boolean;
  readonly suites: Readonly<{ [id: string]: Entry }>;
};

/** `2026-01-01-2-core-cpu.json`. */
export function fileOf({ date, machine }: Pick<Record, 'date' | 'machine'>): string {
  return `${date}-${machineId(machine)}.json`;
}

/** Reads a record; throws when it is none of this format. */
export function readRecord(file: string): Record {
  const record = JSON.parse(readFileSync(file, 'utf8')) as Partial<Record>;
  if (record.format !== FORMAT || record.suites === undefined)
    throw new Error(`${file}: not a record of format ${FORMAT}`);
  return record as Record;
}

/** `next` over what a record of the same day and machine holds: suites that were not run again stay, each with its own command. */
export function merged(earlier: Record | null, next: Record): Record {
  return earlier === null ? next : { ...next, suites: { ...earlier.suites, ...next.suites } };
}

/** Writes `record` into `file`, over what is there of this format; returns what the file holds then. */
export function keep(file: string, record: Record): Record {
  let earlier: Record | null = null;
  try {
    if (existsSync(file)) earlier = readRecord(file);
  } catch {
    // a record of an older format: replaced
  }
  const whole = merged(earlier, record);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(whole, compact, 1)}\n`);
  return whole;
}

/** Six digits are more than any of it is worth. */
function compact(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
