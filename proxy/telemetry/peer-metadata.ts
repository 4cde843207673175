/**
 * Proxies that tell each other who they are, in two headers (Istio: peer metadata exchange, istio/proxy peer_metadata/filter.cc). What
 * they say names peers in metrics, and only those that the mesh does not know by their address: nobody proves it, so no policy reads it.
 * Neither header ever reaches an application, and none that an application wrote leaves it.
 */
import { get, remove, type HeaderList } from '../core/header-list.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Exchange } from '../live/exchange.ts';
import type { ProxyNode, Workload } from '../snapshot/node.ts';
import { leaves } from './egress-sighting.ts';
import { readStruct, writeStruct, type TextStruct } from './protobuf-struct.ts';

const ID = 'x-envoy-peer-metadata-id';
const METADATA = 'x-envoy-peer-metadata';
const HEARD_ID = 1;
const HEARD_METADATA = 2;
/** We said who we are. */
const SAID = 4;

/** Who does not answer is asked again after so long, ms: most endpoints that nobody knows have no proxy. */
const SILENCE_MS = 60_000;
/** Longer texts are no metadata, characters of base64. */
const MAX_METADATA = 4096;
/** Peers that a worker learns of; each is some 60 lines of a scrape. Those that come after them stay unknown. */
const MAX_PEERS = 100;
/** Values of Kubernetes' labels have 63 characters, its names 253. */
const MAX_VALUE = 253;
const MAX_LABELS = 32;

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** What names and labels of Kubernetes are made of, and nothing else. */
const PLAIN = /^[\w.:/@-]*$/;

const CANONICAL_NAME = 'service.istio.io/canonical-name';
const CANONICAL_REVISION = 'service.istio.io/canonical-revision';

export class PeerMetadata {
  readonly #id: string;
  readonly #metadata: string;
  /** By what was said: the same text is the same peer, so that it has the same series. */
  readonly #peers = new Map<string, Workload>();

  constructor(node: ProxyNode) {
    this.#id = nodeId(node);
    this.#metadata = encodePeer(node);
  }

  /** Takes the headers out of a request that came in. */
  readRequest(x: Exchange): void {
    const { headers, connection, direction } = x;
    const said = get(headers, METADATA);
    const isAsked = direction === 'inbound';
    if (said !== undefined) {
      remove(headers, METADATA);
      if (isAsked) {
        x.asksPeer = HEARD_METADATA;
        if (connection.peer === null) x.claimed = this.#peer(said);
      }
    }
    if (remove(headers, ID) && isAsked) x.asksPeer |= HEARD_ID;
  }

  /** Takes the headers out of a response. */
  readResponse(x: Exchange, headers: HeaderList): void {
    const said = get(headers, METADATA);
    if (said !== undefined) {
      remove(headers, METADATA);
      if (x.direction !== 'inbound' && x.endpoint?.workload === null) x.claimed = this.#peer(said);
    } else if ((x.asksPeer & SAID) !== 0 && x.endpoint !== null) x.endpoint.silentUntil = x.headMs + SILENCE_MS;
    remove(headers, ID);
  }

  /** Says who we are to the proxy of an endpoint of the mesh that nobody knows, which makes it say who it is. */
  addToRequest(x: Exchange, { settings }: LiveCluster, endpoint: LiveEndpoint): void {
    if (endpoint.workload !== null || endpoint.silentUntil > x.startMs || settings.direction !== 'outbound') return;
    if (settings.service === null || leaves(settings)) return;
    x.asksPeer |= SAID;
    x.headers.push(ID, this.#id, METADATA, this.#metadata);
  }

  /** Answers a proxy that asked. */
  addToResponse(x: Exchange, headers: HeaderList): void {
    if ((x.asksPeer & HEARD_ID) !== 0) headers.push(ID, this.#id);
    if ((x.asksPeer & HEARD_METADATA) !== 0) headers.push(METADATA, this.#metadata);
  }

  #peer(said: string): Workload | null {
    const known = this.#peers.get(said);
    if (known !== undefined) return known;
    if (this.#peers.size >= MAX_PEERS) return null;
    const peer = decodePeer(said);
    if (peer !== null) this.#peers.set(said, peer);
    return peer;
  }
}

/** Istio's node id: `sidecar~IP~POD.NAMESPACE~NAMESPACE.svc.DOMAIN`. */
const nodeId = ({ role, ip, name, namespace, trustDomain }: ProxyNode): string =>
  `${role === 'gateway' ? 'router' : 'sidecar'}~${ip}~${name}.${namespace}~${namespace}.svc.${trustDomain}`;

/** A base64 protobuf Struct, with the fields that Istio's proxies write (extensions/common/metadata_object.cc). */
export function encodePeer(of: Workload): string {
  const { app = '', version = '' } = of.labels;
  return writeStruct({
    NAME: of.name,
    NAMESPACE: of.namespace,
    WORKLOAD_NAME: of.workload,
    OWNER: `kubernetes://apis/apps/v1/namespaces/${of.namespace}/deployments/${of.workload}`,
    CLUSTER_ID: of.cluster,
    LABELS: {
      [CANONICAL_NAME]: of.canonicalService,
      [CANONICAL_REVISION]: of.canonicalRevision,
      ...(app === '' ? {} : { app }),
      ...(version === '' ? {} : { version }),
    },
  }).toString('base64');
}

/** Null: not what a proxy would say. Values that are no names are left out. */
export function decodePeer(said: string): Workload | null {
  if (said.length > MAX_METADATA || !BASE64.test(said)) return null;
  const fields = readStruct(Buffer.from(said, 'base64'));
  if (fields === null) return null;
  const labels = labelsOf(fields['LABELS']);
  const workload = textOf(fields['WORKLOAD_NAME']);
  return {
    name: textOf(fields['NAME']),
    namespace: textOf(fields['NAMESPACE']),
    workload,
    serviceAccount: '',
    labels,
    ip: '',
    canonicalService: labels[CANONICAL_NAME] ?? labels['app'] ?? workload,
    canonicalRevision: labels[CANONICAL_REVISION] ?? labels['version'] ?? 'latest',
    cluster: textOf(fields['CLUSTER_ID']),
  };
}

const textOf = (value: string | TextStruct | undefined): string =>
  typeof value === 'string' && value.length <= MAX_VALUE && PLAIN.test(value) ? value : '';

function labelsOf(value: string | TextStruct | undefined): Readonly<Record<string, string>> {
  if (value === undefined || typeof value === 'string') return {};
  const labels = Object.entries(value)
    .map(([name, text]) => [textOf(name), textOf(text)] as const)
    .filter(([name, text]) => name !== '' && text !== '');
  return Object.fromEntries(labels.slice(0, MAX_LABELS));
}
