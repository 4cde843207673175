/** `lateen logs`: the access log of all proxies of a workload, in one, by time. */
import { Command } from 'commander';
import { Api, withApi, type ApiFlags } from './api.ts';
import { CliError } from './cli-error.ts';
import { wholeNumber } from './flags.ts';
import { plain } from './hop.ts';
import { lineFilter, readLine, type LogLine } from './log-line.ts';
import { paint } from './paint.ts';
import { target, type Target } from './stat-target.ts';
import { proxiesOf } from './status.ts';
import { linesOf, untilStopped } from './tap-stream.ts';

type Flags = ApiFlags & {
  readonly follow?: true;
  readonly filter?: string;
  readonly tail: number;
  readonly json?: true;
};

type Shown = { readonly pod: string; readonly line: LogLine; readonly text: string };

/** The sidecar of a pod, and what a gateway's only container is called. */
const CONTAINER = 'istio-proxy';

export const command = (): Command =>
  withApi(new Command('logs'))
    .description(
      'Shows the access log of all proxies of a workload, by time, out of the logs of their containers. Needs a mesh whose pods the\n' +
        'control API runs (lateen up) or reaches (lateen control --docker), and the access log in JSON. kubectl logs POD -c istio-proxy has everything that one proxy wrote.',
    )
    .argument('<what>', 'deploy/NAME or pod/NAME', target)
    .option('-f, --follow', 'go on, and show lines as they come')
    .option('--filter <expression>', "only lines for which it holds, in CEL: 'response.code >= 500'")
    .option('--tail <count>', 'the last so many lines of each proxy', wholeNumber, 200)
    .option('--json', 'lines as they were written')
    .action(async (what: Target, flags: Flags) => {
      const holds = flags.filter === undefined ? () => true : lineFilter(flags.filter);
      const pods = await podsOf(what, flags);
      const api = new Api(flags.server);
      const stop = untilStopped();
      const print = (shown: Shown): boolean => process.stdout.write(rendered(shown, flags));
      const all: Shown[] = [];
      const read = async (pod: string): Promise<void> => {
        for await (const text of textsOf(api, pod, flags, stop.signal)) {
          const line = readLine(text);
          if (line === null || !holds(line)) continue;
          if (flags.follow === true) print({ pod, line, text });
          else all.push({ pod, line, text });
        }
      };
      await Promise.all(pods.map(read));
      for (const shown of all.sort(byTime)) print(shown);
      if (all.length === 0 && flags.follow !== true)
        process.stderr.write(
          `No such line in the last ${flags.tail} of ${pods.length} ${pods.length === 1 ? 'proxy' : 'proxies'}.\n`,
        );
    });

async function podsOf({ kind, name }: Target, flags: Flags): Promise<readonly string[]> {
  if (name === null || (kind !== 'workload' && kind !== 'pod'))
    throw new CliError('logs are of a workload or a pod: expected deploy/NAME or pod/NAME.', { exitCode: 2 });
  const end = `.${flags.namespace}`;
  const here = (await proxiesOf(flags.server)).filter(({ proxy }) => proxy.endsWith(end));
  const pods = here.filter(({ proxy, workload }) => (kind === 'pod' ? proxy === `${name}${end}` : workload === name));
  if (pods.length > 0) return pods.map(({ proxy }) => proxy.slice(0, -end.length));
  const known = [...new Set(here.map(({ workload }) => workload ?? ''))].filter((w) => w !== '').sort();
  throw new CliError(`no proxy of ${kind === 'pod' ? 'pod ' : ''}"${name}" in namespace ${flags.namespace} is known.`, {
    hint: known.length === 0 ? 'lateen status lists the proxies.' : `There are: ${known.join(', ')}.`,
  });
}

async function* textsOf(api: Api, pod: string, flags: Flags, stop: AbortSignal): AsyncGenerator<string> {
  const query = new URLSearchParams({ container: CONTAINER, tailLines: String(flags.tail) });
  if (flags.follow === true) query.set('follow', 'true');
  try {
    const path = `/api/v1/namespaces/${encodeURIComponent(flags.namespace)}/pods/${encodeURIComponent(pod)}/log`;
    const text = await api.stream(`${path}?${query.toString()}`, stop);
    if (text === null) throw new CliError(`no log of pod ${pod} at ${api.server}.`);
    yield* linesOf(text);
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}

function rendered({ pod, line, text }: Shown, { json }: Flags): string {
  if (json === true) return `${text.replace(/\r$/, '')}\n`;
  const of = (name: string): string => {
    const value = line[name];
    return typeof value === 'string' || typeof value === 'number' ? plain(String(value)) : '-';
  };
  const status = Number(line['response_code'] ?? 0);
  const colour = status >= 500 ? 'red' : status >= 400 ? 'yellow' : null;
  const code = colour === null ? String(status) : paint(colour, String(status));
  const what = line['method'] === null ? 'TCP' : `${of('method')} ${of('path')} ${code}`;
  const reason = line['reason'] === null || line['reason'] === undefined ? '' : `: ${of('reason')}`;
  const flags = of('response_flags') === '-' ? '' : ` ${of('response_flags')}`;
  const to = of('upstream_cluster');
  return `${of('start_time')} ${plain(pod)} ${what}${flags} ${of('duration')}ms ${of('authority')} → ${to}${reason}\n`;
}

const byTime = (a: Shown, b: Shown): number => {
  const [at, bt] = [String(a.line['start_time']), String(b.line['start_time'])];
  return at < bt ? -1 : at > bt ? 1 : 0;
};
