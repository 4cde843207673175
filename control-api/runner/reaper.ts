/**
 * A tiny shell that outlives the runner by a second: when the pipe to it breaks, because the runner has died (even by kill -9),
 * it ends every process group that is still registered. So no application is ever left behind, whatever program it is.
 */
import { spawn } from 'node:child_process';

export type Reaper = { watch(pid: number): void; forget(pid: number): void; close(): void };

/** Reads lines `+ PID` and `- PID` until the pipe closes; then SIGTERM, and a second later SIGKILL. */
const SCRIPT = `
trap '' INT TERM HUP
set --
while read -r what pid; do
  if [ "$what" = + ]; then set -- "$@" "$pid"; else
    kept=
    for p in "$@"; do [ "$p" = "$pid" ] || kept="$kept $p"; done
    set -- $kept
  fi
done
[ $# -eq 0 ] && exit 0
for p in "$@"; do kill -TERM "-$p" 2>/dev/null; done
sleep 1
for p in "$@"; do kill -KILL "-$p" 2>/dev/null; done
exit 0
`;

export function startReaper(): Reaper {
  const shell = spawn('/bin/sh', ['-c', SCRIPT], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
  });
  // Without a shell there is no safety net for kill -9, but everything else works.
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  (shell.stdin as unknown as { unref?: () => void }).unref?.();
  const say = (line: string): void => {
    if (shell.stdin.writable) shell.stdin.write(line);
  };
  return { watch: (pid) => say(`+ ${pid}\n`), forget: (pid) => say(`- ${pid}\n`), close: () => void shell.stdin.end() };
}
