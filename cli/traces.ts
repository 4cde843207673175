/** `lateen traces`: requests that were traced lately, and one of them as a tree. */
import { Command, InvalidArgumentError } from 'commander';
import type { Span } from '#control-api/trace-store.ts';
import { Api, withApi, type ApiFlags } from './api.ts';
import { CliError } from './cli-error.ts';
import { count, milliseconds } from './flags.ts';
import { plain } from './hop.ts';
import { age, columns, structured, withOutput, type OutputFlags } from './output.ts';
import { time } from './stat-rows.ts';
import { treeOf, type Branch } from './trace-tree.ts';

type Flags = ApiFlags &
  OutputFlags & {
    readonly service?: string;
    readonly errors?: true;
    readonly slowerThan?: number;
    readonly since?: number;
    readonly limit: number;
  };

/** As `GET /lateen/v1/traces` lists one. */
type Summary = {
  readonly traceId: string;
  readonly root: { readonly service: string | null; readonly name: string | null };
  /** µs */
  readonly timestamp: number;
  readonly duration: number;
  readonly spanCount: number;
  readonly errors: number;
  readonly services: readonly string[];
};

export const command = (): Command =>
  withOutput(withApi(new Command('traces'), false), ['json', 'yaml', 'wide'])
    .description(
      'Lists traces that the control API has kept (the last 1000, until it is restarted), the newest first. With an id: that one as a\n' +
        'tree, with when each span began and how long it took. lateen explain ID tells of a request why it went as it did.',
    )
    .argument('[id]', 'trace id: 16 or 32 hexadecimal digits', traceId)
    .option('--service <name>', 'with a span of this service: reviews or reviews.default')
    .option('--errors', 'with an error in it')
    .option('--slower-than <time>', 'with a span that took so long: 100ms', milliseconds)
    .option('--since <time>', 'begun in the last so long: 5m', milliseconds)
    .option('--limit <count>', 'so many at most', count, 20)
    .action(async (id: string | undefined, flags: Flags) => {
      const api = new Api(flags.server);
      if (id === undefined) list(await find(api, flags), flags);
      else one(await get(api, id), flags);
    });

function traceId(text: string): string {
  if (/^(?:[\da-f]{16}|[\da-f]{32})$/i.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError(
    `Expected 16 or 32 hexadecimal digits, got ${JSON.stringify(text.slice(0, 200))}. lateen explain takes an x-request-id.`,
  );
}

async function find(api: Api, flags: Flags): Promise<readonly Summary[]> {
  const query = new URLSearchParams({ limit: String(Math.min(flags.limit, 1000)) });
  if (flags.service !== undefined) query.set('serviceName', flags.service);
  if (flags.errors === true) query.set('annotationQuery', 'error');
  if (flags.slowerThan !== undefined) query.set('minDuration', String(flags.slowerThan * 1000));
  if (flags.since !== undefined) query.set('lookback', String(flags.since));
  const answer = await api.find<{ traces: readonly Summary[] }>(`/lateen/v1/traces?${query.toString()}`);
  if (answer === null) throw new CliError(`${api.server} is no control API of lateen: it keeps no traces.`);
  return answer.traces;
}

async function get(api: Api, id: string): Promise<readonly Span[]> {
  const spans = await api.find<readonly Span[]>(`/api/v2/trace/${id}`);
  if (spans !== null) return spans;
  throw new CliError(`no trace ${id} at ${api.server}.`, {
    hint: 'It keeps the last 1000, until it is restarted. How many requests are traced: lateen up --tracing PERCENT.',
  });
}

function list(traces: readonly Summary[], { output }: Flags): void {
  if (output === 'json' || output === 'yaml') return void process.stdout.write(structured(traces, output));
  if (traces.length === 0) return void process.stdout.write('No traces.\n');
  const wide = output === 'wide';
  const head = ['TRACE', 'AGE', 'DURATION', 'SPANS', 'ERRORS', 'ROOT', 'OPERATION', ...(wide ? ['SERVICES'] : [])];
  const rows = traces.map(({ traceId: id, timestamp, duration, spanCount, errors, root, services }) => [
    id,
    age(timestamp / 1000),
    time(duration / 1000),
    String(spanCount),
    errors === 0 ? '-' : String(errors),
    plain(root.service ?? '-'),
    plain(root.name ?? '-'),
    ...(wide ? [plain(services.join(','))] : []),
  ]);
  process.stdout.write(columns([head, ...rows]));
}

function one(spans: readonly Span[], { output }: Flags): void {
  if (output === 'json' || output === 'yaml') return void process.stdout.write(structured(spans, output));
  const head = ['SERVICE', 'KIND', 'OPERATION', 'BEGAN', 'TOOK', 'STATUS', 'ERROR'];
  process.stdout.write(columns([head, ...treeOf(spans).map(cells)]));
}

const cells = ({ depth, span, began }: Branch): string[] => {
  const { kind, name, duration, tags = {}, localEndpoint } = span;
  const error = tags['error'];
  return [
    `${'  '.repeat(Math.min(depth, 20))}${plain(localEndpoint?.serviceName ?? 'unknown')}`,
    kind === undefined ? '-' : kind.toLowerCase(),
    plain(name ?? '-'),
    `+${time(began)}`,
    duration === undefined ? '-' : time(duration / 1000),
    plain(tags['http.status_code'] ?? '-'),
    error === undefined ? '-' : plain(tags['lateen.reason'] ?? tags['response_flags'] ?? error).slice(0, 80) || 'error',
  ];
};
