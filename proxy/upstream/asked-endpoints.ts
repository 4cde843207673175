/** Endpoints that exist because somebody asked for them: addresses (passthrough) and names (DYNAMIC_DNS). Bounded, found in one look. */
import { LiveEndpoint } from '../live/endpoint.ts';
import { Pool } from './pool.ts';

/** Kept of one cluster; the oldest that nobody uses goes first. */
const MOST = 1000;
/** How many are looked at for one that nobody uses. When all of them are in use there is one more: each holds a connection, which cost more. */
const LOOKS = 16;

export class AskedEndpoints {
  /** In the order they came, but for places that were taken over. The same array always. */
  readonly list: LiveEndpoint[] = [];
  readonly #byKey = new Map<string, LiveEndpoint>();
  readonly #retire: (endpoint: LiveEndpoint) => void;
  /** Where the oldest are. */
  #hand = 0;

  constructor(retire: (endpoint: LiveEndpoint) => void) {
    this.#retire = retire;
  }

  get(host: string, port: number): LiveEndpoint | undefined {
    return this.#byKey.get(`${host} ${port}`);
  }

  add(host: string, port: number): LiveEndpoint {
    // There were more than there should be, all in use, at some time.
    if (this.list.length > MOST) this.#fill(this.#freePlace());
    const place = this.list.length < MOST ? -1 : this.#freePlace();
    const endpoint = new LiveEndpoint(host, port);
    this.#byKey.set(`${host} ${port}`, endpoint);
    if (place < 0) this.list.push(endpoint);
    else this.list[place] = endpoint;
    return endpoint;
  }

  /** A place whose endpoint was retired; -1: there is none. */
  #freePlace(): number {
    for (let looks = 0; looks < LOOKS; looks++) {
      const place = this.#hand;
      const endpoint = this.list[place]!;
      this.#hand = (place + 1) % this.list.length;
      if (!isAtRest(endpoint)) continue;
      this.#byKey.delete(`${endpoint.address} ${endpoint.port}`);
      this.#retire(endpoint);
      return place;
    }
    return -1;
  }

  /** By the last one: the list gets shorter. */
  #fill(place: number): void {
    if (place < 0) return;
    const last = this.list.pop()!;
    if (place < this.list.length) this.list[place] = last;
    this.#hand %= this.list.length;
  }
}

const isAtRest = ({ active, pool }: LiveEndpoint): boolean => active === 0 && !(pool instanceof Pool && pool.inUse);
