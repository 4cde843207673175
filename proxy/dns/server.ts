/** DNS capture: answers the application's questions for names of the mesh, and passes on the others (Istio's agent, pkg/dns/client). */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { NameTable } from '../snapshot/name-table.ts';
import type { Transport } from './ask.ts';
import { RCODE, TYPE } from './codes.ts';
import { Forwarder } from './forwarder.ts';
import { Names, type Found } from './names.ts';
import { readQuery, type Query } from './query.ts';
import { fitReply, roomFor, writeAnswer, writeBareError, writeError } from './reply.ts';
import { parseResolvConf, withoutSelf, type Server } from './resolv-conf.ts';
import type { DnsStats } from './stats.ts';
import { listenTcp, TCP_LIMITS, type Serve, type TcpLimits } from './tcp-listener.ts';
import { listenUdp } from './udp-listener.ts';

export type DnsOptions = {
  /** Port 0: any free one, the same for both transports. */
  readonly listen: readonly Server[];
  /** Whom to ask instead of the name servers of `resolvConf`. */
  readonly upstreams?: readonly Server[];
  /** Path. */
  readonly resolvConf?: string;
  /** Another process may listen at the same addresses (Linux). */
  readonly shared?: boolean;
  readonly deadlineMs?: number;
  readonly limits?: { readonly queries?: number; readonly tcp?: TcpLimits };
};

export type DnsLog = (level: 'info' | 'warn', message: string) => void;

type Listener = { readonly address: Server; close(): void };

export class DnsServer {
  readonly addresses: readonly Server[];
  readonly #listeners: readonly Listener[];
  readonly #forwarder: Forwarder;
  readonly #stats: DnsStats;
  readonly #log: DnsLog;
  readonly #search: string;
  /** Null: no configuration yet. */
  #names: Names | null = null;
  #failing = false;
  #looping = false;

  /** Rejects when one of the addresses cannot be bound. */
  static async start(options: DnsOptions, stats: DnsStats, log: DnsLog): Promise<DnsServer> {
    const listeners: Listener[] = [];
    let server: DnsServer | null = null;
    const serve =
      (transport: Transport): Serve =>
      (message, { port }, respond) =>
        server?.serve(message, transport, port, respond);
    try {
      for (const bind of options.listen) {
        const shared = options.shared === true;
        const udp = await listenUdp(bind, serve('udp'), shared);
        listeners.push(udp);
        const tcpLimits = options.limits?.tcp ?? TCP_LIMITS;
        listeners.push(await listenTcp({ ...bind, port: udp.address.port }, serve('tcp'), shared, tcpLimits));
      }
    } catch (error) {
      for (const listener of listeners) listener.close();
      throw error;
    }
    server = new DnsServer(options, listeners, stats, log);
    return server;
  }

  private constructor(options: DnsOptions, listeners: readonly Listener[], stats: DnsStats, log: DnsLog) {
    const conf = readResolvConf(options.resolvConf ?? '/etc/resolv.conf', log);
    const own = listeners.map((l) => l.address);
    const asked = options.upstreams ?? conf.servers;
    const servers = withoutSelf(asked, own, localAddresses());
    if (servers.length === 0) log('warn', 'DNS: there is no other server to ask; only names of the mesh are answered');
    this.#listeners = listeners;
    this.#stats = stats;
    this.#log = log;
    this.#search = conf.search[0] ?? '';
    this.#forwarder = new Forwarder({
      servers,
      ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
      ...(options.limits?.queries === undefined ? {} : { limit: options.limits.queries }),
    });
    this.addresses = own.filter((_, i) => i % 2 === 0);
  }

  /** Answers what comes from now on by this table. */
  setNames(table: NameTable): void {
    this.#names = new Names(table, this.#search);
  }

  close(): void {
    for (const listener of this.#listeners) listener.close();
    this.#forwarder.close();
  }

  /** Never throws; `respond` is called once, with null when there is nothing to say. */
  serve(message: Buffer, transport: Transport, port: number, respond: (reply: Buffer | null) => void): void {
    const query = readQuery(message);
    if ('drop' in query) {
      this.#stats.count('malformed');
      return respond(query.drop ? null : writeBareError(message, query.rcode));
    }
    if (query.edns !== null && query.edns.version > 0) {
      this.#stats.count('malformed');
      return respond(writeError(query, RCODE.BADVERS));
    }
    if (this.#names === null) {
      // As Istio's agent: an answer from elsewhere now would be remembered when ours is there.
      this.#stats.count('failed');
      return respond(writeError(query, RCODE.SERVFAIL));
    }
    const found = isAddressQuestion(query) ? this.#names.find(query.question.name) : null;
    if (found !== null) return respond(this.#answer(query, found, transport));
    this.#forward(query, transport, port, respond);
  }

  #answer(query: Query, { known, alias }: Found, transport: Transport): Buffer {
    this.#stats.count('answered');
    const v6 = query.question.type === TYPE.AAAA;
    const turn = v6 ? known.turn6++ : known.turn4++;
    return writeAnswer(query, { alias, addresses: v6 ? known.v6 : known.v4, turn }, roomFor(query, transport));
  }

  #forward(query: Query, transport: Transport, port: number, respond: (reply: Buffer | null) => void): void {
    if (this.#forwarder.isOurs(port, query.id)) {
      this.#stats.count('looped');
      if (!this.#looping) this.#log('warn', 'DNS: questions to other servers come back here; is this user excluded?');
      this.#looping = true;
      return respond(writeError(query, RCODE.REFUSED));
    }
    const since = performance.now();
    this.#forwarder.forward(query, transport, ({ reply, result }) => {
      this.#stats.count(result);
      if (result !== 'overloaded' && this.#forwarder.able)
        this.#noteUpstreams(reply !== null, performance.now() - since);
      if (reply !== null) respond(fitReply(query, reply, roomFor(query, transport)));
      else respond(writeError(query, this.#forwarder.able ? RCODE.SERVFAIL : RCODE.REFUSED));
    });
  }

  #noteUpstreams(well: boolean, ms: number): void {
    this.#stats.upstream(well, ms);
    if (well === !this.#failing) return;
    this.#failing = !well;
    this.#log(well ? 'info' : 'warn', `DNS: other servers ${well ? 'answer again' : 'do not answer'}`);
  }
}

const isAddressQuestion = ({ question }: Query): boolean => question.type === TYPE.A || question.type === TYPE.AAAA;

function readResolvConf(path: string, log: DnsLog): ReturnType<typeof parseResolvConf> {
  try {
    return parseResolvConf(readFileSync(path, 'utf8'));
  } catch (error) {
    log('warn', `DNS: ${(error as Error).message}`);
    return { servers: [], search: [] };
  }
}

const localAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
