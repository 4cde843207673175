/** A line of the access log read back: as a request that conditions can be asked of. */
import { compileCondition } from '#proxy/compile/cel.ts';
import { Exchange } from '#proxy/live/exchange.ts';
import type { ProxyNode } from '#proxy/snapshot/node.ts';
import { compileExpression } from '#proxy/telemetry/evaluate.ts';
import { CliError } from './cli-error.ts';

export type LogLine = Readonly<Record<string, unknown>>;

/** Null: it is none, but something else that the proxy wrote. */
export function readLine(text: string): LogLine | null {
  if (!text.startsWith('{')) return null;
  try {
    const line = JSON.parse(text) as LogLine;
    return typeof line['start_time'] === 'string' ? line : null;
  } catch {
    return null;
  }
}

/** `response.code >= 500`, in CEL, as Telemetry's filters are. What a line does not tell is missing. Throws CliError. */
export function lineFilter(text: string): (line: LogLine) => boolean {
  let why = '';
  const expression = compileCondition(text, (message) => (why = message));
  if (expression === null)
    throw new CliError(`--filter: ${why}`, {
      hint: 'It is an expression such as \'response.code >= 500 && request.path.startsWith("/reviews")\'.',
      exitCode: 2,
    });
  const holds = compileExpression(expression, NOBODY);
  return (line) => holds(exchangeOf(line)) === true;
}

function exchangeOf(line: LogLine): Exchange {
  const text = (name: string): string => (typeof line[name] === 'string' ? line[name] : '');
  const number = (name: string): number => Number(line[name] ?? 0) || 0;
  const [local, localPort] = placeOf(text('downstream_local_address'));
  const [remote, remotePort] = placeOf(text('downstream_remote_address'));
  const inbound = text('upstream_cluster').startsWith('inbound|');
  const x = new Exchange(
    {
      id: 0,
      remoteAddress: remote,
      remotePort,
      localAddress: local,
      localPort,
      redirected: false,
      peer: null,
      serverName: text('requested_server_name'),
    },
    inbound ? 'inbound' : 'outbound',
  );
  x.opaque = text('method') === '';
  x.method = text('method');
  x.target = x.path = text('path');
  x.authority = text('authority');
  x.minor = text('protocol') === 'HTTP/1.0' ? 0 : 1;
  x.headers = ['user-agent', text('user_agent'), 'x-forwarded-for', text('x_forwarded_for')];
  x.requestId = text('request_id');
  x.configVersion = text('config_version');
  x.status = number('response_code');
  x.flags = text('response_flags').replace(/^-$/, '');
  x.details = text('response_code_details') || text('connection_termination_details');
  x.reason = text('reason');
  x.transportFailure = text('upstream_transport_failure_reason');
  x.bytesReceived = number('bytes_received');
  x.bytesSent = number('bytes_sent');
  x.upstreamLocal = text('upstream_local_address');
  x.startMs = 1;
  x.endMs = 1 + number('duration');
  if (line['upstream_service_time'] !== null) {
    x.sentMs = 1;
    x.headMs = 1 + number('upstream_service_time');
  }
  return x;
}

/** `127.0.0.1:80`, `[::1]:80` */
function placeOf(text: string): [string, number] {
  const [, bracketed, plain = '', port = '0'] = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  return [bracketed ?? plain, Number(port)];
}

/** A line does not tell whose it is. */
const NOBODY: ProxyNode = {
  role: 'sidecar',
  name: '',
  namespace: '',
  workload: '',
  serviceAccount: '',
  labels: {},
  ip: '',
  canonicalService: '',
  canonicalRevision: '',
  cluster: '',
  trustDomain: '',
  rootNamespace: '',
  portMap: {},
  interception: 'NONE',
  appPorts: {},
};
