/** What a number was measured on: hardware, kernel, versions, load before. No names of hosts, users or folders. */
import { spawnSync } from 'node:child_process';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';

export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly platform: string;
  readonly kernel: string;
  readonly node: string;
  /** One-minute load average when the run began. Above 0.3 somebody else was working, too. */
  readonly loadBefore: number;
};

export function machine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    platform: `${platform()} ${arch()}`,
    kernel: release().split('-')[0] ?? '',
    node: process.versions.node,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

/** `2-core-amd-epyc`: names the kind of machine, not the machine. */
export function machineId({ cpu, cores }: Pick<Machine, 'cpu' | 'cores'>): string {
  const slug = cpu
    .toLowerCase()
    .replaceAll(/\((?:r|tm)\)|@.*$|\b(?:cpu|processor)\b/g, ' ')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return `${cores}-core-${slug === '' ? 'unknown' : slug}`;
}

/** The first version number a program prints, wherever it prints it (nginx: stderr, wrk: with exit code 1); null when it prints none. */
export function versionOf(binary: string, ...args: string[]): string | null {
  const { stdout, stderr } = spawnSync(binary, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 10_000,
  });
  return firstVersion(`${stdout ?? ''}${stderr ?? ''}`);
}

export function firstVersion(text: string): string | null {
  return /\d+\.\d+(?:\.\d+)?/.exec(text)?.[0] ?? null;
}
