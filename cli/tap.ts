/** `lateen tap`: single requests as they happen, from the proxies themselves. */
import { Command, Option } from 'commander';
import type { TapEvent, TapParty } from '#proxy/snapshot/tap.ts';
import type { TapLine } from '#control-api/tap-hub.ts';
import { Api, withApi, type ApiFlags } from './api.ts';
import { CliError } from './cli-error.ts';
import { count } from './flags.ts';
import { plain } from './hop.ts';
import { withOutput, type OutputFlags } from './output.ts';
import { paint } from './paint.ts';
import { target, type Target } from './stat-target.ts';
import { time } from './stat-rows.ts';
import { tapped, untilStopped } from './tap-stream.ts';

export type TapFlags = ApiFlags & {
  readonly allNamespaces?: true;
  readonly to?: string;
  readonly method?: string;
  readonly path?: string;
  readonly status?: string;
};

type Flags = TapFlags & OutputFlags & { readonly max?: number; readonly rate?: number; readonly once?: true };

export const withTapFilter = (command: Command): Command =>
  command
    .option('-A, --all-namespaces', 'of workloads in every namespace')
    .option('--to <name>', 'only calls to this workload or service')
    .option('--method <name>', 'only this method')
    .option('--path <prefix>', 'only paths that begin so')
    .option('--status <which>', 'only this status: 503, 5xx, 400-499; 0: no answer');

export const command = (): Command =>
  withTapFilter(withOutput(withApi(new Command('tap')), ['json']))
    .description(
      'Shows requests and TCP connections as they end, until it is stopped. → is what a workload sends, ← what it receives: what one\n' +
        'sends to another is seen by both, unless --once. Values of query parameters that look like credentials are not shown.',
    )
    .argument('[what]', 'deploy/NAME, svc/NAME or ns/NAME; otherwise the whole namespace', target)
    .option('--once', 'each request once, as its caller saw it')
    .option('--max <count>', 'end after so many', count)
    .addOption(new Option('--rate <count>', 'so many a second at most').default(100).argParser(count))
    .action(async (what: Target | undefined, flags: Flags) => {
      const stop = untilStopped();
      const query = {
        ...tapQuery(what, flags),
        rate: String(flags.rate),
        once: flags.once === true ? 'true' : undefined,
      };
      let left = flags.max ?? Infinity;
      for await (const line of tapped(new Api(flags.server), query, stop.signal)) {
        if (flags.output === 'json') {
          if (line.kind === 'request') process.stdout.write(`${JSON.stringify(line)}\n`);
        } else show(line);
        if (line.kind === 'request' && --left <= 0) break;
      }
      stop.abort();
    });

export function tapQuery(what: Target | undefined, flags: TapFlags): Record<string, string | undefined> {
  const { kind, name } = what ?? { kind: 'namespace', name: null };
  if (kind === 'pod')
    throw new CliError('taps are of workloads: expected deploy/NAME, svc/NAME or ns/NAME.', { exitCode: 2 });
  const everywhere = flags.allNamespaces === true || (what?.kind === 'namespace' && name === null);
  return {
    // A service is called from everywhere.
    namespace:
      everywhere || kind === 'service' ? undefined : kind === 'namespace' ? (name ?? flags.namespace) : flags.namespace,
    workload: kind === 'workload' ? (name ?? undefined) : undefined,
    service: kind === 'service' ? (name ?? undefined) : undefined,
    to: flags.to,
    method: flags.method,
    path: flags.path,
    status: flags.status,
  };
}

/** How it goes is told beside, on stderr: what comes out is for `grep`, too. */
function show(line: TapLine): void {
  if (line.kind === 'request') process.stdout.write(`${tapLine(line)}\n`);
  else if (line.kind === 'skipped')
    process.stderr.write(
      `${paint('yellow', `… ${line.count} more (--rate N shows more, a filter fewer)`, process.stderr)}\n`,
    );
  else if (line.kind === 'started')
    process.stderr.write(
      line.proxies === 0
        ? 'No proxy is connected; waiting for one.\n'
        : `Listening at ${line.proxies} ${line.proxies === 1 ? 'proxy' : 'proxies'}; Ctrl-C ends it.\n`,
    );
}

/** `17:03:12.345 → productpage-v1 → reviews-v3 GET /reviews/0 503 UF 12ms: no healthy endpoint` */
export function tapLine(event: TapEvent): string {
  const { time: at, direction, source, destination, method, status, flags, duration, reason } = event;
  const when = new Date(Math.min(Math.max(0, at), 8.64e15)).toISOString().slice(11, 23);
  const who = `${partyName(source)} → ${partyName(destination, event.service)}`;
  const what = method === '' ? 'TCP' : `${plain(method)} ${plain(event.path === '' ? event.authority : event.path)}`;
  const code = method === '' ? '' : ` ${statusText(status)}`;
  const grpc = event.grpcStatus > 0 ? ` grpc=${event.grpcStatus}` : '';
  const why = reason === '' ? '' : `: ${plain(reason)}`;
  return `${when} ${direction === 'inbound' ? '←' : '→'} ${who} ${what}${code}${grpc}${flags === '' ? '' : ` ${plain(flags)}`} ${time(duration)}${why}`;
}

function statusText(status: number): string {
  const text = status === 0 ? '-' : String(status);
  return status >= 500 || status === 0 ? paint('red', text) : status >= 400 ? paint('yellow', text) : text;
}

export function partyName({ workload, address }: TapParty, service = ''): string {
  if (workload !== '') return plain(workload);
  return plain(service !== '' ? service : address === '' ? '(nobody)' : address);
}
