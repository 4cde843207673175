/**
 * JSON access log: Envoy's fields (Istio's default JSON format), then why (`reason`, `decided_by`) and under which configuration.
 * A line is one concatenation: what is constant is in the text, what callers chose goes through `jsonString`.
 */
import { get } from '../core/header-list.ts';
import type { Exchange } from '../live/exchange.ts';
import type { SourceRef } from '../snapshot/route.ts';
import { BatchFile, type BatchFileOptions } from './batch-file.ts';
import { jsonOrNull, jsonString, withoutSecrets } from './hostile-text.ts';
import { WallClock } from './wall-clock.ts';

export type AccessLog = {
  /** Call once a request, at its end. Never throws, never waits. */
  record(x: Exchange, configVersion: string): void;
  /** Resolves when everything recorded so far is written. */
  flush(): Promise<void>;
  /** After a log rotation (SIGUSR1). Rejects when the file cannot be opened; the old one is kept then. */
  reopen(): Promise<void>;
};

/** Throws when `to` is a path that cannot be opened. */
export function createAccessLog(options: BatchFileOptions, clock: WallClock = new WallClock()): AccessLog {
  const file = new BatchFile(options);
  return {
    record: (x, configVersion) => file.append(accessLine(x, configVersion, clock)),
    flush: () => file.flush(),
    reopen: () => file.reopen(),
  };
}

/** Longest shown, characters: what an attacker may make us write is bounded, what people read is kept. */
const PATH = 2048;
const NAME = 256;
const SENTENCE = 512;

/** One line, line feed included. A missing value is null, as in Envoy's JSON. */
export function accessLine(x: Exchange, configVersion: string, clock: WallClock): string {
  const { connection, headers } = x;
  return (
    `{"start_time":"${clock.iso(x.startMs)}"` +
    `,"route_name":${jsonOrNull(x.route?.name, NAME)}` +
    requestLine(x) +
    `,"response_code":${x.status}` +
    `,"response_flags":${x.flags === '' ? '"-"' : jsonString(x.flags, NAME)}` +
    `,"response_code_details":${jsonOrNull(x.details, SENTENCE)}` +
    `,"connection_termination_details":null` +
    `,"bytes_received":${x.bytesReceived}` +
    `,"bytes_sent":${x.bytesSent}` +
    `,"duration":${wholeMs(x.startMs, x.endMs)}` +
    `,"upstream_service_time":${x.sentMs > 0 && x.headMs > 0 ? `"${wholeMs(x.sentMs, x.headMs)}"` : 'null'}` +
    `,"x_forwarded_for":${jsonOrNull(get(headers, 'x-forwarded-for'), SENTENCE)}` +
    `,"user_agent":${jsonOrNull(get(headers, 'user-agent'), NAME)}` +
    `,"request_id":${jsonOrNull(x.requestId, 128)}` +
    `,"authority":${jsonOrNull(x.authority, NAME)}` +
    `,"upstream_host":${jsonOrNull(x.endpoint?.key, NAME)}` +
    `,"upstream_cluster":${jsonOrNull(x.cluster?.settings.name, NAME)}` +
    `,"upstream_local_address":${jsonOrNull(x.upstreamLocal, NAME)}` +
    `,"downstream_local_address":"${address(connection.localAddress, connection.localPort)}"` +
    `,"downstream_remote_address":"${address(connection.remoteAddress, connection.remotePort)}"` +
    `,"requested_server_name":null` +
    `,"upstream_transport_failure_reason":${jsonOrNull(x.transportFailure, SENTENCE)}` +
    `,"reason":${jsonOrNull(x.reason, SENTENCE)}` +
    `,"decided_by":${jsonOrNull(decider(x.decidedBy), SENTENCE)}` +
    `,"trace_id":${x.trace === null ? 'null' : `"${x.trace.traceId}"`}` +
    `,"config_version":${jsonOrNull(configVersion, NAME)}}\n`
  );
}

/** A TCP connection has no method, path and protocol. */
function requestLine(x: Exchange): string {
  if (x.method === '') return ',"method":null,"path":null,"protocol":null';
  const path = x.originalPath ?? x.path;
  // Cut before the query is searched; the one character more tells `jsonString` that something is missing.
  const shown = withoutSecrets(path.length > PATH ? path.slice(0, PATH + 1) : path);
  return `,"method":${jsonString(x.method, 32)},"path":${jsonString(shown, PATH)},"protocol":"HTTP/1.${x.minor}"`;
}

const decider = (ref: SourceRef | null): string | null =>
  ref === null ? null : `${ref.kind}/${ref.namespace}/${ref.name} ${ref.path}`;

const wholeMs = (from: number, to: number): number => (to > from ? Math.floor(to - from) : 0);

/** Addresses come from the kernel: nothing in them to escape. */
const address = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
