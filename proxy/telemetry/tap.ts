/** Tells of single requests while somebody looks, at a bounded rate. With nobody there it costs one property read a request. */
import type { Exchange } from '../live/exchange.ts';
import type { ProxyNode, Workload } from '../snapshot/node.ts';
import type { TapBatch, TapEvent, TapFilter, TapOrder, TapParty } from '../snapshot/tap.ts';
import { withoutSecrets } from './hostile-text.ts';
import { WallClock } from './wall-clock.ts';

/** Requests a second that one worker tells of for one tap. */
export const MOST_PER_SECOND = 100;
/** They are handed on so much later, ms. */
const HOLD_MS = 100;
/** Longest shown, characters. */
const LONG = 1024;
const NAME = 256;

type Watch = { readonly order: TapOrder; events: TapEvent[]; skipped: number; second: number; told: number };

export class Tap {
  /** Somebody looks. */
  active = false;
  readonly #node: ProxyNode;
  readonly #post: (batches: readonly TapBatch[]) => void;
  readonly #clock: WallClock;
  #watches: readonly Watch[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(node: ProxyNode, post: (batches: readonly TapBatch[]) => void, clock = new WallClock()) {
    this.#node = node;
    this.#post = post;
    this.#clock = clock;
  }

  /** All taps there are; those of other workloads are left out. */
  set(orders: readonly TapOrder[]): void {
    const known = new Map(this.#watches.map((watch) => [watch.order.id, watch]));
    this.#watches = orders
      .filter(({ filter }) => isOf(this.#node, filter))
      .map((order) => known.get(order.id) ?? { order, events: [], skipped: 0, second: 0, told: 0 });
    this.active = this.#watches.length > 0;
  }

  /** Call for every request and every TCP connection at its end, when somebody looks. Never throws. */
  note(x: Exchange): void {
    let event: TapEvent | null = null;
    for (const watch of this.#watches) {
      if (!fits(x, watch.order.filter)) continue;
      if (x.endMs - watch.second >= 1000) {
        watch.second = x.endMs;
        watch.told = 0;
      }
      if (watch.told++ < MOST_PER_SECOND) watch.events.push((event ??= this.#event(x)));
      else watch.skipped += 1;
      this.#timer ??= setTimeout(() => this.flush(), HOLD_MS).unref();
    }
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const batches: TapBatch[] = [];
    for (const watch of this.#watches) {
      const { events, skipped } = watch;
      if (events.length === 0 && skipped === 0) continue;
      batches.push({ id: watch.order.id, events, skipped });
      watch.events = [];
      watch.skipped = 0;
    }
    if (batches.length > 0) this.#post(batches);
  }

  #event(x: Exchange): TapEvent {
    const { connection, endpoint } = x;
    const inbound = x.direction === 'inbound';
    const own = partyOf(this.#node, this.#node.ip);
    const path = x.method === '' || x.method === 'CONNECT' ? '' : (x.originalPath ?? x.path);
    return {
      time: Math.floor(this.#clock.epochMs(x.startMs)),
      direction: x.direction,
      source: inbound ? partyOf(connection.peer, connection.remoteAddress) : own,
      destination: inbound ? own : partyOf(endpoint?.workload ?? null, endpoint?.key ?? ''),
      service: x.cluster?.settings.service?.host ?? '',
      method: x.method.slice(0, 32),
      authority: (x.method === '' ? connection.serverName : x.authority).slice(0, NAME),
      path: withoutSecrets(path.slice(0, LONG)),
      status: x.status,
      grpcStatus: x.grpc ? x.grpcStatus : -1,
      flags: x.flags,
      duration: Math.max(0, Math.round((x.endMs - x.startMs) * 10) / 10),
      received: x.bytesReceived,
      sent: x.bytesSent,
      reason: (x.reason === '' ? x.transportFailure : x.reason).slice(0, LONG),
      requestId: x.requestId.slice(0, NAME),
    };
  }
}

const isOf = ({ namespace, workload }: ProxyNode, filter: TapFilter): boolean =>
  (filter.namespace === null || filter.namespace === namespace) &&
  (filter.workload === null || filter.workload === workload);

function fits(x: Exchange, { service, to, method, path, status }: TapFilter): boolean {
  if (status !== null && (x.opaque || x.status < status[0] || x.status > status[1])) return false;
  if (method !== null && x.method !== method) return false;
  if (path !== null && (x.opaque || !(x.originalPath ?? x.path).startsWith(path))) return false;
  const called = x.cluster?.settings.service ?? null;
  if (service !== null && called?.name !== service) return false;
  if (to === null) return true;
  const workload = x.direction === 'inbound' ? null : (x.endpoint?.workload?.workload ?? null);
  return x.direction !== 'inbound' && (workload === to || called?.name === to || called?.host === to);
}

const partyOf = (workload: Workload | null, address: string): TapParty =>
  workload === null
    ? { namespace: '', workload: '', version: '', pod: '', address }
    : {
        namespace: workload.namespace,
        workload: workload.workload,
        version: workload.canonicalRevision,
        pod: workload.name,
        address,
      };
