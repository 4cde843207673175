/** Sends a request upstream and relays the answer: tries, retries, timeouts, backpressure both ways. */
import { bareHost, portOf } from '../core/authority.ts';
import type { Timer } from '../core/clock.ts';
import { get, indexOf, remove, set, type HeaderList } from '../core/header-list.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Failure } from '../live/failure.ts';
import type { Upstream, UpstreamEvents, UpstreamHead, UpstreamProblem } from '../live/stream.ts';
import { fail } from '../live/verdict.ts';
import { isRetriable, retryDelay, type TryOutcome } from '../traffic/retry.ts';
import { requestTimeout } from '../traffic/timeout.ts';
import type { Http1Connection } from '../upstream/http1.ts';
import type { LeaseProblem, Pool, Waiter } from '../upstream/pool.ts';
import { portFor } from '../upstream/upstreams.ts';
import { requestHead } from '../wire/http1-write.ts';
import { GrpcMeter, noteGrpcStatus } from './grpc.ts';
import { leadsBack } from './loop.ts';
import type { ForwardPlan, RoutePlan } from './plan.ts';
import { Replay, willFit } from './replay.ts';
import type { Stream } from './stream.ts';
import { isWanted, openTunnel } from './upgrade.ts';

/** Tries again after a lost keep-alive race cost the server nothing; these are not the route's retries. */
const MAX_RACES = 2;

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

export class Forward implements UpstreamEvents, Waiter {
  readonly #stream: Stream;
  readonly #route: RoutePlan;
  readonly #target: ForwardPlan;
  readonly #cluster: LiveCluster;
  #endpoint: LiveEndpoint | null = null;
  #pool: Pool | null = null;
  #upstream: Upstream | null = null;
  #headText = '';
  #headAttempt = 0;
  #over = false;
  #headSeen = false;
  #starting = false;
  /** Made by the first bytes of a body. */
  #replay: Replay | null = null;
  /** Null: it is no gRPC call. */
  readonly #grpc: GrpcMeter | null;
  #requestEnded = false;
  #trailers: HeaderList = [];
  #races = 0;
  #tries = 0;
  #fresh = false;
  #timer: Timer | null = null;
  #tryTimer: Timer | null = null;
  #backoff: Timer | null = null;

  constructor(stream: Stream, route: RoutePlan, target: ForwardPlan, cluster: LiveCluster) {
    this.#stream = stream;
    this.#route = route;
    this.#target = target;
    this.#cluster = cluster;
    this.#grpc = stream.x.grpc ? new GrpcMeter(stream.x) : null;
  }

