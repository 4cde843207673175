/** `lateen explain`: what became of one request, hop by hop, and which rule decided. */
import { Command, InvalidArgumentError } from 'commander';
import type { Span } from '#control-api/trace-store.ts';
import { traceReason } from '#proxy/telemetry/request-id.ts';
import { Api, withApi, type ApiFlags } from './api.ts';
import { CliError } from './cli-error.ts';
import { decisive, hopsOf, REQUEST_ID_TAG, type Hop } from './hop.ts';
import { columns, structured, withOutput, type OutputFlags } from './output.ts';
import { paint } from './paint.ts';

type Flags = ApiFlags & OutputFlags;
type Explained = { readonly traceId: string; readonly hops: readonly Hop[] };

/** Proxies hand on their spans after a second at the latest. */
const PATIENCE_MS = 3000;
const PAUSE_MS = 200;
/** Requests that share an id: a client of the mesh may send one twice. */
const MOST = 10;

export const command = (): Command =>
  withOutput(withApi(new Command('explain'), false), ['json', 'yaml'])
    .description(
      'Says what became of a request, proxy by proxy, and why. ID is the x-request-id of a reply (the gateway sends it with\n' +
        'every reply of its own; access logs have it as request_id), or a trace id.',
    )
    .argument('<id>', 'x-request-id, or trace_id', requestId)
    .action(async (id: string, flags: Flags) => {
      const found = await patiently(id, new Api(flags.server));
      if (found.length === 0) throw unknown(id, flags.server);
      if (flags.output === 'json' || flags.output === 'yaml')
        process.stdout.write(structured({ id, requests: found }, flags.output));
      else process.stdout.write(found.map((one) => text(id, one)).join('\n'));
    });

/** What the proxies take for one (others they replace), which is also safe in a query. */
function requestId(text: string): string {
  if (/^[\w.:+/=@-]{1,128}$/.test(text)) return text;
  throw new InvalidArgumentError(
    `Expected an id such as 2f0e8f8a-1b1c-9d4e-8f9a-0123456789ab, of the header x-request-id, got ${JSON.stringify(text.slice(0, 200))}.`,
  );
}

/** Asks again for a while when there is reason to think that the spans are on their way. */
async function patiently(id: string, api: Api): Promise<Explained[]> {
  const until = performance.now() + (traceReason(id) === '4' ? 0 : PATIENCE_MS);
  for (;;) {
    const found = await find(id, api);
    if (found.length > 0 || performance.now() >= until) return found;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function find(id: string, api: Api): Promise<Explained[]> {
  const query = new URLSearchParams({ annotationQuery: `${REQUEST_ID_TAG}=${id}`, limit: String(MOST) });
  const traces = await api.find<readonly (readonly Span[])[]>(`/api/v2/traces?${query.toString()}`);
  if (traces === null) throw new CliError(`${api.server} is no control API of lateen: it keeps no traces.`);
  const whole = /^(?:[\da-f]{16}|[\da-f]{32})$/i.test(id)
    ? await api.find<readonly Span[]>(`/api/v2/trace/${id}`)
    : null;
  const explained = traces.map((spans) => ({ traceId: spans[0]!.traceId, hops: hopsOf(spans, id) }));
  if (whole !== null) explained.push({ traceId: id, hops: hopsOf(whole, null) });
  return explained.filter(({ hops }) => hops.length > 0);
}

function text(id: string, { traceId, hops }: Explained): string {
  const first = hops[0]!;
  const status = first.status === 0 ? 'no answer' : String(first.status);
  const head = `${paint('bold', first.request)} → ${status} in ${first.duration.toFixed(1)} ms at ${first.at} (request ${id}, trace ${traceId})\n\n`;
  const rows = hops.map(({ depth, who, direction, request, status, flags, decision, decidedBy }) => [
    `${'  '.repeat(Math.min(depth, 20))}${who}`,
    direction,
    request.length > 60 ? `${request.slice(0, 59)}…` : request,
    status === 0 ? '-' : String(status),
    flags,
    decision,
    decidedBy === '' ? '-' : decidedBy,
  ]);
  const table = columns([['WORKLOAD', 'HOP', 'REQUEST', 'STATUS', 'FLAGS', 'DECISION', 'RULE'], ...rows]);
  const cause = decisive(hops);
  if (cause === null)
    return `${head}${table}\nNo proxy answered in place of a service: what came back is what the services said.\n`;
  const others = hops.filter((hop) => hop.reason !== '' && hop !== cause);
  const sentence = ({ who, direction, reason }: Hop): string => `${who} (${direction}): ${reason}\n`;
  return `${head}${table}\n${paint('yellow', 'Why:')} ${sentence(cause)}${others.map((hop) => `     ${sentence(hop)}`).join('')}`;
}

/** Says which of the possible causes it is, as far as the id itself tells. */
function unknown(id: string, server: string): CliError {
  const logs = `The access log has every request: grep -h ${id} .lateen/logs/* (or kubectl logs … -c istio-proxy).`;
  const traced = traceReason(id);
  if (traced === '4')
    return new CliError(
      `no trace of ${id}: its 15th character, 4, says that this request was not picked for tracing.`,
      {
        hint: `${logs}\nTo have all requests traced: lateen up --tracing 100. To have one: send it with the header x-client-trace-id: 1.`,
      },
    );
  const why =
    traced === null
      ? 'it is no id that a gateway gives, it was not picked for tracing, it is too old, or another control API has its trace.'
      : 'it was picked for tracing, so it is too old (the control API keeps the last 1000 traces, until it is restarted), or another control API has it.';
  return new CliError(`no trace of ${id} at ${server}: ${why}`, {
    hint: `${logs}\nAnother control API: --server URL. Proxies send their spans to it when they are started with --zipkin URL.`,
  });
}
