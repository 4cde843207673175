/** The life of one HTTP request. Start reading here: each step names the room that does it. */
import { indexOf, remove, set, type HeaderList } from '../core/header-list.ts';
import { httpDate } from '../core/http-date.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Downstream, DownstreamEvents } from '../live/stream.ts';
import { CONTINUE, fail, type Reply, type Verdict } from '../live/verdict.ts';
import { answer } from '../response/local.ts';
import { decide } from './decide.ts';
import type { Environment } from './environment.ts';
import { Forward } from './forward.ts';
import type { HttpListenerPlan, RoutePlan } from './plan.ts';
import type { Stream } from './stream.ts';

/** `plan` is the one in force when the request head arrived; the request keeps it to its end. */
export function serveHttp(env: Environment, plan: HttpListenerPlan, x: Exchange, down: Downstream): DownstreamEvents {
  const stream = new HttpStream(env, plan, x, down);
  stream.serve();
  return stream;
}

/** A request that is answered before any plan can serve it. */
export function refuseHttp(env: Environment, x: Exchange, down: Downstream, reply: Reply): DownstreamEvents {
  answer(x, down, reply, x.direction !== 'gateway', (headers) => brand(x, headers));
  x.endMs = performance.now();
  env.record(x);
  return IGNORE;
}

/** Istio's listeners upgrade to WebSocket and to nothing else; Envoy answers so. */
const UPGRADE_REFUSED: Reply = { kind: 'local', status: 403, details: 'upgrade_failed', headers: [], body: '' };

const ignore = (): void => undefined;
const IGNORE: DownstreamEvents = {
  onRequestData: ignore,
  onRequestEnd: ignore,
  onRequestProblem: ignore,
  onRequestReadEnd: ignore,
  onDownstreamDrain: ignore,
  onDownstreamClose: ignore,
};

/** A meshed client sees `envoy`, a client of the ingress `istio-envoy`: dashboards and tests tell them apart by that. */
function brand(x: Exchange, headers: HeaderList): void {
  set(headers, 'server', x.direction === 'outbound' ? 'envoy' : 'istio-envoy');
  if (indexOf(headers, 'date') < 0) headers.push('date', httpDate());
  // Reasons are for the mesh; outside, the request id leads to them.
  if (x.direction === 'gateway') remove(headers, 'x-lateen-reason');
  x.responseHeaders = headers;
}

class HttpStream implements DownstreamEvents, Stream {
  readonly env: Environment;
  readonly plan: HttpListenerPlan;
  readonly x: Exchange;
  readonly down: Downstream;
  #route: RoutePlan | null = null;
  #forward: Forward | null = null;
  #over = false;
  #requestEnded = false;

  constructor(env: Environment, plan: HttpListenerPlan, x: Exchange, down: Downstream) {
    this.env = env;
    this.plan = plan;
    this.x = x;
    this.down = down;
  }

  serve(): void {
    const { env, plan, x } = this;
    env.identify(x); // telemetry/
    const permit = plan.authorize === null ? CONTINUE : plan.authorize(x); // authz/
    if (permit instanceof Promise) void permit.then((verdict) => this.#permitted(verdict));
    else this.#permitted(permit);
  }

  #permitted(permit: Verdict): void {
    if (this.#over) return;
    if (permit !== CONTINUE) return this.reply(permit);
    const route = this.plan.match(this.x); // route/
    if (route === null) return this.reply(fail({ kind: 'no-route' }));
    this.#route = route;
    this.x.route = route.route;
    const verdict = route.filters.length === 0 ? CONTINUE : decide(route.filters, this.x); // traffic/
    if (verdict instanceof Promise) void verdict.then((v) => this.#decided(route, v));
    else this.#decided(route, verdict);
  }

  #decided(route: RoutePlan, verdict: Verdict): void {
    if (this.#over) return;
    if (verdict !== CONTINUE) return this.reply(verdict);
    const { upgrade } = this.down;
    if (upgrade !== null && upgrade.toLowerCase() !== 'websocket') return this.reply(UPGRADE_REFUSED);
    const target = route.pick!(); // route/split
    if (target.cluster === null) return this.reply(fail({ kind: 'no-cluster', cluster: target.name }));
    this.#forward = new Forward(this, route, target, target.cluster);
    this.#forward.start(this.#requestEnded); // balancer/, upstream/, response/
  }

  /** The proxy answers by itself. */
  reply(reply: Reply): void {
    if (this.#over) return;
    const inside = this.plan.settings.direction !== 'gateway';
    answer(this.x, this.down, reply, inside, (headers) => this.decorate(headers));
    this.finish();
  }

  /** What every response of this listener carries. */
  decorate(headers: HeaderList): void {
    brand(this.x, headers);
    if (this.x.asksPeer !== 0) this.env.peers.addToResponse(this.x, headers);
    this.#route?.responseHeaders?.(this.x, headers);
  }

  /** Every request comes here exactly once. */
  finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.x.endMs = performance.now();
    this.env.record(this.x); // telemetry/
  }

  onRequestData(chunk: Buffer): void {
    this.x.bytesReceived += chunk.length;
    this.#forward?.onRequestData(chunk);
  }

  onRequestEnd(trailers: HeaderList): void {
    this.#requestEnded = true;
    if (this.x.bytesReceived > 0) this.x.receivedMs = performance.now();
    this.#forward?.onRequestEnd(trailers);
  }

  onRequestReadEnd(): void {
    this.#forward?.onRequestReadEnd();
  }

  onRequestProblem(details: string): void {
    this.#forward?.giveUp();
    this.x.flag('DPE');
    this.x.reason = 'the request body broke the rules of its framing';
    if (this.x.status === 0) {
      const late = details === 'request_body_timeout';
      const body = late ? 'Request Timeout' : 'Bad Request';
      this.reply({ kind: 'local', status: late ? 408 : 400, details, headers: [], body });
    } else {
      this.x.details = details;
      this.down.abort();
      this.finish();
    }
  }

  onDownstreamDrain(): void {
    this.#forward?.onDownstreamDrain();
  }

  onDownstreamClose(): void {
    this.#forward?.giveUp();
    this.x.flag('DC');
    this.x.details = 'downstream_remote_disconnect';
    this.x.reason = 'the client went away before its answer was complete';
    this.finish();
  }
}
