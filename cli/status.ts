/** `lateen status`: which proxy runs which configuration. */
import { Command } from 'commander';
import type { ProxyState } from '#control-api/proxies.ts';
import { Api, withApi, type ApiFlags } from './api.ts';
import { CliError } from './cli-error.ts';
import { columns, structured, withOutput, type OutputFlags } from './output.ts';
import { paint } from './paint.ts';
import { problemLine } from './source-file.ts';

type Flags = ApiFlags & OutputFlags;

export const command = (): Command =>
  withOutput(withApi(new Command('status'), false), ['json', 'yaml', 'wide'])
    .description(
      'Shows each proxy: what it is, whether it runs the newest configuration, and how long that took to get there.\nExit code 1 when one rejected its configuration or is disconnected.',
    )
    .action(async (flags: Flags) => {
      const proxies = await proxiesOf(flags.server);
      if (flags.output === 'json' || flags.output === 'yaml') process.stdout.write(structured(proxies, flags.output));
      else show(proxies, flags.output === 'wide');
      if (proxies.some((p) => p.sync === 'REJECTED' || p.sync === 'DISCONNECTED')) process.exitCode = 1;
    });

/** Throws CliError when there is no control API, or it is none of ours. */
export async function proxiesOf(server: string): Promise<readonly ProxyState[]> {
  const answer = await new Api(server).find<{ proxies: readonly ProxyState[] }>('/lateen/v1/proxies');
  if (answer === null) throw new CliError(`${server} is no control API of lateen: it knows no /lateen/v1/proxies.`);
  return answer.proxies;
}

function show(proxies: readonly ProxyState[], wide: boolean): void {
  if (proxies.length === 0) {
    process.stdout.write('No proxy is connected.\n');
    return;
  }
  const head = ['NAME', 'ROLE', 'SYNC', 'VERSION', 'LATENCY', 'REVISION', ...(wide ? ['WORKLOAD', 'IP', 'PID'] : [])];
  const rows = proxies.map(
    ({ proxy, role = '', sync, version = '', pushMs, revision, workload = '', ip = '', pid = 0 }) => [
      proxy,
      role,
      sync,
      version.slice(0, 12),
      pushMs === null ? '' : `${pushMs} ms`,
      String(revision),
      ...(wide ? [workload, ip, String(pid)] : []),
    ],
  );
  process.stdout.write(columns([head, ...rows]));
  for (const { proxy, problems = [] } of proxies) {
    for (const problem of problems)
      if (problem.severity === 'error') process.stdout.write(`${paint('red', proxy)}: ${problemLine(problem)}\n`);
  }
}
