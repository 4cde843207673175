/** The stock kubectl in a home of its own, pointed at one control API. */
import { execFile, execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';

/** Its path; null when it is not installed, which LATEEN_REQUIRE_TOOLS=1 does not accept. */
export const KUBECTL = found('kubectl');
if (KUBECTL === null && process.env['LATEEN_REQUIRE_TOOLS'] === '1')
  throw new Error('kubectl is not installed, and LATEEN_REQUIRE_TOOLS=1 requires it');

function found(tool: string): string | null {
  try {
    return execFileSync('/bin/sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
}

export type Run = { readonly out: string; readonly err: string; readonly code: number };

export type Kubectl = {
  (words: readonly string[], input?: string, more?: NodeJS.ProcessEnv): Promise<Run>;
  /** For what does not end by itself (`-w`, `logs -f`). */
  start(words: readonly string[]): ChildProcessWithoutNullStreams;
};

/** `home`: a directory for its cache and configuration; `server`: asked anew for each call. */
export function kubectlIn(home: string, server: () => string): Kubectl {
  const env = (more: NodeJS.ProcessEnv = {}) => ({
    ...process.env,
    HOME: home,
    KUBECONFIG: join(home, 'config'),
    ...more,
  });
  const args = (words: readonly string[]) => ['--server', server(), '--cache-dir', join(home, 'cache'), ...words];
  const kubectl = (words: readonly string[], input = '', more: NodeJS.ProcessEnv = {}): Promise<Run> =>
    new Promise((resolve) => {
      const options = { env: env(more), timeout: 30_000 };
      const child = execFile(KUBECTL!, args(words), options, (error, out, err) => {
        resolve({ out, err, code: error === null ? 0 : Number(error.code ?? 1) });
      });
      child.stdin!.end(input);
    });
  return Object.assign(kubectl, { start: (words: readonly string[]) => spawn(KUBECTL!, args(words), { env: env() }) });
}
