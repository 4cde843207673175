/** What the life of a request needs from around it; put together once a worker by worker.ts. */
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import type { Direction, Exchange } from '../live/exchange.ts';
import type { OwnPorts } from '../live/own-ports.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import type { PeerMetadata } from '../telemetry/peer-metadata.ts';
import type { TcpFacts, TcpSeries } from '../telemetry/tcp-metrics.ts';
import type { Plans } from './plan.ts';

export type OpenTunnel = {
  readonly direction: Direction;
  /** Clock's milliseconds of when something passed last; Infinity while it is being opened. */
  lastMs(): number;
  close(): void;
};

export type Environment = {
  readonly node: ProxyNode;
  readonly plans: Plans;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly random: Random;
  /** Request id and trace context, before anything is decided. */
  readonly identify: (x: Exchange) => void;
  /** Told of every request exactly once, at its end. */
  readonly record: (x: Exchange) => void;
  /** Told of every TCP connection and tunnel whose far end is reached: it may be long until its end. */
  readonly reached: (x: Exchange) => void;
  /** Told of every TCP connection exactly once, at its end. */
  readonly recordTcp: (x: Exchange) => void;
  /** Counters of one TCP connection. */
  readonly tcpSeries: (facts: TcpFacts) => TcpSeries;
  /** What proxies tell each other of themselves. */
  readonly peers: PeerMetadata;
  /** Local ports of our connections to others. */
  readonly ownPorts: OwnPorts;
  /** TCP connections that are open through this worker, for draining. */
  readonly tunnels: Set<OpenTunnel>;
};
