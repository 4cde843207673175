/** Pods that register themselves: who they are, whether they are alive, and the Pod objects that say so. */
import { remove, RUNNER } from '../runner/author.ts';
import { sleep, timestamp, type Clock } from '../runner/clock.ts';
import type { Deployment, Pod } from '../runner/object.ts';
import { isRegistered } from '../registered-pod.ts';
import { badRequest, conflict, forbidden, notFound, StatusError } from '../kube/status-error.ts';
import type { Store, StoreEvent } from '../store.ts';
import { Liveness, SILENT_MS, type Leased, type Reach } from './liveness.ts';
import { MemberFile } from './member-file.ts';
import { memberPod, type Lost, type PodFacts } from './member-pod.ts';
import type { Member, MemberName } from './member.ts';

/** What it needs of the connected proxies. */
export type Streams = {
  /** `<pod>.<namespace>` */
  isConnected(proxy: string): boolean;
  /** Resolves when every connected proxy runs with this revision. */
  settled(revision: number): Promise<void>;
  /** Called when a proxy's stream has ended, and no newer one has taken its place. */
  broken: (proxy: string) => void;
};

export type MembersOptions = {
  readonly store: Store;
  readonly clock: Clock;
  /** Does anything answer there? */
  readonly reach: Reach;
  /** State directory; null: nothing is kept over a restart. */
  readonly dir: string | null;
  /** Resolves when the controllers have nothing left to do: endpoints follow the pods then. */
  readonly idle: () => Promise<void>;
  /** One sentence for whoever runs this. */
  readonly onError: (message: string) => void;
};

/** What a proxy is answered. */
export type Registered = { readonly revision: number; readonly heartbeatMs: number };

type Held = PodFacts & Leased & { readonly text: string };

const HEARTBEAT_MS = 3000;
/** Pods; more would be someone making them up. */
const MAX_MEMBERS = 10_000;
/** A proxy that has not confirmed a withdrawal by then is not waited for. */
const SETTLE_MS = 5000;
const PODS = { group: '', plural: 'pods', kind: 'Pod' };

export class Members {
  readonly #options: MembersOptions;
  /** By `<pod>.<namespace>`. */
  readonly #held = new Map<string, Held>();
  /** Address → who has it. */
  readonly #byIp = new Map<string, string>();
  readonly #file: MemberFile | null;
  readonly #liveness: Liveness;
  readonly #unsubscribe: () => void;
  #streams: Streams | null = null;

