/**
 * What each of Envoy's command operators shows of an exchange. Names, and what is told when something did not happen, as the real Envoy 1.40
 * has them (test/oracle/access-log.test.ts compares). Times are whole milliseconds.
 */
import { randomUUID } from 'node:crypto';
import { get, type HeaderList } from '../core/header-list.ts';
import type { OperatorName } from '../core/log-format.ts';
import { compileTimeFormat } from '../core/time-format.ts';
import type { Exchange } from '../live/exchange.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import { longFlags } from './flag-names.ts';
import { grpcStatusName, grpcStatusShown } from './grpc-status-name.ts';
import { withoutSecrets } from './hostile-text.ts';
import type { WallClock } from './wall-clock.ts';

/** null: there is no such thing; it is shown as `-`, in JSON as null. */
export type Shown = string | number | null;

export type Source = {
  readonly get: (x: Exchange) => Shown;
  /**
   * `ours`: printable ASCII without quotes, made by the proxy or the kernel: nothing to escape. `few`: the same values come again and again,
   * so that it pays to keep what they look like. `theirs`: anything.
   */
  readonly kind: 'ours' | 'few' | 'theirs';
};

/** What is there for the whole proxy. */
export type Of = { readonly node: ProxyNode; readonly clock: WallClock };

const ours = (read: (x: Exchange) => Shown): Source => ({ get: read, kind: 'ours' });
const few = (read: (x: Exchange) => Shown): Source => ({ get: read, kind: 'few' });
const theirs = (read: (x: Exchange) => Shown): Source => ({ get: read, kind: 'theirs' });
const constant = (value: Shown): Source => few(() => value);

/** Longest path that is looked at; the text is cut shorter when it is shown. */
const PATH = 8192;

/** Null when it is empty. */
const text = (value: string): string | null => (value === '' ? null : value);
const address = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
const whole = (from: number, to: number): number => (to > from ? Math.floor(to - from) : 0);
/** Envoy puts `_` for every space in what stands in a line between spaces. */
const oneWord = (words: string): string | null =>
  words === '' ? null : words.includes(' ') ? words.replaceAll(' ', '_') : words;
const isHttp = (x: Exchange): boolean => x.method !== '';

const remoteAddress = ours(({ connection: c }) => address(c.remoteAddress, c.remotePort));
const remoteHost = ours((x) => x.connection.remoteAddress);
const remotePort = ours((x) => x.connection.remotePort);
const localAddress = ours(({ connection: c }) => address(c.localAddress, c.localPort));
const localHost = ours((x) => x.connection.localAddress);
const localPort = ours((x) => x.connection.localPort);
const upstreamHost = few((x) => x.endpoint?.key ?? null);
const upstreamName = few((x) => x.endpoint?.address ?? null);
const upstreamCluster = few((x) => x.cluster?.settings.name ?? null);
/** Told of connections alone, where `UPSTREAM_HOST` is also told of tries. */
const connected = (read: (x: Exchange) => Shown): Source => few((x) => (x.upstreamLocal === '' ? null : read(x)));

/** The host of `127.0.0.1:80` or `[::1]:80`, and its port; of a unix socket the path and null. */
function split(key: string): { host: string; port: number | null } {
  const colon = key.lastIndexOf(':');
  if (key.startsWith('unix:') || colon < 0) return { host: key, port: null };
  const host = key.startsWith('[') ? key.slice(1, colon - 1) : key.slice(0, colon);
  return { host, port: Number(key.slice(colon + 1)) };
}

/** How the upstream could not be reached: as Envoy says it also in the details of the response. */
function transportFailure(x: Exchange): string | null {
  if (x.transportFailure === '') return null;
  const said = /^upstream_reset_before_response_started\{remote_connection_failure\|(.*)\}$/s.exec(x.details);
  return oneWord(said?.[1] ?? x.transportFailure);
}

/** When the last byte of the request came; null: it did not. */
function received(x: Exchange): number | null {
  if (!isHttp(x)) return null;
  return x.bytesReceived === 0 ? x.startMs : x.receivedMs > 0 ? x.receivedMs : null;
}