  start(requestEnded: boolean): void {
    const { x, down, env } = this.#stream;
    x.cluster = this.#cluster;
    this.#requestEnded = requestEnded;
    if (down.bodyFraming === 'none') this.#requestEnded = true;
    if (this.#cluster.active >= this.#cluster.settings.maxRequests)
      return this.#stream.reply(fail({ kind: 'overflow' }));
    this.#cluster.active++;
    // Envoy's order: the destination's headers, the route's, then path and authority.
    this.#target.requestHeaders?.(x);
    this.#route.rewrite?.(x);
    const timeout = requestTimeout(this.#route.route.timeout, x);
    if (timeout !== null) this.#timer = env.clock.add(timeout, onTimeout, this);
    this.#starting = true;
    this.try();
    this.#starting = false;
    // The head waits for the part of the body that came with it: one write for both.
    if (this.#requestEnded) this.#upstream?.flush();
    else down.startBody();
  }

  /** The client is gone, or the request is answered otherwise. */
  giveUp(): void {
    if (this.#over) return;
    this.#endTry();
    this.#end();
  }

  onRequestData(chunk: Buffer): void {
    if (this.#over) return;
    this.#grpc?.request(chunk);
    (this.#replay ??= new Replay()).add(chunk, this.#upstream !== null);
    if (this.#upstream !== null && !this.#upstream.sendData(chunk)) this.#stream.down.pauseBody();
  }

  onRequestEnd(trailers: HeaderList): void {
    this.#requestEnded = true;
    this.#trailers = trailers;
    this.#upstream?.sendEnd(trailers);
  }

  onRequestReadEnd(): void {
    this.#upstream?.flush();
    if (this.#upstream === null && this.#replay?.heavy === true) this.#stream.down.pauseBody();
  }

  onDownstreamDrain(): void {
    this.#upstream?.resume();
  }

  /** One try: an endpoint, a connection, the request. */
  try(): void {
    if (this.#over) return;
    const { x, env } = this.#stream;
    this.#tries++;
    x.attempts++;
    const { discovery } = this.#cluster.settings;
    const byAddress = discovery.kind === 'passthrough';
    if (byAddress && leadsBack(env, this.#asked().host, portFor(this.#cluster, this.#asked().port)))
      return this.#fail({ kind: 'loop' });
    const endpoint = byAddress
      ? this.#passthrough()
      : discovery.kind === 'dynamic-dns'
        ? env.upstreams.dynamic(this.#cluster, this.#asked().host)
        : this.#pickFresh();
    if (endpoint === null) return this.#fail({ kind: 'no-healthy-upstream' });
    this.#endpoint = endpoint;
    x.endpoint = endpoint;
    this.#pool = env.upstreams.poolOf(this.#cluster, endpoint);
    const perTry = this.#route.route.retry?.perTryTimeout ?? null;
    if (perTry !== null) this.#tryTimer = env.clock.add(perTry, onTryTimeout, this);
    const connection = this.#pool.lease(this, this.#fresh, !this.#isRepeatable());
    if (connection !== null) this.onLease(connection);
  }

  /** What is sent can be sent again, should the connection end meanwhile. */
  #isRepeatable(): boolean {
    const { x, down } = this.#stream;
    return (
      IDEMPOTENT.has(x.method) &&
      (down.bodyFraming === 'none' || willFit(down.bodyFraming, get(x.headers, 'content-length')))
    );
  }

  #passthrough(): LiveEndpoint {
    const { host, port } = this.#asked();
    return this.#stream.env.upstreams.passthrough(this.#cluster, host, port);
  }

  /** The address the client asked for: the one it connected to, or the one it names. */
  #asked(): { host: string; port: number } {
    const { authority, scheme, connection } = this.#stream.x;
    if (connection.redirected && this.#cluster.settings.discovery.kind === 'passthrough')
      return { host: connection.localAddress, port: connection.localPort };
    return { host: bareHost(authority), port: portOf(authority, scheme === 'https' ? 443 : 80) };
  }

  /** Endpoints that failed this request are avoided while there are others (Istio: previous_hosts, 5 picks at most). */
  #pickFresh(): LiveEndpoint | null {
    let picked = this.#cluster.picker(null);
    if (this.#tries === 1 || this.#endpoint === null) return picked;
    for (let i = 0; i < 5 && picked === this.#endpoint; i++) picked = this.#cluster.picker(null);
    return picked;
  }

  onLease(connection: Http1Connection): void {
    const { x, down } = this.#stream;
    this.#upstream = connection;
    this.#endpoint!.active++;
    x.upstreamLocal = connection.local;
    x.sentMs = performance.now();
    const framing = down.bodyFraming;
    connection.send(x.method, this.#requestHead(), framing, this);
    if (this.#replay !== null) for (const chunk of this.#replay.take()) connection.sendData(chunk);
    if (this.#requestEnded && framing !== 'none') connection.sendEnd(this.#trailers);
    if (this.#starting) return;
    connection.flush();
    if (!this.#requestEnded) down.resumeBody();
  }

  #requestHead(): string {
    const { x, down } = this.#stream;
    const { headers } = x;
    if (this.#headText !== '') {
      if (x.attempts === this.#headAttempt) return this.#headText;
      set(headers, 'x-envoy-attempt-count', String(x.attempts));
    } else {
      this.#completeHeaders(headers);
    }
    this.#headAttempt = x.attempts;
    this.#headText = requestHead(x.method, x.path, headers, down.bodyFraming === 'chunked');
    return this.#headText;
  }

  /** What a proxy adds to every request it passes on, in Envoy's order. */
  #completeHeaders(headers: HeaderList): void {
    const { x, down, env } = this.#stream;
    if (x.nominated !== null) for (const name of x.nominated) remove(headers, name);
    const at = indexOf(headers, 'host');
    if (at < 0) headers.unshift('host', x.authority);
    else if (headers[at + 1] !== x.authority) {
      set(headers, 'x-envoy-original-host', headers[at + 1]!);
      headers[at + 1] = x.authority;
    }
    const { timeout, retry } = this.#route.route;
    const expected = retry?.perTryTimeout ?? timeout;
    if (expected !== null) set(headers, 'x-envoy-expected-rq-timeout-ms', String(expected));
    set(headers, 'x-envoy-attempt-count', String(x.attempts));
    env.peers.addToRequest(x, this.#cluster, this.#endpoint!);
    if (down.upgrade !== null) headers.push('connection', 'upgrade', 'upgrade', down.upgrade);
  }

  onLeaseFailed(problem: LeaseProblem): void {
    if (problem.kind === 'connect-failed') this.#stream.x.transportFailure = problem.cause;
    if (problem.kind !== 'overflow' && this.#retries({ kind: 'connect-failure' })) return;
    this.#fail(problem);
  }

  onUpstreamInformational(head: UpstreamHead): void {
    // 100 was answered by the proxy itself; 102 and 103 are the server's to tell.
    const { x, down, env } = this.#stream;
    env.peers.readResponse(x, head.headers);
    if (head.status !== 100) down.sendInformational(head.status, head.reason, head.headers);
  }

  onUpstreamHead(head: UpstreamHead): void {
    const { x, down, env } = this.#stream;
    x.headMs = performance.now();
    env.peers.readResponse(x, head.headers);
    if (head.status === 101) return this.#upgraded(head);
    if (
      this.#route.route.retry !== null &&
      this.#retries({ kind: 'response', status: head.status, headers: head.headers })
    )
      return;
    this.#headSeen = true;
    this.#tryTimer?.cancel();
    x.status = head.status;
    x.details = 'via_upstream';
    x.responseHeadBytes = head.bytes;
    if (x.grpc) noteGrpcStatus(x, head.headers);
    const { headers } = head;
    set(headers, 'x-envoy-upstream-service-time', String(Math.round(x.headMs - x.sentMs)));
    this.#target.responseHeaders?.(x, headers);
    this.#stream.decorate(headers);
    down.sendHead(head.status, head.reason, headers, head.framing);
  }

  onUpstreamData(chunk: Buffer): void {
    this.#stream.x.bytesSent += chunk.length;
    this.#grpc?.response(chunk);
    if (!this.#stream.down.sendData(chunk)) this.#upstream?.pause();
  }

  onUpstreamEnd(trailers: HeaderList): void {
    if (trailers.length > 0) this.#stream.x.responseTrailers = trailers;
    if (this.#stream.x.grpc) noteGrpcStatus(this.#stream.x, trailers);
    this.#upstream = null;
    this.#endpoint!.active--;
    this.#end();
    this.#stream.down.sendEnd(trailers);
    this.#stream.finish();
  }

  onUpstreamReadEnd(): void {
    this.#stream.down.flush();
  }

  onUpstreamDrain(): void {
    this.#stream.down.resumeBody();
  }

  onUpstreamProblem(problem: UpstreamProblem): void {
    const { x, down } = this.#stream;
    this.#upstream = null;
    this.#endpoint!.active--;
    // Envoy's codec takes the end of the connection inside a message, by FIN or by reset, for a protocol error.
    const cut = problem.kind === 'reset' && problem.gotBytes;
    const broken = problem.kind === 'protocol' || cut;
    if (this.#headSeen && !down.takeBack()) {
      // The head is out: only a broken connection tells the client the truth.
      x.flag(broken ? 'UPE' : 'UC');
      x.details = `upstream_reset_after_response_started{${broken ? 'protocol_error' : 'connection_termination'}}`;
      x.reason = `${this.#endpoint!.key} broke off in the middle of its response`;
      this.#end();
      down.abort();
      this.#stream.finish();
      return;
    }
    const where = this.#headSeen ? 'body' : 'head';
    if (this.#headSeen) this.#forgetResponse();
    if (problem.kind === 'reset' && this.#lostRace(problem)) return;
    const { gotBytes, unsent } = problem.kind === 'protocol' ? { gotBytes: true, unsent: false } : problem;
    if (this.#retries({ kind: 'reset', gotBytes, sent: !unsent })) return;
    if (problem.kind === 'protocol') return this.#fail({ kind: 'bad-response', cause: problem.details });
    this.#fail(
      cut
        ? { kind: 'bad-response', cause: `it ended inside the ${where}` }
        : { kind: 'reset-before-response', cause: problem.cause },
    );
  }

  /** It was taken back: nobody has seen it. */
  #forgetResponse(): void {
    const { x } = this.#stream;
    this.#headSeen = false;
    x.status = x.bytesSent = x.responseHeadBytes = 0;
    x.responseHeaders = null;
  }

  /** A kept connection closed just as we used it: nothing of the answer came, so what is safe to repeat is repeated. */
  #lostRace(problem: UpstreamProblem & { kind: 'reset' }): boolean {
    const { x } = this.#stream;
    if (!problem.reused || problem.gotBytes || this.#races >= MAX_RACES) return false;
    if (!(IDEMPOTENT.has(x.method) || problem.unsent) || this.#replay?.possible === false) return false;
    this.#races++;
    this.#fresh = true;
    this.#tries--;
    x.attempts--;
    this.#tryTimer?.cancel();
    this.try();
    return true;
  }

  /** True when the route's retry policy grants another try; it is under way then. */
  #retries(outcome: TryOutcome): boolean {
    const policy = this.#route.route.retry;
    if (policy === null || this.#replay?.possible === false || this.#over) return false;
    const wait = retryDelay(policy, outcome, this.#tries, this.#stream.env.random);
    if (wait === null) {
      if (this.#tries > 1 && isRetriable(policy, outcome)) this.#stream.x.flag('URX');
      return false;
    }
    this.#endTry();
    this.#backoff = this.#stream.env.clock.add(wait, onBackoff, this);
    return true;
  }

  /** The route's timeout, or that of one try, has passed. */
  timedOut(kind: 'timeout' | 'per-try-timeout'): void {
    if (this.#over) return;
    if (kind === 'per-try-timeout' && this.#retries({ kind })) return;
    this.#endTry();
    if (!this.#headSeen) return this.#fail({ kind });
    const { x, down } = this.#stream;
    x.flag('UT');
    x.details = 'response_timeout';
    x.reason = `${this.#endpoint!.key} did not finish its response in time: the route's timeout is ${this.#route.route.timeout ?? 0} ms`;
    this.#end();
    down.abort();
    this.#stream.finish();
  }

  #upgraded(head: UpstreamHead): void {
    const upstream = this.#upstream!;
    if (!isWanted(this.#stream, head)) {
      this.#endTry();
      return this.#fail({ kind: 'bad-response', cause: 'unsolicited 101' });
    }
    this.#upstream = null;
    this.#end();
    openTunnel(this.#stream, upstream, this.#endpoint!, head);
  }

  #fail(failure: Failure): void {
    this.#end();
    this.#stream.reply(fail(failure));
  }

  /** Ends the try that is under way, whatever state it is in. */
  #endTry(): void {
    this.#tryTimer?.cancel();
    this.#tryTimer = null;
    this.#pool?.cancel(this);
    if (this.#upstream === null) return;
    this.#upstream.abort();
    this.#upstream = null;
    this.#endpoint!.active--;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cluster.active--;
    this.#tryTimer?.cancel();
    this.#timer?.cancel();
    this.#backoff?.cancel();
  }
}

const onTimeout = (forward: Forward): void => forward.timedOut('timeout');
const onTryTimeout = (forward: Forward): void => forward.timedOut('per-try-timeout');
const onBackoff = (forward: Forward): void => forward.try();
