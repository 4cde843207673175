/** What a port speaks, from what its Service or ServiceEntry declares. */
import { SERVER_FIRST_PORTS } from './defaults.ts';

/** `http`: routed by request. `tls`: opaque, known by SNI. `tcp`: opaque. */
export type Protocol = 'http' | 'tls' | 'tcp';

/** pkg/config/protocol/instance.go Parse; what is not here is no protocol of Istio's. */
const KNOWN: Readonly<Record<string, Protocol>> = {
  http: 'http',
  http2: 'http',
  grpc: 'http',
  'grpc-web': 'http',
  http_proxy: 'http',
  https: 'tls',
  tls: 'tls',
  tcp: 'tcp',
  mongo: 'tcp',
  mysql: 'tcp',
  redis: 'tcp',
};

/** Kubernetes' own names for application protocols (KEP-3726). */
const STANDARD: Readonly<Record<string, Protocol>> = {
  'kubernetes.io/h2c': 'http',
  'kubernetes.io/ws': 'http',
  'kubernetes.io/wss': 'tls',
};

/**
 * Of a Kubernetes Service port (pkg/kube/util.go ConvertProtocol): `appProtocol`, else the port name up to its first `-`.
 * Where neither says, Istio looks at the first bytes of a connection; we take it for HTTP, except on ports whose servers are
 * known to speak first. Null: UDP and the like, which a mesh leaves alone.
 */
export function protocolOfPort(port: {
  readonly port: number;
  readonly name?: string;
  readonly appProtocol?: string;
  readonly protocol?: string;
}): Protocol | null {
  if (port.protocol !== undefined && port.protocol !== 'TCP') return null;
  const declared = (port.appProtocol ?? port.name ?? '').toLowerCase();
  if (port.appProtocol !== undefined && Object.hasOwn(STANDARD, declared)) return STANDARD[declared]!;
  const word = declared.startsWith('grpc-web') ? 'grpc-web' : declared.split('-', 1)[0]!;
  if (word === 'udp') return null;
  return Object.hasOwn(KNOWN, word) ? KNOWN[word]! : undeclared(port.port);
}

/** Of a ServiceEntry, Gateway or Sidecar port: the protocol it names, case-blind. */
export function protocolNamed(name: string | undefined, port: number): Protocol | null {
  const word = (name ?? '').toLowerCase();
  if (word === 'udp') return null;
  return Object.hasOwn(KNOWN, word) ? KNOWN[word]! : undeclared(port);
}

const undeclared = (port: number): Protocol => (SERVER_FIRST_PORTS.has(port) ? 'tcp' : 'http');