/** When the last byte of the request went upstream. */
function sent(x: Exchange): number | null {
  if (x.sentMs <= 0) return null;
  const all = received(x);
  return all === null ? null : Math.max(all, x.sentMs);
}

const happened = (ms: number): number | null => (ms > 0 ? ms : null);
const TIMES: Readonly<Record<string, (x: Exchange) => number | null>> = {
  DS_RX_BEG: (x) => x.startMs,
  DS_RX_END: received,
  US_TX_BEG: (x) => happened(x.sentMs),
  US_TX_END: sent,
  US_RX_BEG: (x) => happened(x.headMs),
  US_RX_END: (x) => (x.headMs > 0 ? x.endMs : null),
  DS_TX_BEG: (x) => (x.status === 0 ? null : x.headMs > 0 ? x.headMs : x.endMs),
  DS_TX_END: (x) => (x.status === 0 ? null : x.endMs),
};
const UNITS: Readonly<Record<string, number>> = { ms: 1, us: 1000, ns: 1_000_000 };
const never = (): null => null;

function duration(from: (x: Exchange) => number | null, to: (x: Exchange) => number | null, unit = 1): Source {
  return ours((x) => {
    const [begin, end] = [from(x), to(x)];
    return begin === null || end === null || end < begin ? null : Math.floor((end - begin) * unit);
  });
}

/** Headers whose values mostly repeat. */
const FEW = new Set([':method', ':authority', ':scheme', 'host', 'user-agent', 'content-type', 'server']);

/** `X-A?X-B`: the first value of the one, else of the other; names are blind to case. */
function header(argument: string, read: (x: Exchange, lower: string) => string | null): Source {
  const [first = '', second] = argument.toLowerCase().split('?');
  if (second === undefined) return { get: (x) => read(x, first), kind: FEW.has(first) ? 'few' : 'theirs' };
  return theirs((x) => read(x, first) ?? read(x, second));
}

/** Paths carry credentials in their queries now and then; ours is the only log that hides them. */
const shownPath = (path: string): string => withoutSecrets(path.length > PATH ? path.slice(0, PATH) : path);

function requestHeader(x: Exchange, lower: string): string | null {
  if (!isHttp(x)) return null;
  switch (lower) {
    case ':method':
      return x.method;
    case ':path':
      return shownPath(x.path);
    case 'x-envoy-original-path':
      return x.originalPath === null ? null : shownPath(x.originalPath);
    case ':authority':
    case 'host':
      return text(x.authority);
    case ':scheme':
      return x.scheme;
    case 'x-request-id':
      return text(x.requestId);
    case 'x-envoy-attempt-count':
      // Ours is written when the request goes out; Envoy counts tries that found no connection, too.
      return get(x.headers, lower) ?? (x.attempts > 0 ? `${x.attempts}` : null);
    default:
      return get(x.headers, lower) ?? null;
  }
}

const inList = (list: HeaderList | null, lower: string): string | null =>
  list === null ? null : (get(list, lower) ?? null);

function responseHeader(x: Exchange, lower: string): string | null {
  if (lower === ':status') return isHttp(x) && x.status > 0 ? `${x.status}` : null;
  return inList(x.responseHeaders, lower);
}

const beforeQuery = (path: string | null): string | null => path?.split('?', 1)[0] ?? null;

/** `WQ` or `NQ`: with its query or without; then which: as it came, as it went upstream, the one or else the other. */
function path(argument: string): Source {
  const [shown, which = 'ORIG_OR_PATH'] = argument.split(':');
  const names = { ORIG: 'x-envoy-original-path', PATH: ':path', ORIG_OR_PATH: 'x-envoy-original-path?:path' }[which]!;
  const found = header(names, requestHeader);
  return shown === 'NQ' ? theirs((x) => beforeQuery(found.get(x) as string | null)) : found;
}

const query = (x: Exchange, original: boolean): string | null => {
  if (!isHttp(x)) return null;
  const from = shownPath(original ? (x.originalPath ?? x.path) : x.path);
  const at = from.indexOf('?');
  return at < 0 ? null : from.slice(at + 1);
};

