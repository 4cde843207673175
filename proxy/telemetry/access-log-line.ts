/**
 * The default line: Envoy's fields (Istio's JSON format), then why (`reason`, `decided_by`) and under which configuration.
 * A line is one concatenation of few pieces (each costs, and again when it is written): what comes again and again, such as names of
 * clusters, is kept with the text around it; what callers chose goes through `jsonString`.
 */
import { get } from '../core/header-list.ts';
import type { Connection } from '../live/connection.ts';
import type { Exchange } from '../live/exchange.ts';
import { jsonOrNull, jsonString, withoutSecrets } from './hostile-text.ts';
import type { WallClock } from './wall-clock.ts';

const TERMINATION_AND_BYTES = ',"connection_termination_details":null,"bytes_received":';

/** Longest shown, characters: what an attacker may make us write is bounded, what people read is kept. */
const PATH = 2048;
const NAME = 256;
const SENTENCE = 512;

const route = fragment('","route_name":', ',"method":');
const method = fragment('', ',"path":', 32);
const details = fragment(',"response_flags":"-","response_code_details":', TERMINATION_AND_BYTES, SENTENCE);
const userAgent = fragment(',"user_agent":', ',"request_id":');
const authority = fragment(',"authority":', ',"upstream_host":');
const upstreamHost = fragment('', ',"upstream_cluster":');
const upstreamCluster = fragment('', ',"upstream_local_address":');
const configuration = fragment(',"config_version":', '}\n');

/** One line, line feed included. A missing value is null, as in Envoy's JSON. */
export function accessLine(x: Exchange, configVersion: string, clock: WallClock): string {
  const { headers } = x;
  const forwarded = get(headers, 'x-forwarded-for');
  return (
    `{"start_time":"${clock.iso(x.startMs)}${route(x.route?.name)}${requestLine(x)},"response_code":${x.status}` +
    (x.opaque ? ended(x) : x.flags === '' ? details(x.details) : flagged(x)) +
    `${x.bytesReceived},"bytes_sent":${x.bytesSent},"duration":${wholeMs(x.startMs, x.endMs)}` +
    (x.sentMs > 0 && x.headMs > 0
      ? `,"upstream_service_time":"${wholeMs(x.sentMs, x.headMs)}"`
      : ',"upstream_service_time":null') +
    (forwarded === undefined ? ',"x_forwarded_for":null' : `,"x_forwarded_for":${jsonString(forwarded, SENTENCE)}`) +
    userAgent(get(headers, 'user-agent')) +
    jsonOrNull(x.requestId, 128) +
    authority(x.authority) +
    upstreamHost(x.endpoint?.key) +
    upstreamCluster(x.cluster?.settings.name) +
    (x.upstreamLocal === '' ? 'null' : `"${x.upstreamLocal}"`) +
    downstream(x.connection) +
    (x.connection.serverName === '' ? 'null' : jsonString(x.connection.serverName, NAME)) +
    why(x) +
    (x.trace === null ? ',"trace_id":null' : `,"trace_id":"${x.trace.traceId}"`) +
    configuration(configVersion)
  );
}

/** A TCP connection has no method, path and protocol. */
function requestLine(x: Exchange): string {
  if (x.method === '') return 'null,"path":null,"protocol":null';
  const path = x.originalPath ?? x.path;
  // Cut before the query is searched; the one character more tells `jsonString` that something is missing.
  const shown = withoutSecrets(path.length > PATH ? path.slice(0, PATH + 1) : path);
  return `${method(x.method)}${jsonString(shown, PATH)}${x.minor === 0 ? ',"protocol":"HTTP/1.0"' : ',"protocol":"HTTP/1.1"'}`;
}

function flagged(x: Exchange): string {
  return `,"response_flags":${jsonString(x.flags, NAME)},"response_code_details":${jsonOrNull(x.details, SENTENCE)}${TERMINATION_AND_BYTES}`;
}

/** A connection has no response; how it ended is told instead. */
const ended = (x: Exchange): string =>
  `,"response_flags":"${x.flags === '' ? '-' : x.flags}","response_code_details":null` +
  `,"connection_termination_details":${jsonOrNull(x.details, SENTENCE)},"bytes_received":`;

function why({ transportFailure, reason, decidedBy }: Exchange): string {
  if (transportFailure === '' && reason === '' && decidedBy === null) {
    return ',"upstream_transport_failure_reason":null,"reason":null,"decided_by":null';
  }
  const decider = decidedBy && `${decidedBy.kind}/${decidedBy.namespace}/${decidedBy.name} ${decidedBy.path}`;
  return (
    `,"upstream_transport_failure_reason":${jsonOrNull(transportFailure, SENTENCE)}` +
    `,"reason":${jsonOrNull(reason, SENTENCE)},"decided_by":${jsonOrNull(decider, SENTENCE)}`
  );
}

const connections = new WeakMap<Connection, string>();

/** Many requests share a connection. Addresses come from the kernel: nothing in them to escape. */
function downstream(connection: Connection): string {
  let text = connections.get(connection);
  if (text === undefined) {
    const { localAddress, localPort, remoteAddress, remotePort } = connection;
    text =
      `,"downstream_local_address":"${address(localAddress, localPort)}"` +
      `,"downstream_remote_address":"${address(remoteAddress, remotePort)}","requested_server_name":`;
    connections.set(connection, text);
  }
  return text;
}

const address = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

const wholeMs = (from: number, to: number): number => (to > from ? Math.floor(to - from) : 0);

/** A value with the text around it, kept for the next time. Callers may choose some of them, so all are let go when there are many. */
function fragment(before: string, after: string, max = NAME): (text: string | undefined) => string {
  const absent = `${before}null${after}`;
  const known = new Map<string, string>();
  return (text) => {
    if (text === undefined || text === '') return absent;
    let whole = known.get(text);
    if (whole !== undefined) return whole;
    whole = `${before}${jsonString(text, max)}${after}`;
    if (known.size >= 500) known.clear();
    if (text.length <= NAME) known.set(text, whole);
    return whole;
  };
}
