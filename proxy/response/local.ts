/** Replies the proxy makes itself: status, flag, details and a plain reason, as Envoy shapes them. */
import { get, type HeaderList } from '../core/header-list.ts';
import { reasonPhrase } from '../core/reason-phrase.ts';
import type { Exchange } from '../live/exchange.ts';
import { faceOf, type Failure } from '../live/failure.ts';
import type { Downstream } from '../live/stream.ts';
import type { Reply } from '../live/verdict.ts';
import { grpcMessage, grpcStatusOf } from '../core/grpc-status.ts';

/** Answers `x` with `reply`; the whole response is handed to `down`. `inside`: the caller belongs to the mesh and may be told why. */
export function answer(
  x: Exchange,
  down: Downstream,
  reply: Reply,
  inside: boolean,
  decorate: (headers: HeaderList) => void,
): void {
  if (reply.kind === 'local') {
    x.status = reply.status;
    x.details = reply.details;
    const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : Buffer.from(reply.body);
    const headers = [...reply.headers];
    if (body.length > 0 && get(headers, 'content-type') === undefined) headers.push('content-type', 'text/plain');
    send(x, down, headers, body, decorate);
    return;
  }
  const face = faceOf(reply.failure, x.attempts > 1);
  x.status = face.status;
  if (face.flag !== '-') x.flag(face.flag);
  x.details = face.details;
  if (x.reason === '') x.reason = reasonFor(reply.failure, x);
  const headers: HeaderList = [];
  if (reply.failure.kind === 'overflow') headers.push('x-envoy-overloaded', 'true');
  // The second is Envoy's own (`append_local_overload`): not a cluster, the proxy itself has too much to do.
  if (reply.failure.kind === 'overloaded')
    headers.push('x-envoy-overloaded', 'true', 'x-envoy-local-overloaded', 'true');
  if (inside) headers.push('x-lateen-reason', headerSafe(x.reason));
  else if (x.requestId !== '') headers.push('x-request-id', x.requestId);
  if (x.grpc) return sendGrpc(x, down, headers, face.body, decorate);
  if (face.body !== '') headers.unshift('content-type', 'text/plain');
  send(x, down, headers, Buffer.from(face.body), decorate);
}

/** A gRPC client reads its status from grpc-status of a 200 (Envoy answers so, and logs 200). */
function sendGrpc(
  x: Exchange,
  down: Downstream,
  headers: HeaderList,
  body: string,
  decorate: (headers: HeaderList) => void,
): void {
  const status = String(grpcStatusOf(x.status));
  x.grpcStatus = grpcStatusOf(x.status);
  x.status = 200;
  const message = body === '' ? [] : ['grpc-message', grpcMessage(body)];
  const own = ['content-type', 'application/grpc', 'grpc-status', status, ...message];
  send(x, down, [...own, ...headers], Buffer.alloc(0), decorate);
}

function send(
  x: Exchange,
  down: Downstream,
  headers: HeaderList,
  body: Buffer,
  decorate: (headers: HeaderList) => void,
): void {
  const bodiless = x.status === 204 || x.status === 304;
  if (!bodiless) headers.unshift('content-length', String(body.length));
  decorate(headers);
  down.sendHead(x.status, reasonPhrase(x.status), headers, bodiless ? 'none' : 'length');
  if (!bodiless && body.length > 0) {
    down.sendData(body);
    if (x.method !== 'HEAD') x.bytesSent += body.length;
  }
  down.sendEnd([]);
  down.flush();
}

/** Printable ASCII only and bounded: reasons name hosts and paths that a client chose. */
const headerSafe = (text: string): string => text.slice(0, 512).replace(/[^\x20-\x7e]/g, '?');

/** One plain sentence: what happened, to whom, and what the configuration has to do with it. */
function reasonFor(failure: Failure, x: Exchange): string {
  const where = x.cluster === null ? x.authority : x.cluster.settings.name;
  const route = x.route?.source ?? null;
  const rule = route === null ? '' : `; route ${route.kind} ${route.namespace}/${route.name} ${route.path}`;
  switch (failure.kind) {
    case 'no-route':
      return `no route for ${x.method} ${x.authority}${x.path.split('?', 1)[0]!}`;
    case 'no-cluster':
      return `the route sends to ${failure.cluster}, which does not exist: no such host, port or subset${rule}`;
    case 'denied':
      return `refused by policy ${failure.policy}`;
    case 'fault-abort':
      return `fault injection${rule}`;
    case 'no-healthy-upstream':
      return `${where} has no healthy endpoint${rule}`;
    case 'overflow':
      return `${where} has reached its connection or request limit${rule}`;
    case 'connect-failed':
      return `${x.endpoint?.key ?? where} of ${where} could not be reached: ${failure.cause}`;
    case 'connect-timeout':
      return `${x.endpoint?.key ?? where} of ${where} did not accept the connection in time`;
    case 'reset-before-response':
      return `${x.endpoint?.key ?? where} of ${where} closed the connection before it answered${failure.cause === '' ? '' : ` (${failure.cause})`}`;
    case 'bad-response':
      return `${x.endpoint?.key ?? where} of ${where} sent something that is no valid HTTP response (${failure.cause})`;
    case 'timeout':
      return `no complete answer from ${where} within ${x.route?.timeout ?? 0} ms${rule}`;
    case 'per-try-timeout':
      return `no answer from ${where} within ${x.route?.retry?.perTryTimeout ?? 0} ms a try${rule}`;
    case 'blocked-egress':
      return `${failure.host} is not in the registry and the outbound policy is REGISTRY_ONLY: a ServiceEntry would allow it (./lateen egress --propose shows one)`;
    case 'loop':
      return `${x.authority} leads back to this proxy`;
    case 'overloaded':
      return `this proxy is overloaded: ${failure.why}`;
  }
}