function queryParameter(name: string): Source {
  return theirs((x) => {
    const all = query(x, false);
    if (all === null) return null;
    for (const pair of all.split('&')) {
      const eq = pair.indexOf('=');
      if ((eq < 0 ? pair : pair.slice(0, eq)) === name) return eq < 0 ? '' : pair.slice(eq + 1);
    }
    return null;
  });
}

function grpcStatus(style: string | null): Source {
  return ours((x) => {
    const status = grpcStatusShown(x);
    return status === null ? null : style === 'NUMBER' ? status : grpcStatusName(status, style === 'SNAKE_STRING');
  });
}

const LATEEN: Readonly<Record<string, Source>> = {
  REASON: theirs((x) => text(x.reason)),
  DECIDED_BY: theirs(({ decidedBy: by }) => by && `${by.kind}/${by.namespace}/${by.name} ${by.path}`),
  CONFIG_VERSION: theirs((x) => text(x.configVersion)),
};

const startTime = (format: string | null, local: boolean, { clock }: Of): Source => {
  if (format === null && !local) return ours((x) => clock.iso(x.startMs));
  const write = compileTimeFormat(format ?? '%Y-%m-%dT%H:%M:%E3S%z', local);
  return theirs((x) => write(clock.epochMs(x.startMs)));
};
/** Lines are made when the request is over. */
const emitTime = (format: string | null, local: boolean, { clock }: Of): Source => {
  const write = compileTimeFormat(format ?? (local ? '%Y-%m-%dT%H:%M:%E3S%z' : '%Y-%m-%dT%H:%M:%E3SZ'), local);
  return theirs((x) => write(clock.epochMs(x.endMs)));
};

type Make = (argument: string | null, of: Of) => Source;
const always =
  (source: Source): Make =>
  () =>
    source;

