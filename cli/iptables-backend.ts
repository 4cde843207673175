/** The iptables programs of this machine: nf_tables or legacy, for IPv4 and IPv6. Started without a shell. */
import { spawnSync } from 'node:child_process';
import type { Family } from './iptables-settings.ts';
import { parseSave, type State } from './iptables-state.ts';

/** One kind of iptables. Both kinds work at the same time, each with rules of its own. */
export type Backend = {
  readonly kind: 'nf_tables' | 'legacy';
  /** `iptables`, `iptables-legacy`, …: it has `-save` and `-restore`. */
  readonly name: string;
  /** What is there; a text: why it cannot be read. */
  readonly read: () => State | string;
  /** Null, or why it was refused. Nothing of the table that was refused has changed. */
  readonly restore: (text: string) => string | null;
};

/** Distributions put them where only root looks. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;
/** Beyond waiting for the lock, iptables takes milliseconds. */
const PATIENCE_MS = 30_000;

/** Those that are installed, the one that is called iptables first. `wait`: seconds for the lock of another iptables. */
export function backends(family: Family, wait: number): readonly Backend[] {
  const base = family === 'IPv4' ? 'iptables' : 'ip6tables';
  const found: Backend[] = [];
  for (const name of [base, `${base}-nft`, `${base}-legacy`]) {
    const version = run(`${name}-restore`, ['--version'], '', 0);
    if (version === null || version.status !== 0) continue;
    // Before 1.8 there was but one, and it does not say so.
    const kind = version.stdout.includes('nf_tables') ? 'nf_tables' : 'legacy';
    if (!found.some((backend) => backend.kind === kind)) found.push(backend(name, kind, wait));
  }
  return found;
}

function backend(name: string, kind: Backend['kind'], wait: number): Backend {
  return {
    kind,
    name,
    read: () => {
      // Without -t: asking the legacy one for a table makes it.
      const ran = run(`${name}-save`, [], '', 0);
      if (ran === null) return `${name}-save is not installed`;
      return ran.status === 0 ? parseSave(ran.stdout) : ran.stderr;
    },
    restore: (text) => {
      const ran = run(`${name}-restore`, ['--noflush', '--wait', String(wait)], text, wait);
      if (ran === null) return `${name}-restore is not installed`;
      return ran.status === 0 ? null : ran.stderr;
    },
  };
}

/** `ip`, for what iptables does not do: null when it worked, or why not. */
export function ip(args: readonly string[]): string | null {
  const ran = run('ip', args, '', 0);
  if (ran === null) return 'ip is not installed (apt-get install iproute2)';
  return ran.status === 0 ? null : ran.stderr;
}

/** Null: there is no such program. */
function run(
  file: string,
  args: readonly string[],
  input: string,
  seconds: number,
): { status: number; stdout: string; stderr: string } | null {
  const { error, status, signal, stdout, stderr } = spawnSync(file, args, {
    input,
    encoding: 'utf8',
    timeout: PATIENCE_MS + seconds * 1000,
    maxBuffer: 64 * 1024 * 1024,
    env: { PATH, LC_ALL: 'C' },
  });
  if (error !== undefined && 'code' in error && error.code === 'ENOENT') return null;
  const said = stderr?.trim() || error?.message || `${file} ended with ${status ?? signal}`;
  return { status: status ?? 1, stdout: stdout ?? '', stderr: said };
}