  constructor(options: MembersOptions) {
    const { store, clock, reach, dir, onError } = options;
    this.#options = options;
    this.#file = dir === null ? null : new MemberFile(dir, () => [...this.#held.values()], onError);
    this.#liveness = new Liveness(clock, reach, {
      all: () => this.#held.values(),
      get: (id) => this.#held.get(id),
      isConnected: (id) => this.#streams?.isConnected(id) ?? false,
      lose: (id, lost) => this.#lose(id, lost),
      drop: (id) => this.#drop(id),
    });
    this.#unsubscribe = store.subscribe((event) => this.#follow(event));
  }

  /** Brings back those of before a restart, as they were, each with a new lease. */
  restore(): void {
    const { store, clock } = this.#options;
    for (const facts of this.#file?.read() ?? []) {
      const { namespace, name, member } = facts;
      const id = `${name}.${namespace}`;
      if (this.#held.size >= MAX_MEMBERS || allOf(member).some((ip) => this.#byIp.has(ip))) continue;
      if (store.get('Namespace', '', namespace) === undefined || store.get('Pod', namespace, name) !== undefined)
        continue;
      this.#hold({ ...facts, id, heardAt: clock.now(), text: JSON.stringify(member) });
      // It may have ended meanwhile: one that does not come back is looked for.
      this.#liveness.watch(id);
    }
  }

  attach(streams: Streams): void {
    this.#streams = streams;
    streams.broken = (id) => {
      if (this.#held.has(id)) this.#liveness.watch(id);
    };
  }

  /** `from`: the address the request came from. Throws BadRequest (no such namespace), Forbidden, Conflict or TooManyRequests. */
  async register({ namespace, name }: MemberName, member: Member, from: string): Promise<Registered> {
    const { store, clock } = this.#options;
    const id = `${name}.${namespace}`;
    if (member.ip !== from && !isLoopback(from))
      throw forbidden(`ip: pod ${name} says it has ${member.ip}, but this request comes from ${from}`);
    const before = this.#held.get(id);
    this.#checkName(namespace, name, member, before);
    for (const ip of allOf(member)) this.#checkAddress(id, ip, member.startedAt);
    const text = JSON.stringify(member);
    const known = before !== undefined && before.text === text && before.lost === null;
    if (known && store.get('Pod', namespace, name) !== undefined) before.heardAt = clock.now();
    else
      this.#hold({
        namespace,
        name,
        member,
        lost: null,
        since: sinceOf(before, member, clock),
        id,
        heardAt: clock.now(),
        text,
      });
    if (member.terminating) await this.#withdrawn();
    return { revision: store.revision, heartbeatMs: HEARTBEAT_MS };
  }

  /** `incarnation`: whose word this is; null: somebody's, who means whichever there is. Throws NotFound, Forbidden or Conflict. */
  remove({ namespace, name }: MemberName, incarnation: string | null, from: string): Registered {
    const held = this.#held.get(`${name}.${namespace}`);
    if (held === undefined) throw notFound(PODS, name);
    if (held.member.ip !== from && !isLoopback(from))
      throw forbidden(`pod ${name} has ${held.member.ip}, but this request comes from ${from}`);
    if (incarnation !== null && incarnation !== held.member.incarnation)
      throw conflict(PODS, name, `its incarnation is ${held.member.incarnation}, not ${incarnation.slice(0, 100)}`);
    this.#drop(held.id);
    return { revision: this.#options.store.revision, heartbeatMs: HEARTBEAT_MS };
  }

  /** Pods stay as they are: who comes after this finds them in the file. */
  close(): void {
    this.#unsubscribe();
    this.#liveness.close();
    this.#file?.close();
  }

  #checkName(namespace: string, name: string, member: Member, before: Held | undefined): void {
    const { store, clock } = this.#options;
    if (store.get('Namespace', '', namespace) === undefined)
      throw badRequest(`namespace: there is none named ${namespace}: kubectl create namespace ${namespace} makes it`);
    const there = store.get('Pod', namespace, name);
    if (there !== undefined && !isRegistered(there))
      throw conflict(PODS, name, 'a pod of this name is there that did not register itself');
    if (before === undefined) {
      if (this.#held.size < MAX_MEMBERS) return;
      throw new StatusError(
        429,
        'TooManyRequests',
        `${MAX_MEMBERS} pods have registered, which is as many as there may be`,
      );
    }
    // One that has fallen silent holds nothing: the clocks of two machines need not agree.
    const holds = clock.now() - before.heardAt < SILENT_MS;
    if (holds && Date.parse(member.startedAt) < Date.parse(before.member.startedAt))
      throw conflict(PODS, name, `a newer incarnation (${before.member.incarnation}) holds the name`);
  }

  /** An address is one pod's. It passes on when whoever had it is gone, as containers' addresses do. */
  #checkAddress(id: string, ip: string, startedAt: string): void {
    const { store } = this.#options;
    const other = this.#byIp.get(ip);
    if (other === id) return;
    if (other === undefined) {
      const pods = store.list('Pod') as readonly Pod[];
      const owner = pods.find((pod) => addressesOf(pod).includes(ip) && !isRegistered(pod));
      if (owner === undefined) return;
      throw conflict(PODS, id, `the address ${ip} is that of pod ${owner.metadata.name}`);
    }
    // Of containers that are made anew together each may get the address of another: its stream may be the new one already, or one that
    // nobody could end. Who has said nothing since this one started has it no more.
    const { heardAt, lost } = this.#held.get(other)!;
    const speaks = lost === null && heardAt >= Date.parse(startedAt);
    if (speaks && this.#streams?.isConnected(other) === true)
      throw conflict(PODS, id, `the address ${ip} is that of pod ${other}, which is connected`);
    this.#drop(other);
  }

  #hold(held: Held): void {
    const { store } = this.#options;
    const { id, member, namespace, name } = held;
    const before = this.#held.get(id);
    if (before !== undefined) this.#release(before);
    // Another address, or back from its end: another Pod of the same name.
    if (before !== undefined && isAnother(before.member, member)) this.#removePod(before);
    this.#held.set(id, held);
    for (const ip of allOf(member)) this.#byIp.set(ip, id);
    const pod = store.get('Pod', namespace, name) as Pod | undefined;
    const deployment = store.get('Deployment', namespace, member.workload) as Deployment | undefined;
    store.put(memberPod(held, pod, deployment, timestamp(this.#options.clock)), RUNNER);
    this.#file?.touch();
  }

  #lose(id: string, lost: Lost): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    // What was about to end has ended.
    if (held.member.terminating) this.#drop(id);
    else this.#hold({ ...held, lost });
  }

  #drop(id: string): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    this.#release(held);
    this.#removePod(held);
    this.#file?.touch();
  }

  #release({ id, member }: Held): void {
    for (const ip of allOf(member)) if (this.#byIp.get(ip) === id) this.#byIp.delete(ip);
  }

  #removePod({ namespace, name }: MemberName): void {
    const pod = this.#options.store.get('Pod', namespace, name);
    if (pod !== undefined && isRegistered(pod)) remove(this.#options.store, pod);
  }

  #follow({ type, resource, before }: StoreEvent): void {
    const { kind, metadata } = resource;
    if (type === 'DELETED') return;
    if (kind === 'Pod' && metadata['deletionTimestamp'] !== undefined && isRegistered(resource)) {
      // Marked by somebody else: nobody here ends its processes, so there is nothing to wait for.
      if (this.#held.get(`${metadata.name}.${metadata.namespace}`)?.member.terminating !== true)
        this.#removePod(metadata);
    }
    if (kind !== 'Deployment' || before?.metadata.generation === metadata.generation) return;
    // It may give names to ports.
    for (const held of this.#held.values()) {
      if (held.namespace !== metadata.namespace || held.member.workload !== metadata.name) continue;
      if (this.#options.store.get('Pod', held.namespace, held.name) !== undefined) this.#hold(held);
    }
  }

  async #withdrawn(): Promise<void> {
    const { store, clock, idle } = this.#options;
    await idle();
    const enough = new AbortController();
    const heard = this.#streams?.settled(store.revision) ?? Promise.resolve();
    await Promise.race([heard, sleep(clock, SETTLE_MS, enough.signal)]);
    enough.abort();
  }
}

const allOf = ({ ip, addresses }: Member): readonly string[] => [ip, ...addresses];
const addressesOf = ({ status }: Pod): readonly (string | undefined)[] => [
  status?.podIP,
  ...(status?.podIPs ?? []).map(({ ip }) => ip),
];

/** It is the same Pod still, or a new one. */
const sinceOf = (before: Held | undefined, member: Member, clock: Clock): string =>
  before === undefined || isAnother(before.member, member) ? timestamp(clock) : before.since;

const isAnother = (before: Member, now: Member): boolean =>
  before.ip !== now.ip || (before.terminating && !now.terminating);

export const isLoopback = (ip: string): boolean => ip === '::1' || ip.startsWith('127.');