export const OPERATORS: Readonly<Record<OperatorName, Make>> = {
  START_TIME: (format, of) => startTime(format, false, of),
  START_TIME_LOCAL: (format, of) => startTime(format, true, of),
  EMIT_TIME: (format, of) => emitTime(format, false, of),
  EMIT_TIME_LOCAL: (format, of) => emitTime(format, true, of),

  REQ: (names) => header(names!, requestHeader),
  RESP: (names) => header(names!, responseHeader),
  TRAILER: (names) => header(names!, (x, lower) => inList(x.responseTrailers, lower)),
  REQ_WITHOUT_QUERY: (names) => header(names!, (x, lower) => beforeQuery(requestHeader(x, lower))),
  PATH: (argument) => path(argument ?? 'WQ'),
  QUERY_PARAM: (name) => queryParameter(name!),
  QUERY_PARAMS: (which) => theirs(which === 'DECODED' ? (x) => decoded(query(x, true)) : (x) => query(x, true)),

  PROTOCOL: always(ours((x) => (isHttp(x) ? (x.minor === 0 ? 'HTTP/1.0' : 'HTTP/1.1') : null))),
  RESPONSE_CODE: always(ours((x) => x.status)),
  RESPONSE_FLAGS: always(few((x) => (x.flags === '' ? '-' : x.flags))),
  RESPONSE_FLAGS_LONG: always(few((x) => (x.flags === '' ? '-' : longFlags(x.flags)))),
  RESPONSE_CODE_DETAILS: (argument) =>
    few((x) => (x.opaque ? null : argument === null ? oneWord(x.details) : text(x.details))),
  CONNECTION_TERMINATION_DETAILS: always(theirs((x) => (x.opaque ? oneWord(x.details) : null))),
  GRPC_STATUS: (style) => grpcStatus(style),
  GRPC_STATUS_NUMBER: always(grpcStatus('NUMBER')),

  BYTES_RECEIVED: always(ours((x) => x.bytesReceived)),
  BYTES_SENT: always(ours((x) => x.bytesSent)),
  DOWNSTREAM_WIRE_BYTES_RECEIVED: always(ours((x) => x.requestHeadBytes + x.bytesReceived)),
  DOWNSTREAM_WIRE_BYTES_SENT: always(ours((x) => x.responseHeadBytes + x.bytesSent)),
  DOWNSTREAM_HEADER_BYTES_RECEIVED: always(ours((x) => x.requestHeadBytes)),
  DOWNSTREAM_HEADER_BYTES_SENT: always(ours((x) => x.responseHeadBytes)),

  DURATION: always(ours((x) => whole(x.startMs, x.endMs))),
  REQUEST_DURATION: always(duration(TIMES['DS_RX_BEG']!, received)),
  REQUEST_TX_DURATION: always(duration(TIMES['DS_RX_BEG']!, sent)),
  RESPONSE_DURATION: always(duration(TIMES['DS_RX_BEG']!, TIMES['US_RX_BEG']!)),
  RESPONSE_TX_DURATION: always(duration(TIMES['US_RX_BEG']!, TIMES['DS_TX_END']!)),
  COMMON_DURATION: (argument) => {
    const [from = '', to = '', unit = 'ms'] = argument!.split(':');
    return duration(TIMES[from] ?? never, TIMES[to] ?? never, UNITS[unit]);
  },

  UPSTREAM_HOST: always(upstreamHost),
  UPSTREAM_HOST_NAME: always(upstreamHost),
  UPSTREAM_HOST_NAME_WITHOUT_PORT: always(upstreamName),
  UPSTREAM_CLUSTER: always(upstreamCluster),
  UPSTREAM_CLUSTER_RAW: always(upstreamCluster),
  UPSTREAM_LOCAL_ADDRESS: always(ours((x) => text(x.upstreamLocal))),
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: always(connected((x) => split(x.upstreamLocal).host)),
  UPSTREAM_LOCAL_PORT: always(connected((x) => split(x.upstreamLocal).port)),
  UPSTREAM_REMOTE_ADDRESS: always(connected(upstreamHost.get)),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: always(connected(upstreamName.get)),
  UPSTREAM_REMOTE_PORT: always(connected((x) => x.endpoint?.port ?? null)),
  UPSTREAM_PROTOCOL: always(ours((x) => (x.sentMs > 0 && isHttp(x) ? 'HTTP/1.1' : null))),
  UPSTREAM_TRANSPORT_FAILURE_REASON: always(theirs(transportFailure)),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: always(ours((x) => x.attempts)),

  DOWNSTREAM_REMOTE_ADDRESS: always(remoteAddress),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: always(remoteHost),
  DOWNSTREAM_REMOTE_PORT: always(remotePort),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: always(remoteAddress),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: always(remoteHost),
  DOWNSTREAM_DIRECT_REMOTE_PORT: always(remotePort),
  DOWNSTREAM_LOCAL_ADDRESS: always(localAddress),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: always(localHost),
  DOWNSTREAM_LOCAL_PORT: always(localPort),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS: always(localAddress),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT: always(localHost),
  DOWNSTREAM_DIRECT_LOCAL_PORT: always(localPort),
  REQUESTED_SERVER_NAME: always(theirs((x) => text(x.connection.serverName))),

  ROUTE_NAME: always(few((x) => text(x.route?.name ?? ''))),
  // In a pod, the host's name is the pod's.
  HOSTNAME: (_, { node }) => constant(node.name),
  ENVIRONMENT: (name) => constant(process.env[name!] ?? '-'),
  TRACE_ID: always(ours((x) => x.trace?.traceId ?? null)),
  SPAN_ID: always(ours((x) => x.trace?.spanId ?? null)),
  STREAM_ID: always(theirs((x) => text(x.requestId))),
  UNIQUE_ID: always(ours(() => randomUUID())),
  CONNECTION_ID: always(ours((x) => x.connection.id)),
  ACCESS_LOG_TYPE: always(ours((x) => (x.opaque ? 'TcpConnectionEnd' : 'DownstreamEnd'))),
  LATEEN: (what) => LATEEN[what!]!,
};

/** Each name and value in one way of writing it: `%41%20` and `A%20` are the same. What cannot be decoded stays. */
function decoded(text: string | null): string | null {
  return text?.replace(/[^&=]+/g, recoded) ?? null;
}

function recoded(text: string): string {
  try {
    return encodeURIComponent(decodeURIComponent(text));
  } catch {
    return text;
  }
}
